"""The pictures of a gallery: of files and scenes that an archive names, grey where they cannot be read."""

import numpy as np
import pytest

from keras_dhnn.workflows.archive_gallery import read_tile
from tests.rasters import scene_pixels, write_scene

GREY = np.full((8, 8, 3), 128)


def test_a_tile_of_a_scene_is_its_pixels(tmp_path):
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    pixels = scene_pixels(64, 64)
    path = write_scene(tmp_path / "town.tif", pixels)
    found = read_tile({"path": str(path), "row": 8, "col": 16, "size": 32})
    np.testing.assert_array_equal(found, pixels[:, 8:40, 16:48].transpose(1, 2, 0))


@pytest.mark.parametrize("place", [{"row": 0, "col": 0, "size": 8}, {"row": None}])
@pytest.mark.parametrize("path", ["gone.tif", "junk.tif", "http://127.0.0.1:9/x.tif", None])
def test_what_cannot_be_read_is_grey(tmp_path, monkeypatch, place, path):
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.tif").write_bytes(b"junk")
    np.testing.assert_array_equal(read_tile({"path": path, **place}), GREY)


def test_a_tile_beyond_its_scene_is_grey(tmp_path):
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    path = write_scene(tmp_path / "town.tif", scene_pixels(64, 64))
    np.testing.assert_array_equal(read_tile({"path": str(path), "row": 64, "col": 0, "size": 8}), GREY)
