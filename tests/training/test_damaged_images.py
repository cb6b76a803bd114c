"""Training that reads images from their files names the file whose bytes have changed."""

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines import batches
from keras_dhnn.pipelines.store.record_store import open_records
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import train
from tests.fakes import make_coloured_dataset
from tests.tiny_training import TINY, split_tiny

BASE = TINY.override("data.image_size=16")


@pytest.fixture(autouse=True)
def _too_large_for_memory(monkeypatch):
    monkeypatch.setattr(batches, "shared_records", lambda info, budget: open_records(info, memory_budget=0))


def changed(info, number=5):
    """Change a bit in the middle of an image, and return the name of its file."""
    shard, first, size = info.places[number].tolist()
    path = info.directory / info.shards[shard].file
    content = bytearray(path.read_bytes())
    content[first + size // 2] ^= 1
    path.write_bytes(content)
    return path.name


@pytest.mark.parametrize("setting", ["head.epochs=1", "fine_tune.epochs=1", "fine_tune.cut=stage1"])
def test_a_changed_byte_ends_training_with_the_name_of_its_file(setting, tmp_path):
    info = make_coloured_dataset(tmp_path / "coloured")
    experiment = BASE.override(setting, *(["fine_tune.epochs=1"] if "cut" in setting else []))
    split = split_tiny(info)
    if setting == "fine_tune.epochs=1":
        train(experiment, info, split, tmp_path / "sound")
    name = changed(info)
    with pytest.raises(DataError, match=rf"{name} is damaged: the image with number 5 is not what was written"):
        train(experiment, info, split, tmp_path / "damaged")


def test_a_changed_byte_ends_statistics_of_bands_too(tmp_path):
    info = make_coloured_dataset(tmp_path / "coloured")
    items = np.arange(4 * info.count)
    network = Network(BASE.override("fine_tune.epochs=1"), info, items)
    name = changed(info)
    with pytest.raises(DataError, match=f"{name} is damaged"):
        network._band_statistics("image", items)
