import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.pipelines.datasets import sat4, sat6
from tests.fakes import sat4_arrays, write_sat4_csv, write_sat4_mat5, write_sat4_mat73


def write(folder, kind):
    arrays = sat4_arrays(train=23, test=6, classes=6)
    folder.mkdir()
    if kind == "csv":
        write_sat4_csv(folder, arrays, "sat6")
    else:
        {"mat5": write_sat4_mat5, "mat73": write_sat4_mat73}[kind](folder / "sat-6-full.mat", arrays)
    return arrays


@pytest.mark.parametrize("kind", ["mat5", "mat73", "csv"])
def test_patches_and_classes_are_those_of_the_archive(tmp_path, kind):
    arrays = write(tmp_path / "raw", kind)
    archive = sat6.open_archive(tmp_path / "raw")
    blocks = list(archive.blocks())
    assert archive.classes == ("building", "barren land", "trees", "grassland", "road", "water")
    assert archive.count == 29
    images = np.concatenate([block.images["image"] for block in blocks])
    labels = np.concatenate([block.labels for block in blocks])
    for name, found in (("x", images), ("y", np.eye(6)[labels])):
        expected = np.concatenate([np.moveaxis(arrays[f"{part}_{name}"], -1, 0) for part in ("train", "test")])
        np.testing.assert_array_equal(found, expected)


def test_the_archive_of_sat4_is_not_taken_for_it(tmp_path):
    write(tmp_path / "raw", "mat5")
    with pytest.raises(DataError, match=r"Expected train_y .* size 4 x 23.*Found: 6 x 23|Expected train_y"):
        sat4.open_archive(tmp_path / "raw" / "sat-6-full.mat")
    with pytest.raises(DataError, match=r"Expected the file sat-4-full.mat"):
        sat4.open_archive(tmp_path / "raw")


def test_the_preset_is_that_of_sat4():
    preset, of_sat4 = (load_preset(name).settings for name in ("sat6", "sat4"))
    assert preset | {"data.name": "sat4"} == of_sat4
