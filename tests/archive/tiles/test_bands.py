"""Scenes that hold indices of colours are read as colours, by `encode` and by whatever shows them."""

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.archive.tiles import Cut, Form, Header, Scene, is_scene, read_header, scene_tiles
from keras_dhnn.errors import DamagedFile
from keras_dhnn.pipelines.formats.image_file import read_image_file

rasterio = pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
from keras_dhnn.archive.rasters import Box, describe, read_window  # noqa: E402
from tests.rasters import some_colours, write_palette, write_scene  # noqa: E402

RNG = np.random.default_rng(0)
RGB = Form(32, 32, 3, "uint8")


def cut_scene(path, cut=None, form=RGB):
    return [t for t in scene_tiles(Scene.of(path), form, cut or Cut(tile=32), lambda ids: {}) if t is not None]


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (4, np.uint8), (1, np.uint8), (16, np.uint16)])
def test_a_colour_table_is_expanded_wherever_a_scene_is_read(tmp_path, bits, dtype):
    index = RNG.integers(0, 1 << bits, (64, 96)).astype(dtype)
    colours = some_colours(1 << bits)
    path = write_palette(tmp_path / "map.tif", index, colours, **({"nbits": bits} if bits < 8 else {}))
    expected = colours[index]
    assert is_scene(path, Cut(tile=32))
    assert read_header(Scene.of(path), Cut(tile=32)) == Header(6, 3, "uint8")
    tiles = cut_scene(path)
    assert len(tiles) == 6
    for tile in tiles:
        row, col = tile.values["row"], tile.values["col"]
        np.testing.assert_array_equal(tile.image, expected[row : row + 32, col : col + 32])
    np.testing.assert_array_equal(read_window(str(path), most=96)[0], expected)
    np.testing.assert_array_equal(read_window(str(path), Box(32, 0, 32, 32), most=32)[0], expected[32:, :32])
    np.testing.assert_array_equal(read_window(str(path), bands=(3, 1), most=96)[0], expected[..., [2, 0]])
    assert (describe(str(path)).bands, describe(str(path)).dtype) == (3, "uint8")
    # The reader of plain images gives the same, and so does Pillow, as far as it reads such files.
    np.testing.assert_array_equal(read_image_file(path).bands, expected)
    if bits <= 8:
        np.testing.assert_array_equal(np.asarray(Image.open(path).convert("RGB")), expected)


def test_bands_are_chosen_among_the_colours_and_larger_scales_average_these(tmp_path):
    index, colours = RNG.integers(0, 256, (64, 64)).astype(np.uint8), some_colours(256)
    path = write_palette(tmp_path / "map.tif", index, colours)
    (turned, *_) = cut_scene(path, Cut(tile=32, bands=(3, 2, 1)))
    np.testing.assert_array_equal(turned.image, colours[index[:32, :32]][..., ::-1])
    with pytest.raises(DamagedFile, match="has bands 1 to 3. Received: --bands 4"):
        cut_scene(path, Cut(tile=32, bands=(4,)))
    (averaged,) = cut_scene(path, Cut(tile=32, scales=(2,)))
    mean = colours[index].reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(averaged.image, np.rint(mean))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_that_is_made_smaller_averages_colours_and_not_indices(tmp_path, dtype):
    """Of black and light grey, the entries 0 and 2, that is dark grey, and not the red between them in the table."""
    index = np.zeros((64, 64), dtype)
    index[:, 1::2] = 2
    colours = np.array([(0, 0, 0), (255, 0, 0), (100, 100, 100), (50, 50, 50)], np.uint8)
    path = write_palette(tmp_path / "map.tif", index, colours)
    pixels, valid = read_window(str(path), most=16)
    np.testing.assert_array_equal(pixels, np.full((16, 16, 3), 50))
    assert valid.all()


def test_the_index_that_holds_no_data_does_whatever_its_colour(tmp_path):
    index = RNG.integers(0, 255, (32, 96)).astype(np.uint8)
    index[:, :32] = 255
    index[:10, 32:64] = 255
    colours = some_colours(256)
    path = write_palette(tmp_path / "map.tif", index, colours, nodata=255)
    tiles = cut_scene(path)
    assert [tile.values["col"] for tile in tiles] == [32, 64]
    lowest = np.where((index[:, 32:64] == 255)[..., None], 255, colours[index[:, 32:64]]).min(axis=(0, 1))
    assert (tiles[0].image[:10] == lowest).all()
    np.testing.assert_array_equal(tiles[0].image[10:], colours[index[10:, 32:64]])
    np.testing.assert_array_equal(read_window(str(path), most=96)[1], index != 255)
    empty = np.broadcast_to((index == 255)[..., None], (32, 96, 3))
    np.testing.assert_array_equal(read_image_file(path).empty, empty)


def test_what_is_beyond_the_table_or_shows_nothing_holds_no_data(tmp_path):
    index = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 4
    write_scene(tmp_path / "index.tif", index[None])
    entries = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in ((9, 8, 7, 255), (6, 5, 4, 0)))
    source = '<SourceFilename relativeToVRT="1">index.tif</SourceFilename><SourceBand>1</SourceBand>'
    (tmp_path / "map.vrt").write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="UInt16" band="1">'
        f"<ColorInterp>Palette</ColorInterp><ColorTable>{entries}</ColorTable>"
        f"<SimpleSource>{source}</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    assert cut_scene(tmp_path / "map.vrt") == []
    (tile, *_) = cut_scene(tmp_path / "map.vrt", Cut(tile=32, empty=0.8))
    assert np.unique(tile.image.reshape(-1, 3), axis=0).tolist() == [[9, 8, 7]]


def test_a_palette_without_colours_is_read_as_it_is(tmp_path):
    pixels = RNG.integers(0, 256, (1, 32, 32)).astype(np.uint8)
    write_scene(tmp_path / "grey.tif", pixels)
    source = '<SourceFilename relativeToVRT="1">grey.tif</SourceFilename><SourceBand>1</SourceBand>'
    (tmp_path / "grey.vrt").write_text(
        '<VRTDataset rasterXSize="32" rasterYSize="32"><VRTRasterBand dataType="Byte" band="1">'
        f"<ColorInterp>Palette</ColorInterp><SimpleSource>{source}</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tile,) = cut_scene(tmp_path / "grey.vrt", form=Form(32, 32, 1, "uint8"))
    np.testing.assert_array_equal(tile.image[..., 0], pixels[0])


def test_a_scene_of_opacity_alone_is_named(tmp_path):
    path = write_scene(tmp_path / "a.tif", np.full((1, 32, 32), 255, np.uint8))
    with rasterio.open(path, "r+") as raster:
        raster.colorinterp = [rasterio.enums.ColorInterp.alpha]
    with pytest.raises(DamagedFile, match=r"a\.tif: has no band but its opacity"):
        read_header(Scene.of(path), Cut(tile=32))
