import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.saved_models.index import Index


@pytest.fixture
def index():
    return Index(
        np.arange(6, dtype=np.uint8).reshape(3, 2), np.array(["a", "b", "ü"]), np.array([0, 1, -1]), "m", "pan"
    )


def test_a_file_gives_back_what_was_saved(index, tmp_path):
    index.save(tmp_path / "x.npz")
    loaded = Index.load(tmp_path / "x.npz")
    assert (loaded.model, loaded.source, loaded.bits, loaded.ids.tolist()) == ("m", "pan", 16, ["a", "b", "ü"])
    assert np.array_equal(loaded.codes, index.codes)
    assert loaded.labels.tolist() == [0, 1, -1]


def test_added_items_come_last_and_removed_ones_are_gone(index):
    more = index.add(np.array([[9, 9]], np.uint8), ["longer name"], [2])
    assert more.ids.tolist() == ["a", "b", "ü", "longer name"]
    less = more.remove(["b"])
    assert less.ids.tolist() == ["a", "ü", "longer name"]
    assert less.codes.tolist() == [[0, 1], [4, 5], [9, 9]]
    assert less.labels.tolist() == [0, -1, 2]


def test_refusals(index, tmp_path):
    with pytest.raises(ValueError, match="Received twice: 'a'"):
        index.add(np.array([[9, 9]], np.uint8), ["a"], [2])
    with pytest.raises(ValueError, match="no item 'z'"):
        index.remove(["a", "z"])
    with pytest.raises(ValueError, match="3 ids and 2 labels"):
        Index(index.codes, index.ids, index.labels[:2], "m")
    for content in (b"", b"nothing", None):
        if content is not None:
            (tmp_path / "x").write_bytes(content)
        with pytest.raises(DataError, match="Expected a file of codes that keras-dhnn wrote"):
            Index.load(tmp_path / "x")
        (tmp_path / "x").unlink(missing_ok=True)
