"""Which images a split's settings make queries, and what of the data decides a result: `data_key`."""

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


@pytest.mark.parametrize(("missing", "counts"), [(18, None), (17, [3, 2, 0]), (1, [3, 3, 3])])
def test_few_labels_search_where_the_images_without_are_fewer(info, missing, counts):
    seen = partly_labelled(info, range(36 - missing, 36))
    split = draw_split(GROUPED, 0, seen)
    images = np.unique(split.queries // 4)
    searching = np.bincount(seen.labels[images], minlength=4)
    if counts is None:  # each class has 12 labels at most, 18 in all, and as many images have none
        assert searching.tolist() == [0, 0, 0, 5]
    else:
        assert searching[:3].tolist() == counts
        assert len(split.validation) == 0


def test_of_several_labels_those_are_few_that_few_images_have(info):
    names = [["a", "b"]] * 5 + [["a"]] * 19 + [[]] * 12
    seen = info.with_labels(Labels.of_names(("a", "b"), names))
    images = np.unique(draw_split(GROUPED, 0, seen).queries // 4)
    # A quarter of the 19 that have "a" alone, and of the 12 that have none; the five of "b" are learned from.
    assert np.histogram(images, [0, 5, 24, 36])[0].tolist() == [0, 5, 3]


@pytest.mark.parametrize("queries", [9, 0.25])
def test_the_queries_of_several_labels_are_as_many_as_asked(info, queries):
    names = [[name for name, every in (("a", 1), ("b", 2), ("c", 3), ("d", 5)) if not n % every] for n in range(36)]
    seen = info.with_labels(Labels.of_names("abcd", names))
    split = draw_split(Data(protocol="grouped", queries=queries, turns=1, validation=1 / 9), 0, seen)
    assert len(split.queries) == 9
    assert len(split.validation) == 3
    # Of 36, 18, 12 and 8 images a quarter each, but for one.
    assert np.abs(seen.label_sets.sets[split.queries].sum(axis=0) - [9, 4.5, 3, 2]).max() <= 1
