"""What of the data decides a result: `data_key`."""

import hashlib

import numpy as np
import pytest

from keras_dhnn.config import Data
from keras_dhnn.errors import DataError
from keras_dhnn.experiment.split import data_key, draw_split
from keras_dhnn.pipelines.groups import save_groups
from keras_dhnn.pipelines.labels import Labels
from tests.fakes import make_coloured_dataset, partly_labelled

GROUPED = Data(name="coloured", protocol="grouped", queries=0.25)


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


def test_of_data_alone_it_is_their_checksum(info):
    assert data_key(GROUPED, 0, info) == data_key(GROUPED, 1, info) == info.checksum


def test_labels_that_are_given_later_change_it(info):
    few, fewer = partly_labelled(info, range(5)), partly_labelled(info, range(6))
    digest = hashlib.sha256(b'["new0", "new1", "new2", 36]' + np.packbits(few.table.sets).tobytes()).hexdigest()[:12]
    assert data_key(GROUPED, 0, few) == f"{info.checksum} labels {digest}"
    assert data_key(GROUPED, 0, fewer) != data_key(GROUPED, 0, few)
    renamed = info.with_labels(Labels(("a", "b", "c"), few.table.sets))
    assert data_key(GROUPED, 0, renamed) != data_key(GROUPED, 0, few)


def test_a_file_of_names_changes_it_by_what_it_holds(info, tmp_path):
    path, keys = tmp_path / "test.txt", []
    listed = Data(name="coloured", protocol="standard", split=str(path))
    for names in (("class0/000", "class1/012"), ("class0/001", "class1/012"), ("class1/012", "class0/000")):
        path.write_text("\n".join(names) + "\n")
        keys.append(data_key(listed, 0, info))
        assert keys[-1] == f"{info.checksum} split {draw_split(listed, 0, info).hash}"
    assert keys[0] == keys[2] != keys[1]
    path.unlink()
    with pytest.raises(DataError, match="test.txt"):
        data_key(listed, 0, info)


def test_a_file_of_groups_changes_it_by_what_it_holds(info, tmp_path):
    path, keys = tmp_path / "groups.npz", []
    grouped = Data(name="coloured", protocol="grouped", queries=0.25, groups=str(path))
    for size in (1, 4, 1):
        save_groups(path, np.arange(36) // size, info)
        keys.append(data_key(grouped, 0, info))
    assert keys[0] == keys[2] != keys[1]


def test_a_split_that_cannot_be_drawn_has_a_key_all_the_same(info, tmp_path):
    (tmp_path / "test.txt").write_text("class0/000\n")
    refused = Data(name="coloured", protocol="grouped", split=str(tmp_path / "test.txt"))
    assert data_key(refused, 0, info) == info.checksum
