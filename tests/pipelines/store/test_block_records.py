import itertools
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.example import Block
from keras_dhnn.pipelines.store.block_records import write_blocks
from keras_dhnn.pipelines.store.block_store import StreamedBlocks
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.record_store import ResidentRecords, open_records
from keras_dhnn.pipelines.store.records import write_shards
from tests.fakes import make_archive, make_block_archive, make_blocks, make_examples

IMAGES = {"pan": ((8, 8, 1), "uint16"), "mul": ((4, 4, 5), "float32"), "rgb": ((3, 2, 3), "uint8")}


def write(directory, blocks=None, **options):
    directory.mkdir()
    options = {"classes": ("a", "b"), "shards": 3, "items_per_record": 4} | options
    return write_blocks(blocks or make_blocks(), directory, **options)


def records(directory):
    """Every record's features, one list a shard; read by TensorFlow and protobuf."""
    return [
        [tf.train.Example.FromString(record.numpy()).features.feature for record in tf.data.TFRecordDataset(str(path))]
        for path in sorted(directory.glob("records-*"))
    ]


def indices(directory):
    """Item numbers in the order of the records, one list a shard."""
    return [[i for f in shard for i in f["index"].int64_list.value] for shard in records(directory)]


@pytest.fixture
def info(tmp_path):
    return prepare(make_block_archive(images=IMAGES), tmp_path / "data", shards=3).info


@pytest.mark.parametrize("items_per_record", [1, 4, 100])
@pytest.mark.parametrize("images", [None, IMAGES], ids=["one source", "three sources"])
def test_records_hold_what_was_written(tmp_path, images, items_per_record):
    fields = write(tmp_path / "data", make_blocks(images=images), items_per_record=items_per_record)
    examples, seen = list(make_examples(images=images)), []
    for features in itertools.chain(*records(tmp_path / "data")):
        index = features["index"].int64_list.value
        assert 1 <= len(index) <= items_per_record
        assert [name.decode() for name in features["id"].bytes_list.value] == [examples[i].id for i in index]
        assert list(features["label"].int64_list.value) == [examples[i].label for i in index]
        for source, spec in fields["images"].items():
            pixels = np.frombuffer(features[f"image/{source}"].bytes_list.value[0], spec.stored_dtype)
            expected = [examples[i].images[source] for i in index]
            np.testing.assert_array_equal(pixels.reshape(-1, *spec.shape), expected)
        seen += index
    assert sorted(seen) == list(range(20))
    assert fields["count"] == 20
    assert fields["class_counts"] == (10, 10)
    assert fields["items_per_record"] == items_per_record
    assert [shard.count for shard in fields["shards"]] == list(map(len, indices(tmp_path / "data")))


def test_a_block_has_the_checksum_of_its_items(tmp_path):
    blocks = write(tmp_path / "blocks", make_blocks(images=IMAGES))
    (tmp_path / "items").mkdir()
    items = write_shards(make_examples(images=IMAGES), tmp_path / "items", classes=("a", "b"))
    for name in ("checksum", "images", "count", "class_counts"):
        assert blocks[name] == items[name]


def test_checksum_ignores_blocks_records_and_shards(tmp_path):
    one = write(tmp_path / "a", make_blocks(size=1), shards=1, items_per_record=1)
    other = write(tmp_path / "b", make_blocks(size=20), shards=5, items_per_record=3, seed=1)
    assert one["checksum"] == other["checksum"]


@pytest.mark.parametrize("wrong", [(3,), (3, 4)])
def test_checksum_depends_on_true_labels(tmp_path, wrong):
    plain, noisy = write(tmp_path / "a"), write(tmp_path / "b", make_blocks(wrong=wrong))
    again, other = write(tmp_path / "c", make_blocks(wrong=wrong)), write(tmp_path / "d", make_blocks(wrong=(5,)))
    assert noisy["checksum"] == again["checksum"]
    assert len({fields["checksum"] for fields in (plain, noisy, other)}) == 3


def test_shards_are_equal_in_bytes_for_equal_seeds_only(tmp_path):
    first, again, other = (write(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first["shards"] != other["shards"]


def test_every_shard_holds_every_class_in_random_order(tmp_path):
    """Though the items come sorted by class."""
    write(tmp_path / "data", make_blocks(600, size=50), items_per_record=32)
    shards = indices(tmp_path / "data")
    for shard in shards:
        assert 150 < len(shard) < 250
        assert shard != sorted(shard)
        first_half = np.array(shard[: len(shard) // 2])
        assert 0.3 < np.mean(first_half < 300) < 0.7  # items below 300 are of the first class
    labels = [set(f["label"].int64_list.value) for shard in records(tmp_path / "data") for f in shard[:-1]]
    assert labels == [{0, 1}] * len(labels)


def test_pixels_point_at_the_images(info):
    examples = list(make_examples(images=IMAGES))
    assert info.pixels.shape == (20, 3)
    for index, places in enumerate(info.pixels):
        shard, first, size = info.places[index]
        content = (info.directory / info.shards[shard].file).read_bytes()
        features = tf.train.Example.FromString(content[first : first + size]).features.feature
        assert index in features["index"].int64_list.value
        for place, (source, spec) in zip(places, sorted(info.images.items()), strict=True):
            image = np.frombuffer(content[place : place + spec.nbytes], spec.stored_dtype).reshape(spec.shape)
            np.testing.assert_array_equal(image, examples[index].images[source])


@pytest.mark.parametrize("kind", [ResidentRecords, StreamedBlocks])
@pytest.mark.parametrize("graph", [False, True])
def test_gather_returns_the_images_asked_for(info, kind, graph):
    examples, index = list(make_examples(images=IMAGES)), [7, 0, 19, 7]
    gather = kind(info).gather
    images = (tf.function(gather) if graph else gather)(tf.constant(index))
    for source in IMAGES:
        expected = np.stack([examples[i].images[source] for i in index])
        assert images[source].dtype == expected.dtype
        np.testing.assert_array_equal(images[source], expected)


def test_the_memory_budget_decides(info):
    assert isinstance(open_records(info, info.nbytes), ResidentRecords)
    assert isinstance(open_records(info, info.nbytes - 1), StreamedBlocks)


def test_batches_equal_those_of_a_data_set_item_by_item(info, tmp_path):
    items = prepare(make_archive(images=IMAGES), tmp_path / "items").info
    options = {"batch_size": 6, "seed": 3, "epochs": range(2), "turns": 1}
    expected = list(batches(items, np.arange(20), **options).as_numpy_iterator())
    for kind in (StreamedBlocks, ResidentRecords):
        found = list(batches(info, np.arange(20), records=kind(info), **options).as_numpy_iterator())
        tf.nest.map_structure(np.testing.assert_array_equal, found, expected)


def test_a_shard_cut_short_after_it_was_opened(info):
    blocks = StreamedBlocks(info)
    for shard in info.shards:
        os.truncate(info.directory / shard.file, shard.bytes // 2)
    with pytest.raises(DataError, match=r"records-0000\d-of-00003.tfrecord is damaged: it ends before byte .*Prepare"):
        blocks.gather(tf.range(20))


def test_streamed_blocks_close_their_files(info):
    before = len(os.listdir("/proc/self/fd"))
    blocks = StreamedBlocks(info)
    assert len(os.listdir("/proc/self/fd")) == before + 3
    del blocks
    assert len(os.listdir("/proc/self/fd")) == before


def test_info_says_how_many_items_a_record_holds(info):
    assert info.items_per_record == 256
    path = info.directory / "info.json"
    values = json.loads(path.read_text())
    del values["items_per_record"], values["sha256"]
    path.write_text(json.dumps(values))
    assert DatasetInfo.load(info.directory).items_per_record == 1  # as data sets had it before there were blocks


def test_true_labels_are_stored_where_there_are_some(tmp_path):
    noisy = prepare(make_block_archive(wrong=(3, 11)), tmp_path / "noisy").info
    assert np.flatnonzero(noisy.labels != noisy.true_labels).tolist() == [3, 11]
    clean = prepare(make_block_archive(), tmp_path / "clean").info
    np.testing.assert_array_equal(clean.true_labels, clean.labels)
    np.testing.assert_array_equal(clean.labels, noisy.labels)


def test_fewer_items_than_shards(tmp_path):
    assert write(tmp_path / "data", make_blocks(2), shards=9)["count"] == 2
    assert sorted(itertools.chain(*indices(tmp_path / "data"))) == [0, 1]


def test_progress_counts_items(tmp_path):
    seen = []
    write(tmp_path / "data", make_blocks(20, size=7), progress=seen.append)
    assert seen == [7, 14, 20]


def one_block(shape=(2, 8, 8, 3), dtype="uint8", source="image", labels=(0, 1), ids=("x", "y"), truth=None):
    return Block(list(ids), np.array(labels), {source: np.zeros(shape, dtype)}, truth)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (one_block(shape=(2, 8, 9, 3)), r"x: expected 'image' of 8 x 8 x 3 uint8.*Found: \(8, 9, 3\)"),
        (one_block(dtype="uint16"), r"x: expected 'image' of 8 x 8 x 3 uint8.*uint16"),
        (one_block(source="pan"), r"x: expected the sources \['image'\]. Found: \['pan'\]"),
        (one_block(labels=(0, 2)), r"y: expected a label from 0 to 1. Found: 2"),
        (one_block(labels=(-1, 1)), r"x: expected a label from 0 to 1. Found: -1"),
        (one_block(truth=np.array([0, 2])), r"y: expected a label from 0 to 1. Found: 2"),
        (one_block(ids=("x", "item003")), r"item003: this id comes twice"),
        (one_block(ids=("x", "x")), r"x: this id comes twice"),
    ],
    ids=["size", "type", "source", "label", "negative label", "true label", "id", "id in the block"],
)
def test_write_rejects_items_unlike_the_others(tmp_path, wrong, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "data", [*make_blocks(), wrong])


def test_true_labels_for_some_blocks_only(tmp_path):
    with pytest.raises(DataError, match=r"x: expected true labels for all items or for none"):
        write(tmp_path / "data", [*make_blocks(), one_block(truth=np.array([0, 1]))])


def test_write_rejects_an_empty_source(tmp_path):
    with pytest.raises(DataError, match="no image"):
        write(tmp_path / "data", iter(()))
