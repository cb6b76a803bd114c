import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.name_groups import groups_by_name
from keras_dhnn.pipelines.splits import make_split

IDS = ["a/s1_t1.tif", "a/s1_t2.tif", "a/s2_t1.tif", "b/s1_t1.tif", "b/s1_t9.tif"]
CLASSES, NONE = [*"aaabb"], [""] * 5


def test_images_of_one_class_and_match_are_a_group():
    assert groups_by_name(IDS, CLASSES, "s[0-9]+").tolist() == [0, 0, 1, 2, 2]
    assert groups_by_name(IDS, CLASSES, "t([0-9]+)").tolist() == [0, 1, 0, 2, 3]
    assert groups_by_name(IDS, CLASSES, "s([0-9]+)_t([0-9]+)").tolist() == [0, 1, 2, 3, 4]


def test_folders_that_are_no_classes_do_not_part_what_matches():
    assert groups_by_name(IDS, NONE, "s[0-9]+").tolist() == [0, 0, 1, 0, 0]
    assert groups_by_name(IDS, NONE, "s([0-9]+)_t([0-9]+)").tolist() == [0, 1, 2, 0, 3]


def test_folder_and_suffix_do_not_match():
    with pytest.raises(DataError, match=r"'a/s1_t1.tif' does not match the pattern 'tif'"):
        groups_by_name(IDS, NONE, "tif")


def test_name_that_does_not_match():
    with pytest.raises(DataError, match=r"'a/s2_t1.tif' does not match the pattern 's1'.*'\^\[\^_\]\+' groups"):
        groups_by_name(IDS, NONE, "s1")


def test_one_group_of_all_is_rejected():
    with pytest.raises(DataError, match="one group"):
        groups_by_name(IDS[:2], NONE[:2], "s[0-9]+")


def test_no_regular_expression():
    with pytest.raises(ValueError, match="Expected a regular expression"):
        groups_by_name(IDS, NONE, "s[")


def test_split_keeps_groups_together():
    ids = [f"class{c}/scene{s}_{t}.tif" for c in range(3) for s in range(10) for t in range(4)]
    labels = np.repeat(np.arange(3), 40)
    groups = groups_by_name(ids, [f"class{label}" for label in labels], "scene[0-9]+")
    split = make_split(labels, protocol="grouped", seed=0, queries=0.2, validation=0.1, turns=1, groups=groups)
    assert len(split.queries) == 24
    assert not set(groups[split.queries]) & set(groups[split.database])
