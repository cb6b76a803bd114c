"""Labels as classes, and a data set seen with them."""

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.labels import UNLABELLED, Labels

SEVERAL = Labels(("sea", "beach", "ship"), np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0]], bool))
SINGLE = Labels(("b", "a"), np.array([[0, 1], [1, 0], [0, 0]], bool))


def test_sets_of_labels_become_classes_in_order():
    names, numbers = SEVERAL.as_classes()
    assert names == ("sea", "beach", "ship", "sea + beach", UNLABELLED)
    assert numbers.tolist() == [0, 3, 4, 1, 3]


def test_known_and_several():
    assert SEVERAL.known.tolist() == [True, True, False, True, True]
    assert SEVERAL.several
    assert not SINGLE.several


def test_they_are_read_as_they_were_written(tmp_path):
    SEVERAL.save(tmp_path / "labels.npz")
    read = Labels.load(tmp_path / "labels.npz")
    assert read.classes == SEVERAL.classes
    np.testing.assert_array_equal(read.sets, SEVERAL.sets)


def test_a_damaged_file_is_said_to_be(tmp_path):
    (tmp_path / "labels.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="Give the labels again"):
        Labels.load(tmp_path / "labels.npz")
