import dataclasses

import numpy as np
import pytest

from keras_dhnn.config import Data
from keras_dhnn.errors import DataError
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.groups import load_groups, merge_groups, save_groups
from tests.fakes import make_coloured_dataset, make_dataset


@pytest.fixture
def info(tmp_path):
    return make_dataset(tmp_path / "data" / "made")[0]


def test_groups_come_back(info, tmp_path):
    groups = np.arange(info.count) // 2
    save_groups(tmp_path / "groups.npz", groups, info)
    np.testing.assert_array_equal(load_groups(tmp_path / "groups.npz", info), groups)
    assert [path.name for path in tmp_path.glob("*groups*")] == ["groups.npz"]


def test_groups_of_other_images_are_refused(info, tmp_path):
    save_groups(tmp_path / "groups.npz", np.arange(info.count), dataclasses.replace(info, checksum="0" * 64))
    with pytest.raises(DataError, match="000000000000 there.*--write-groups"):
        load_groups(tmp_path / "groups.npz", info)


def test_missing_and_damaged_groups_say_how_to_write_them(info, tmp_path):
    with pytest.raises(DataError, match="There is no file .*keras-dhnn audit"):
        load_groups(tmp_path / "groups.npz", info)
    (tmp_path / "groups.npz").write_text("hello")
    with pytest.raises(DataError, match="is damaged.*keras-dhnn audit"):
        load_groups(tmp_path / "groups.npz", info)


def test_groups_that_cannot_be_written(info, tmp_path):
    with pytest.raises(DataError, match="cannot be written"):
        save_groups(tmp_path / "missing" / "groups.npz", np.arange(info.count), info)


def test_a_grouped_split_keeps_them_on_one_side(info, tmp_path):
    groups = np.random.default_rng(0).integers(0, 9, info.count)
    save_groups(tmp_path / "groups.npz", groups, info)
    data = Data(protocol="grouped", queries=0.3, groups=str(tmp_path / "groups.npz"))
    for seed in range(5):
        split = draw_split(data, seed, info)
        assert len(split.queries)
        assert not np.intersect1d(groups[split.queries // 4], groups[split.database // 4]).size


def test_merged_groups_keep_together_what_either_does():
    merged = merge_groups(np.array([7, 7, 3, 3, 5, 6]), np.array([0, 1, 1, 2, 4, 4]))
    assert len(set(merged[:4])) == 1  # 0 and 1 by one, 1 and 2 by the other, 2 and 3 by one
    assert merged[4] == merged[5] != merged[0]
    assert len(set(merge_groups(np.arange(4), np.arange(4)))) == 4


def test_names_group_and_a_file_adds_to_them(tmp_path):
    info = make_coloured_dataset(tmp_path / "data" / "made", count=90, classes=3)  # class0/000 to class2/089
    linked = np.arange(90)
    linked[10::30] = linked[9::30]  # the last of the first ten of each class and the first of the next ten
    save_groups(tmp_path / "groups.npz", linked, info)
    data = Data(protocol="grouped", queries=0.34, turns=1, group_pattern="^[0-9]{2}")
    apart = {}
    for groups in (None, str(tmp_path / "groups.npz")):
        apart[groups is None] = 0
        for seed in range(8):
            side = np.isin(np.arange(90), draw_split(dataclasses.replace(data, groups=groups), seed, info).queries)
            assert (side.reshape(9, 10) == side[::10, None]).all()
            assert side.any()
            apart[groups is None] += (side[9::30] != side[10::30]).sum()
    assert apart[True] > 0
    assert apart[False] == 0


def test_groups_and_the_paper_protocol_exclude_each_other(info, tmp_path):
    save_groups(tmp_path / "groups.npz", np.arange(info.count), info)
    with pytest.raises(ValueError, match="groups"):
        draw_split(Data(protocol="paper", queries=0.3, groups=str(tmp_path / "groups.npz")), 0, info)
