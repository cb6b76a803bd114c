"""Pictures that are looked for: files and boxes on scenes; and pictures that are shown."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.archive import Archive
from keras_dhnn.archive.encoding import encode_tiles
from keras_dhnn.archive.tiles import Cut, Form, Scene, file_tiles, scene_tiles
from keras_dhnn.browse import uploads
from keras_dhnn.errors import DataError
from tests.browse.asked import SIDE, Projection, opened, page_of, picture, picture_archive, png


def webp(content):
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGB"))


def test_a_file_of_the_archive_finds_itself_and_its_kind(browser, archive):
    found = browser.json("POST", "/api/upload", png(picture(7)), 201, name="mine.png")
    assert (found["name"], found["width"], found["height"], found["bands"]) == ("mine.png", SIDE, SIDE, 3)
    items = browser.get("/api/search", upload=found["upload"], limit=10)["items"]
    assert items[0]["distance"] == 0
    assert items[0]["id"].endswith("b/007.png")
    assert [item["label"] for item in items] == ["b"] * 10
    assert webp(browser.ask("GET", found["thumb"])[2]).shape == (SIDE, SIDE, 3)
    assert items[0]["code"] == found["code"]


def test_an_upload_searches_as_its_outputs_order(browser, archive):
    """Equal distances by the outputs, as the shell's search has it."""
    found = browser.json("POST", "/api/upload", png(picture(100)), 201, name="new.png")
    expected = archive.search(Projection().encode(picture(100)[None]), 60, columns=()).table["id"].to_pylist()
    assert [item["id"] for item in browser.get("/api/search", upload=found["upload"], limit=60)["items"]] == expected


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"", "not_an_image", 415, "empty"),
        (b"hello", "not_an_image", 415, "no image"),
        (png(picture(0))[:100], "not_an_image", 415, "cannot be decoded"),
        (png(picture(0)[..., :1]), "wrong_image", 422, "1 band, not 3"),
        (png(picture(0)[..., :1]), "wrong_image", 422, " Convert it, for example: gdal_translate -b 1 -b 1 -b 1 IN"),
    ],
)
def test_other_files_are_refused_in_words(browser, content, kind, status, words):
    message = browser.refused(kind, status, "POST", "/api/upload", content, name="mine.png")
    assert words in message
    assert "--skip-damaged" not in message


def test_an_upload_stays_known_to_the_next_server(archive, tmp_path):
    with opened(page_of(archive, tmp_path)) as browser:
        found = browser.json("POST", "/api/upload", png(picture(7)), 201, name="mine.png")
        first = browser.get("/api/search", upload=found["upload"])
    with opened(page_of(archive, tmp_path)) as browser:
        assert browser.get("/api/search", upload=found["upload"]) == first
        assert webp(browser.ask("GET", found["thumb"])[2]).shape == (SIDE, SIDE, 3)


def test_uploads_that_searches_began_from_stay_known(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_KEPT", 2)
    with opened(page_of(archive, tmp_path)) as browser:
        keys = []
        for number in range(5):
            found = browser.json("POST", "/api/upload", png(picture(number)), 201, name="mine.png")
            keys.append(found["upload"])
            if number == 1:
                query = f"label=a&upload={found['upload']}"
                browser.json("POST", "/api/searches", {"name": "mine", "query": query}, 201)
    with opened(page_of(archive, tmp_path)) as browser:
        known = [browser.ask("GET", "/api/search", upload=key, limit=1)[0] for key in keys]
    assert known == [404, 200, 404, 200, 200]


def test_an_archive_without_its_encoder_says_so(archive, tmp_path):
    page = page_of(archive, tmp_path)

    def gone(source):
        raise DataError("The model has moved.")

    page.encoders._opener = gone
    with opened(page) as browser:
        assert browser.refused("no_encoder", 422, "POST", "/api/upload", png(picture(0))) == "The model has moved."
        assert browser.get("/api/about")["upload"] == {"state": "no", "message": "The model has moved."}
        assert browser.get("/api/search", like=archive.codes().ids[0])["items"]


@pytest.mark.parametrize("side", [64, 512])
def test_pictures_are_those_of_the_files(browser, archive, side):
    item = browser.get("/api/tiles", order="id", limit=1)["items"][0]
    status, headers, content = browser.ask("GET", f"{item['thumb']}&side={side}")
    assert (status, headers["content-type"]) == (200, "image/webp")
    assert "immutable" in headers["cache-control"]
    shown = webp(content)
    assert shown.shape == (SIDE, SIDE, 3)
    assert np.abs(shown.astype(int) - picture(0)).mean() < 25  # WebP loses some of the noise


def test_a_picture_that_is_gone_is_not_found(tmp_path):
    archive = picture_archive(tmp_path, count=3)
    page = page_of(archive, tmp_path / "state")
    (tmp_path / "images" / "a" / "000.png").unlink()
    with opened(page) as browser:
        item = browser.get("/api/tiles", label="a")["items"][0]
        assert "000.png" in browser.refused("not_found", 404, "GET", item["thumb"])


def test_dark_images_of_16_bits_are_stretched_alike(tmp_path):
    """One of twice the values is shown brighter: the range is the archive's, not each picture's own."""
    import tifffile

    encoder, paths = Projection(4, "uint16"), []
    for number in range(8):
        pixels = np.random.default_rng(number).integers(100, 400, (SIDE, SIDE, 4)).astype(np.uint16)
        paths.append(str(tmp_path / f"{number}.tif"))
        tifffile.imwrite(paths[-1], pixels * (2 if number == 5 else 1), planarconfig="contig", photometric="minisblack")
    archive = Archive.create(tmp_path / "archive", encoder.identity)
    encode_tiles(archive, file_tiles(paths, Form(SIDE, SIDE, 4, "uint16"), lambda ids: {}), encoder)
    with opened(page_of(archive, tmp_path / "state", encoder)) as browser:
        means = [
            webp(browser.ask("GET", item["thumb"])[2]).mean() for item in browser.get("/api/tiles", order="id")["items"]
        ]
    assert 20 < np.median(means) < 150
    assert means[5] > 1.4 * np.median(means)


def test_where_files_have_become_of_other_bands_the_range_is_of_those_like_the_first(tmp_path):
    import tifffile

    def write(path, bands, bright):
        pixels = np.full((SIDE, SIDE, bands), 1000, np.uint16)
        pixels[: SIDE // 2] = bright
        tifffile.imwrite(path, pixels, planarconfig="contig", photometric="minisblack")

    encoder, paths = Projection(4, "uint16"), [str(tmp_path / f"{number}.tif") for number in range(6)]
    for path in paths:
        write(path, 4, 3000)
    archive = Archive.create(tmp_path / "archive", encoder.identity)
    encode_tiles(archive, file_tiles(paths, Form(SIDE, SIDE, 4, "uint16"), lambda ids: {}), encoder)
    for path in paths[1::2]:
        write(path, 3, 2000)
    pictures = page_of(archive, tmp_path / "state", encoder).pictures
    # 1000 is black and 3000 white, as in the first, of whatever bands a file is.
    for path, bright in ((paths[0], 255), (paths[1], 127)):
        shown = webp(pictures.thumb("image", path, 64)).astype(int)
        np.testing.assert_allclose(shown[[2, -3], 8, 0], [bright, 0], atol=6)


def test_a_fault_of_ours_is_not_taken_for_a_picture_that_is_gone(tmp_path, monkeypatch):
    archive = picture_archive(tmp_path, count=3)
    pictures = page_of(archive, tmp_path / "state").pictures

    def fail(path):
        raise TypeError("a fault of ours")

    monkeypatch.setattr("keras_dhnn.browse.pictures.read_image_file", fail)
    with pytest.raises(TypeError, match="a fault of ours"):
        pictures._range_of_files("image")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A browser of an archive of the 6 x 5 tiles of a scene, and the scene's pixels."""
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    from tests.rasters import scene_pixels, write_scene

    folder, encoder = tmp_path_factory.mktemp("scenes"), Projection()
    pixels = scene_pixels(6 * SIDE, 5 * SIDE)
    path = write_scene(folder / "town.tif", pixels)
    archive = Archive.create(folder / "archive", encoder.identity)
    tiles = scene_tiles(Scene(str(path), "town"), encoder.form, Cut(tile=SIDE), lambda ids: {})
    encode_tiles(archive, tiles, encoder)
    with opened(page_of(archive, folder / "state")) as browser:
        yield browser, pixels.transpose(1, 2, 0)


def test_a_box_on_a_scene_finds_its_tile(scenes):
    browser, _ = scenes
    box = {"scene": "town", "row": 2 * SIDE, "col": 3 * SIDE, "height": SIDE, "width": SIDE}
    found = browser.json("POST", "/api/box", box, 201)
    item = browser.get("/api/search", upload=found["upload"], limit=1)["items"][0]
    assert (item["distance"], item["row"], item["col"]) == (0, 2 * SIDE, 3 * SIDE)
    assert "town" in found["name"]


def test_scenes_are_described_and_shown(scenes):
    browser, pixels = scenes
    (scene,) = browser.get("/api/scenes")["scenes"]
    assert (scene["scene"], scene["tiles"], scene["height"], scene["width"]) == ("town", 30, 6 * SIDE, 5 * SIDE)
    west, south, east, north = scene["bbox"]
    np.testing.assert_allclose(scene["corners"][0], [west, north], atol=2e-5)
    np.testing.assert_allclose(scene["corners"][2], [east, south], atol=2e-5)
    shown = webp(browser.ask("GET", scene["overview"])[2])
    assert shown.shape == pixels.shape
    assert np.abs(shown.astype(int) - pixels).mean() < 25


def test_tiles_of_scenes_are_shown(scenes):
    browser, pixels = scenes
    item = browser.get("/api/tiles", limit=1)["items"][0]
    shown = webp(browser.ask("GET", item["thumb"])[2])
    part = pixels[item["row"] : item["row"] + SIDE, item["col"] : item["col"] + SIDE]
    assert np.abs(shown.astype(int) - part).mean() < 25


@pytest.mark.parametrize(
    "change", [{"row": -1}, {"col": 5 * SIDE}, {"height": 0}, {"width": None}, {"row": 1 << 70}, {"scene": "other"}]
)
def test_boxes_beyond_a_scene_are_refused(scenes, change):
    browser, _ = scenes
    box = {"scene": "town", "row": 0, "col": 0, "height": SIDE, "width": SIDE} | change
    assert browser.ask("POST", "/api/box", box)[0] in (400, 404)


def test_an_archive_cannot_make_the_page_fetch(tmp_path):
    """Its paths are a stranger's words."""
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    from keras_dhnn.browse import rasters
    from keras_dhnn.browse.refusal import Refusal

    for path in ("/vsicurl/http://127.0.0.1:9/x.tif", "http://127.0.0.1:9/x.tif", "/dev/zero", str(tmp_path)):
        with pytest.raises(Refusal, match="not there any more"):
            rasters.describe(path)
