import dataclasses

import numpy as np
import pytest

from keras_dhnn.config import Data
from keras_dhnn.fit import draw_split
from keras_dhnn.leakage.groups import load_groups, save_groups
from keras_dhnn.pipelines.errors import DataError
from tests.fakes import make_dataset


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
    with pytest.raises(DataError, match="no groups at.*keras-dhnn audit"):
        load_groups(tmp_path / "groups.npz", info)
    (tmp_path / "groups.npz").write_text("hello")
    with pytest.raises(DataError, match="no file of groups.*keras-dhnn audit"):
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


def test_groups_and_the_paper_protocol_exclude_each_other(info, tmp_path):
    save_groups(tmp_path / "groups.npz", np.arange(info.count), info)
    with pytest.raises(ValueError, match="groups"):
        draw_split(Data(protocol="paper", queries=0.3, groups=str(tmp_path / "groups.npz")), 0, info)
