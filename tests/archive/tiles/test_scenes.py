import subprocess
import sys

import numpy as np
import pytest

from keras_dhnn.archive.tiles import Cut, Form, Header, Scene, is_scene, read_header, scene_tiles, scenes
from keras_dhnn.archive.tiles.scenes import offsets
from keras_dhnn.archive.tiles.tile import Skipped, content_of
from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.workflows.archive_gallery import read_tile
from tests.rasters import scene_pixels, write_scene

rasterio = pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.transform import Affine  # noqa: E402
from rasterio.warp import transform  # noqa: E402

RGB = Form(64, 64, 3, "uint8")


def ground(affine, row, col):
    return affine.a * col + affine.b * row + affine.c, affine.d * col + affine.e * row + affine.f


def nothing(ids):
    return {}


def cut_scene(path, form=RGB, cut=None, known=nothing, **how):
    cut = cut or Cut(tile=64)
    return [tile for tile in scene_tiles(Scene.of(path), form, cut, known, **how) if tile is not None]


def test_offsets_cover_all_and_end_at_the_edge():
    assert offsets(256, 64, 64) == [0, 64, 128, 192]
    assert offsets(200, 64, 64) == [0, 64, 128, 136]
    assert offsets(200, 64, 32) == [0, 32, 64, 96, 128, 136]
    assert offsets(63, 64, 64) == []


def test_tiles_are_the_scenes_pixels(tmp_path):
    pixels = scene_pixels(200, 150)
    path = write_scene(tmp_path / "a.tif", pixels)
    tiles = cut_scene(path)
    assert len(tiles) == read_header(Scene.of(path), Cut(tile=64)).tiles == 4 * 3
    for tile in tiles:
        row, col = tile.values["row"], tile.values["col"]
        np.testing.assert_array_equal(tile.image, np.moveaxis(pixels[:, row : row + 64, col : col + 64], 0, -1))
    assert [(t.values["row"], t.values["col"]) for t in tiles[:4]] == [(0, 0), (0, 64), (0, 86), (64, 0)]
    assert len({tile.id for tile in tiles}) == 12
    assert is_scene(path, Cut(tile=64))


def test_a_larger_scale_averages_the_full_resolution(tmp_path):
    pixels = scene_pixels(256, 256)
    path = write_scene(tmp_path / "a.tif", pixels)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    tiles = cut_scene(path, cut=Cut(tile=64, scales=(1, 2)))
    large = [tile for tile in tiles if tile.values["size"] == 128]
    assert len(large) == 4
    assert len(tiles) == 16 + 4
    mean = pixels[:, :128, 128:].reshape(3, 64, 2, 64, 2).mean(axis=(2, 4))
    np.testing.assert_array_equal(large[1].image, np.rint(np.moveaxis(mean, 0, -1)))


# Pixels of 2 m, turned by 30 degrees.
ROTATED = Affine(3**0.5, 1, 500_000, 1, -(3**0.5), 4_649_776)


@pytest.mark.parametrize(
    ("crs", "affine"),
    [
        ("EPSG:32633", Affine(0.5, 0, 400_000, 0, -0.5, 5_500_000)),
        ("EPSG:4326", Affine(1e-5, 0, -117.1, 0, -1e-5, 32.8)),
        ("EPSG:32610", ROTATED),
        ("EPSG:3857", Affine(10, 0, 1_000_000, 0, -10, -500_000)),
    ],
)
def test_footprints_lie_where_the_geotransform_says(tmp_path, crs, affine):
    path = write_scene(tmp_path / "a.tif", scene_pixels(128, 192), crs, affine)
    for tile in cut_scene(path):
        row, col = tile.values["row"], tile.values["col"]
        x, y = zip(*[ground(affine, row + r, col + c) for r, c in ((0, 0), (64, 0), (64, 64), (0, 64))], strict=True)
        expected = np.stack(transform(crs, "OGC:CRS84", x, y), axis=-1)
        pixel = np.linalg.norm(expected[1] - expected[0]) / 64
        # Half a step of a sixty-fourth of a pixel.
        assert np.abs(tile.corners - expected).max() <= pixel / 128
        assert tile.values["crs"] == crs


def test_ground_control_points_place_a_scene(tmp_path):
    affine = Affine(1e-4, 2e-5, 10, 1e-5, -1e-4, 50)
    points = [
        GroundControlPoint(row, col, *ground(affine, row, col)) for row, col in ((0, 0), (0, 192), (128, 0), (128, 192))
    ]
    path = write_scene(tmp_path / "a.tif", scene_pixels(128, 192), "EPSG:4326", gcps=points)
    (tile,) = [tile for tile in cut_scene(path) if (tile.values["row"], tile.values["col"]) == (64, 128)]
    expected = [ground(affine, row, col) for row, col in ((64, 128), (128, 128), (128, 192), (64, 192))]
    np.testing.assert_allclose(tile.corners, expected, atol=2e-6)


def test_bands_are_chosen_in_order_and_keep_their_type(tmp_path):
    pixels = scene_pixels(64, 64, 5, np.uint16)
    path = write_scene(tmp_path / "a.tif", pixels)
    assert read_header(Scene.of(path), Cut(bands=(4, 3, 2))) == Header(1, 3, "uint16")
    (tile,) = cut_scene(path, Form(64, 64, 3, "uint16"), Cut(tile=64, bands=(4, 3, 2)))
    np.testing.assert_array_equal(tile.image, np.moveaxis(pixels[[3, 2, 1]], 0, -1))
    with pytest.raises(DataError, match="has bands 1 to 5"):
        cut_scene(path, cut=Cut(tile=64, bands=(6,)))
    with pytest.raises(DamagedFile, match="expected 3 of uint8"):
        cut_scene(path)


def test_empty_tiles_are_left_out_and_empty_pixels_filled(tmp_path):
    pixels = scene_pixels(64, 192) + 1
    pixels[:, :, :64] = 0
    pixels[:, :16, 64:128] = 0
    path = write_scene(tmp_path / "a.tif", pixels, nodata=0)
    tiles = cut_scene(path)
    assert [tile.values["col"] for tile in tiles] == [64, 128]
    assert tiles[0].image.min() > 0


def test_known_tiles_are_not_read_again(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_pixels(128, 128))
    tiles = cut_scene(path)
    known = {tile.id: tile.content for tile in tiles[:3]}
    again = list(scene_tiles(Scene.of(path), RGB, Cut(tile=64), lambda ids: {i: known[i] for i in ids if i in known}))
    assert [tile.id for tile in again if tile is not None] == [tiles[3].id]
    assert len(again) == 4
    write_scene(path, scene_pixels(128, 128, seed=1))
    assert len(cut_scene(path, known=lambda ids: {i: known[i] for i in ids if i in known})) == 4


def write_vrt(path, *sources):
    """A mosaic of three bands: sources of 64 x 64 pixels side by side."""
    place = '<SrcRect xOff="0" yOff="0" xSize="64" ySize="64"/><DstRect xOff="{}" yOff="0" xSize="64" ySize="64"/>'
    bands = [
        f'<VRTRasterBand dataType="Byte" band="{band}">'
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{source}</SourceFilename><SourceBand>{band}</SourceBand>'
            f"{place.format(64 * number)}</SimpleSource>"
            for number, source in enumerate(sources)
        )
        + "</VRTRasterBand>"
        for band in (1, 2, 3)
    ]
    text = f'<VRTDataset rasterXSize="{64 * len(sources)}" rasterYSize="64">{"".join(bands)}</VRTDataset>'
    path.write_text(text)
    return path


def test_a_mosaic_is_another_when_what_it_names_is(tmp_path):
    for number, name in enumerate("ab"):
        write_scene(tmp_path / f"{name}.tif", scene_pixels(64, 64, seed=number))
    flat = write_vrt(tmp_path / "flat.vrt", "a.tif", "b.tif")
    write_vrt(tmp_path / "inner.vrt", "b.tif")
    nested = write_vrt(tmp_path / "nested.vrt", "a.tif", "inner.vrt")
    for path in (flat, nested):
        write_scene(tmp_path / "b.tif", scene_pixels(64, 64, seed=1))
        known = {tile.id: tile.content for tile in cut_scene(path)}
        assert len(known) == 2
        assert cut_scene(path, known=lambda ids, known=known: known) == []
        changed = scene_pixels(64, 64, seed=2)
        write_scene(tmp_path / "b.tif", changed)
        tiles = cut_scene(path, known=lambda ids, known=known: known)
        assert [tile.id for tile in tiles] == list(known)
        np.testing.assert_array_equal(tiles[1].image, np.moveaxis(changed, 0, -1))


def test_a_mosaic_of_itself_or_of_what_is_gone_is_named(tmp_path, monkeypatch):
    for source in ("self.vrt", "gone.tif"):
        with pytest.raises(DamagedFile, match=r"self\.vrt: cannot be read at row 0"):
            cut_scene(write_vrt(tmp_path / "self.vrt", source))
    for name in "abc":
        write_scene(tmp_path / f"{name}.tif", scene_pixels(64, 64))
    monkeypatch.setattr(scenes, "_MOST_FILES", 3)
    with pytest.raises(DamagedFile, match=r"consists of more than 3 files"):
        cut_scene(write_vrt(tmp_path / "self.vrt", "a.tif", "b.tif", "c.tif"))


def test_the_content_of_a_file_alone_is_that_of_its_bytes(tmp_path, monkeypatch):
    path = write_scene(tmp_path / "a.tif", scene_pixels(64, 64))
    expected = content_of(path.read_bytes(), b"[1, 2, 3] 64")
    monkeypatch.chdir(tmp_path)
    assert [tile.content for name in (path, "a.tif") for tile in cut_scene(name)] == [expected] * 2


def test_a_chip_smaller_than_a_tile_is_one_tile(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_pixels(48, 50))
    (tile,) = cut_scene(path)
    assert tile.image.shape == (64, 64, 3)
    assert tile.values["size"] == 50
    low, high = tile.corners.min(axis=0), tile.corners.max(axis=0)
    assert (high - low)[0] > 0


def test_a_chip_that_is_higher_than_wide_is_shown_whole(tmp_path):
    """Its size is that of its longer side: what lies beyond the other is cut off where it is read."""
    pixels = scene_pixels(62, 40)
    path = write_scene(tmp_path / "a.tif", pixels)
    (tile,) = cut_scene(path)
    assert (tile.id.split("#")[1], tile.values["size"]) == ("40/000000/000000", 62)
    shown = read_tile({"path": str(path), "row": 0, "col": 0, "size": tile.values["size"]})
    np.testing.assert_array_equal(shown, np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize("upright", [False, True])
def test_a_strip_is_cut_into_squares_as_wide_as_it_is(tmp_path, upright):
    pixels = scene_pixels(40, 150)
    pixels = pixels.transpose(0, 2, 1) if upright else pixels
    path = write_scene(tmp_path / "a.tif", pixels)
    tiles = cut_scene(path, Form(40, 40, 3, "uint8"))
    assert len(tiles) == read_header(Scene.of(path), Cut(tile=64)).tiles == 4
    affine = Affine(0.5, 0, 400_000, 0, -0.5, 5_500_000)
    for tile, along in zip(tiles, (0, 40, 80, 110), strict=True):
        row, col = (along, 0) if upright else (0, along)
        assert tile.id == f"{path.as_posix()}#40/{row:06d}/{col:06d}"
        assert (tile.values["row"], tile.values["col"], tile.values["size"]) == (row, col, 40)
        np.testing.assert_array_equal(tile.image, np.moveaxis(pixels[:, row : row + 40, col : col + 40], 0, -1))
        x, y = zip(*[ground(affine, row + r, col + c) for r, c in ((0, 0), (40, 0), (40, 40), (0, 40))], strict=True)
        np.testing.assert_allclose(tile.corners, np.stack(transform("EPSG:32633", "OGC:CRS84", x, y), -1), atol=6e-8)


@pytest.mark.parametrize(
    ("shape", "cut", "tiles"),
    [
        ((63, 126), Cut(tile=64), 2),
        ((63, 125), Cut(tile=64), 1),
        ((16, 64), Cut(tile=64), 4),
        ((15, 64), Cut(tile=64), 1),
        ((64, 640), Cut(tile=64), 10),
        # They overlap by the same share as other tiles; larger ones find no room in a strip.
        ((32, 128), Cut(tile=64, stride=32), 7),
        ((32, 128), Cut(tile=64, scales=(1, 2)), 4),
        ((32, 128), Cut(tile=64, stride=1), 97),
    ],
)
def test_what_is_a_strip(tmp_path, shape, cut, tiles):
    path = write_scene(tmp_path / "a.tif", scene_pixels(*shape))
    assert read_header(Scene.of(path), cut).tiles == len(cut_scene(path, cut=cut)) == tiles


@pytest.mark.parametrize(
    ("pixels", "cut", "reason"),
    [
        (np.full((3, 128, 128), np.nan, np.float32), Cut(tile=64), "holds no measurement: all of its pixels are empty"),
        (np.zeros((3, 40, 40), np.float32), Cut(tile=64), "holds no measurement: all of its pixels are empty"),
        (
            np.eye(64, dtype=np.float32)[None].repeat(3, 0),
            Cut(tile=64),
            "gives no tile: more than 50% of each holds no data",
        ),
        (
            np.ones((3, 100, 100), np.float32),
            Cut(tile=64, scales=(2, 4)),
            "gives no tile: it is smaller than one at --scales 2,4",
        ),
    ],
)
def test_a_scene_that_gives_no_tile_is_named_and_was_read_whole(tmp_path, pixels, cut, reason):
    path, skipped, ended = write_scene(tmp_path / "a.tif", pixels, nodata=0), [], []
    how = {"skipped": skipped, "ended": lambda: ended.append(1)}
    assert cut_scene(path, Form(64, 64, 3, "float32"), cut, **how) == []
    assert skipped == [Skipped(path.as_posix(), reason)]
    assert ended == [1]


def test_a_scene_whose_tiles_are_known_gives_some(tmp_path):
    pixels = scene_pixels(64, 128) + 1
    pixels[:, :, 64:] = 0
    path, skipped = write_scene(tmp_path / "a.tif", pixels, nodata=0), []
    (tile,) = cut_scene(path, skipped=skipped)
    assert cut_scene(path, known=lambda ids: {tile.id: tile.content}, skipped=skipped) == []
    assert skipped == []


def test_a_damaged_scene_is_named(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_pixels(512, 512))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedFile, match=r"a\.tif"):
        cut_scene(path)
    skipped = []
    cut_scene(path, skip_damaged=True, skipped=skipped)
    assert skipped[0].name.endswith("a.tif")
    (tmp_path / "b.tif").write_bytes(b"II*\0nothing")
    with pytest.raises(DamagedFile, match="no raster"):
        cut_scene(tmp_path / "b.tif")


def test_a_file_is_what_its_name_says(tmp_path):
    """GDAL tells formats by content: a VRT by the name of a GeoTIFF would be read, and whatever it names."""
    write_scene(tmp_path / "source.tif", scene_pixels(512, 512))
    named = '<SourceFilename relativeToVRT="1">source.tif</SourceFilename><SourceBand>1</SourceBand>'
    band = f'<VRTRasterBand dataType="Byte" band="1"><SimpleSource>{named}</SimpleSource></VRTRasterBand>'
    for name, readable in (("a.vrt", True), ("a.tif", False), ("a.jp2", False)):
        path = tmp_path / name
        path.write_text(f'<VRTDataset rasterXSize="512" rasterYSize="512">{band}</VRTDataset>')
        assert is_scene(path, Cut(tile=64)) == readable
        if readable:
            assert len(cut_scene(path, Form(64, 64, 1, "uint8"))) == 64
        else:
            with pytest.raises(DamagedFile, match="no raster"):
                cut_scene(path, Form(64, 64, 1, "uint8"))


MEMORY = """
import resource, sys
from keras_dhnn.archive.tiles import Cut, Form, Scene, scene_tiles
form, cut = Form(256, 256, 3, "uint8"), Cut(tile=256)
tiles = lambda path: sum(1 for _ in scene_tiles(Scene.of(path), form, cut, lambda ids: {}))
tiles(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(tiles(sys.argv[2]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_scene(tmp_path):
    for name, times in (("small", 1), ("large", 32)):
        write_scene(tmp_path / f"{name}.tif", np.tile(scene_pixels(256, 256), (1, times, times)), compress="none")
    paths = [str(tmp_path / f"{name}.tif") for name in ("small", "large")]
    done = subprocess.run([sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True, check=True)
    count, more = map(int, done.stdout.split())
    assert count == 32**2
    assert more < 100_000  # KiB; the scene has 196,608
