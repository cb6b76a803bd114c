import gc
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.store import record_store
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.record_store import ResidentRecords, StreamedRecords, open_records, shared_records
from tests.fakes import make_archive, make_dataset

IMAGES = {"pan": ((8, 8, 1), "uint16"), "mul": ((4, 4, 5), "float32"), "rgb": ((3, 2, 3), "uint8")}


@pytest.fixture
def data(tmp_path):
    return make_dataset(tmp_path / "data", images=IMAGES)


@pytest.mark.parametrize("kind", [ResidentRecords, StreamedRecords])
def test_gather_returns_the_images_asked_for(data, kind):
    info, examples = data
    index = [7, 0, 19, 7]
    images = kind(info).gather(tf.constant(index))
    for source in IMAGES:
        expected = np.stack([examples[i].images[source] for i in index])
        assert images[source].dtype == expected.dtype
        np.testing.assert_array_equal(images[source], expected)


def test_resident_records_load_in_chunks(data, monkeypatch):
    info, examples = data
    monkeypatch.setattr(record_store, "_CHUNK_BYTES", info.nbytes // 6)
    images = ResidentRecords(info).gather(tf.range(info.count))
    np.testing.assert_array_equal(images["pan"], [example.images["pan"] for example in examples])


def test_the_memory_budget_decides(data):
    info, _ = data
    assert isinstance(open_records(info, info.nbytes), ResidentRecords)
    assert isinstance(open_records(info, info.nbytes - 1), StreamedRecords)


def test_shared_records_are_loaded_once_until_the_content_changes(tmp_path):
    info, _ = make_dataset(tmp_path / "data")
    records = shared_records(info)
    assert shared_records(info) is records
    changed = prepare(make_archive(seed=5), info.directory, force=True).info
    assert shared_records(changed) is not records


def test_streamed_records_close_their_files(data):
    before = len(os.listdir("/proc/self/fd"))
    records = StreamedRecords(data[0])
    assert len(os.listdir("/proc/self/fd")) == before + 3
    del records
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", [ResidentRecords, StreamedRecords])
def test_a_changed_byte_of_an_image_is_noticed(data, kind):
    info, _ = data
    shard, first, size = info.places[7].tolist()
    path = info.directory / info.shards[shard].file
    content = bytearray(path.read_bytes())
    content[first + size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"{path.name} is damaged: the image with number 7 is not what was written"):
        kind(info).gather(tf.constant([7]))
    assert list(StreamedRecords(info).gather(tf.constant([6, 8])))
    with pytest.raises(DataError, match=path.name):
        info.verify()
