"""Scenes that an archive names are a stranger's words: they are read, and nothing that they name in turn."""

import http.server
import threading

import numpy as np
import pytest

from keras_dhnn.errors import DataError, SettingError

rasterio = pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
from keras_dhnn.archive.rasters import Box, describe, read_window  # noqa: E402
from tests.rasters import scene_pixels, write_scene  # noqa: E402

SIDE = 64
SECRET = b"the contents of a private file. " * SIDE * 2


@pytest.fixture
def private(tmp_path):
    """A file that holds no picture."""
    path = tmp_path / "private.txt"
    path.write_bytes(SECRET)
    return path


def vrt(source, **band):
    how = " ".join(f'{name}="{value}"' for name, value in band.items())
    band = f'<VRTRasterBand dataType="Byte" band="1" {how}>{source}</VRTRasterBand>'
    return f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}">{band}</VRTDataset>'


def vrt_of_bytes(path):
    name = f'<SourceFilename relativeToVRT="0">{path}</SourceFilename>'
    place = f"<ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>{SIDE}</LineOffset>"
    return vrt(name + place, subClass="VRTRawRasterBand")


def vrt_of_address(address):
    places = {"UpperLeftX": 0, "UpperLeftY": 1, "LowerRightX": 1, "LowerRightY": 0, "TileLevel": 0}
    corners = "".join(f"<{name}>{value}</{name}>" for name, value in places.items())
    service = (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{address}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>'
        f"<DataWindow>{corners}</DataWindow><BandsCount>1</BandsCount></GDAL_WMS>"
    )
    escaped = service.replace("<", "&lt;").replace(">", "&gt;")
    name = f'<SourceFilename relativeToVRT="0">{escaped}</SourceFilename><SourceBand>1</SourceBand>'
    return vrt(f"<SimpleSource>{name}</SimpleSource>")


@pytest.fixture
def asked():
    """An address, and the paths that were asked of it."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()


def test_a_scene_is_read_and_made_smaller(tmp_path):
    pixels = scene_pixels(2 * SIDE, SIDE)
    path = str(write_scene(tmp_path / "town.tif", pixels))
    scene = describe(path)
    assert (scene.height, scene.width, scene.bands, scene.dtype) == (2 * SIDE, SIDE, 3, "uint8")
    part, valid = read_window(path, Box(SIDE, 0, SIDE, SIDE), most=SIDE)
    np.testing.assert_array_equal(part, pixels[:, SIDE:].transpose(1, 2, 0))
    assert valid.all()
    smaller, _ = read_window(path, most=SIDE, bands=(2,))
    np.testing.assert_allclose(smaller[..., 0], pixels[1].reshape(SIDE, 2, SIDE // 2, 2).mean(axis=(1, 3)), atol=0.51)


def test_opacity_is_no_band_unless_there_is_no_other(tmp_path):
    pixels = scene_pixels(SIDE, SIDE, 4)
    for name, count, shown in (("four.tif", 4, [0, 1, 2]), ("one.tif", 1, [0])):
        path = write_scene(tmp_path / name, pixels[:count])
        with rasterio.open(path, "r+") as raster:
            raster.colorinterp = [*raster.colorinterp[:-1], rasterio.enums.ColorInterp.alpha]
        np.testing.assert_array_equal(read_window(str(path), most=SIDE)[0], pixels[shown].transpose(1, 2, 0))


def test_a_file_that_claims_to_be_huge_is_not_made_smaller(tmp_path):
    """A few kilobytes may say that they are 80,000 x 80,000 pixels; overviews are read instead, if it has some."""
    how = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "sparse_ok": True}
    path = str(tmp_path / "huge.tif")
    with rasterio.open(path, "w", height=80_000, width=80_000, **how):
        pass
    with pytest.raises(SettingError, match="too large to be made smaller at once. Give it overviews: gdaladdo"):
        read_window(path, most=SIDE)
    assert read_window(path, Box(0, 0, 1024, 1024), most=SIDE)[0].shape == (SIDE, SIDE, 1)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([8, 64])
    assert read_window(path, most=SIDE)[0].shape == (SIDE, SIDE, 1)


@pytest.mark.parametrize("name", ["scene.vrt", "SCENE.VRT", "scene.tif"])
@pytest.mark.parametrize("kind", ["bytes", "address"])
def test_a_vrt_reads_no_file_and_no_address(tmp_path, private, asked, name, kind):
    address, paths = asked
    (tmp_path / name).write_text(vrt_of_bytes(private) if kind == "bytes" else vrt_of_address(address))
    expected = "is a VRT.*gdal_translate" if name.lower().endswith("vrt") else "cannot be read"
    for ask in (lambda path: read_window(path, most=SIDE), describe):
        with pytest.raises(DataError, match=expected):
            ask(str(tmp_path / name))
    assert paths == []


@pytest.mark.parametrize("where", ["file", "address", "inline"])
def test_overviews_elsewhere_are_not_read(tmp_path, private, asked, where):
    """GDAL opens what the metadata call a raster's overviews by any of its drivers."""
    address, paths = asked
    (tmp_path / "other.vrt").write_text(vrt_of_bytes(private))
    named = {"file": tmp_path / "other.vrt", "address": f"/vsicurl/{address}/x", "inline": vrt_of_bytes(private)}[where]
    path = write_scene(tmp_path / "scene.tif", scene_pixels(4 * SIDE, 4 * SIDE, 1))
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(named))
    with pytest.raises(DataError, match="names another file for its overviews"):
        read_window(str(path), most=SIDE)
    assert paths == []


def test_side_files_are_not_read(tmp_path, private):
    path = write_scene(tmp_path / "scene.tif", np.full((1, 4 * SIDE, 4 * SIDE), 7, np.uint8))
    other = tmp_path / "other.vrt"
    for file in (other, tmp_path / "scene.tif.ovr", tmp_path / "scene.tif.msk"):
        file.write_text(vrt_of_bytes(private))
    named = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{other}</MDI></Metadata>'
    (tmp_path / "scene.tif.aux.xml").write_text(f"<PAMDataset>{named}</PAMDataset>")
    pixels, valid = read_window(str(path), most=SIDE)
    assert np.unique(pixels).tolist() == [7]
    assert valid.all()


def test_a_file_whose_name_looks_like_an_address_is_a_file(tmp_path, monkeypatch, asked):
    address, paths = asked
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / address
    folder.mkdir(parents=True)
    write_scene(folder.absolute() / "town.tif", scene_pixels(SIDE, SIDE))
    assert describe(f"{address}/town.tif").width == SIDE
    assert paths == []


@pytest.mark.parametrize("path", ["/vsicurl/http://127.0.0.1:9/x.tif", "/dev/zero", "", None, "x" * 5000, "a\0b"])
def test_what_is_no_file_is_not_there(path):
    with pytest.raises(DataError, match="not there any more"):
        read_window(path, most=SIDE)


def test_a_part_beyond_the_scene_is_refused(tmp_path):
    path = str(write_scene(tmp_path / "town.tif", scene_pixels(SIDE, SIDE)))
    with pytest.raises(SettingError, match="Expected a box within the scene's 64 x 64 pixels"):
        read_window(path, Box(SIDE, 0, 8, 8), most=SIDE)
    with pytest.raises(SettingError, match="The scene has 3 bands. Received: 4"):
        read_window(path, bands=(4,), most=SIDE)


def test_corners_go_round_a_scene_wherever_its_place_is_from(tmp_path):
    height, width, fine = 96, 128, 1e-4
    west, north = 10.0, 50.0
    east, south = west + width * fine, north - height * fine
    expected = [[west, north], [east, north], [east, south], [west, south]]
    pixels, points = scene_pixels(height, width), rasterio.control.GroundControlPoint
    placed = rasterio.Affine(fine, 0, west, 0, -fine, north)
    controlled = [points(0, 0, west, north), points(0, width, east, north), points(height, 0, west, south)]
    controlled.append(points(height, width, east, south))
    for name, how in (("placed", {"transform": placed}), ("controlled", {"gcps": controlled})):
        found = describe(str(write_scene(tmp_path / f"{name}.tif", pixels, "EPSG:4326", **how))).corners
        np.testing.assert_allclose(found, expected, atol=fine / 100)
    assert describe(str(write_scene(tmp_path / "none.tif", pixels, None))).corners is None
    flat = rasterio.Affine(0, 0, west, 0, 0, north)
    assert describe(str(write_scene(tmp_path / "flat.tif", pixels, "EPSG:4326", transform=flat))).corners is None
