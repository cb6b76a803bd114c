import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.archive.tiles import Cut, Form, Header, Scene, Skipped, read_headers
from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.workflows.image_form import common_form, misfits, refuse
from tests.rasters import scene_pixels, write_scene


@pytest.fixture
def files(tmp_path):
    """A damaged file, a grey one, three of colour and one of 16 bits, in this order."""
    (tmp_path / "0.png").write_bytes(b"no image")
    Image.new("L", (8, 8)).save(tmp_path / "1.png")
    for number in range(2, 5):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    tifffile.imwrite(tmp_path / "5.tif", np.ones((8, 8, 3), np.uint16), photometric="rgb")
    return [str(path) for path in sorted(tmp_path.iterdir())]


def test_most_of_the_images_decide_and_not_the_first(files):
    assert common_form({}, files, skip_damaged=True) == (3, "uint8")
    assert common_form({}, files[:1] + files[5:], skip_damaged=True) == (3, "uint16")
    assert common_form({}, files[2:5]) == (3, "uint8")


def test_several_kinds_are_counted_and_named(files):
    with pytest.raises(DataError) as caught:
        common_form({}, files)
    lines = str(caught.value).splitlines()
    assert [line.rsplit("/", 1)[0].rsplit(", such", 1)[0] for line in lines[1:4]] == [
        "  3 of 3 bands, uint8",
        "  1 of 1 band, uint8",
        "  1 of 3 bands, uint16",
    ]
    assert lines[2].endswith("1.png")
    assert lines[-1].endswith("with --skip-damaged.")


def test_where_none_can_be_read_one_is_named(files):
    with pytest.raises(DamagedFile, match=r"0.png: .* or leave such files out"):
        common_form({}, files[:1])
    with pytest.raises(DataError, match=r"None of 1 images can be read.*0.png: ") as caught:
        common_form({}, files[:1], skip_damaged=True)
    assert "--skip-damaged" not in str(caught.value)


def test_without_any_image_that_is_said():
    with pytest.raises(DataError, match="There is no image to encode: the catalogue names no item"):
        common_form({}, [])


def test_scenes_count_as_files_do(tmp_path, files):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    (tmp_path / "scenes").mkdir()
    path = write_scene(tmp_path / "scenes" / "s.tif", scene_pixels(32, 32, 4, np.uint16))
    broken = Scene.of(tmp_path / "scenes" / "none.tif")
    headers = read_headers([broken, Scene.of(path)], Cut())
    assert common_form(headers, [], skip_damaged=True) == (4, "uint16")
    assert common_form(headers, files, skip_damaged=True) == (3, "uint8")


def test_scenes_that_cannot_be_encoded_are_counted_and_five_are_named():
    headers = {f"{number}.tif": Header(1, 3, "uint8" if number < 2 else "uint16") for number in range(8)}
    headers["8.tif"] = DamagedFile("8.tif", "is no raster")
    wrong = misfits(headers, Form(8, 8, 3, "uint8"))
    assert [one.name for one in wrong] == [f"{number}.tif" for number in range(2, 9)]
    assert wrong[-1] == Skipped("8.tif", "is no raster")
    with pytest.raises(DataError) as caught:
        refuse(wrong, headers)
    lines = str(caught.value).splitlines()
    assert (lines[0], len(lines), lines[-2]) == ("7 of 9 scenes cannot be encoded:", 8, "  and 2 more")
    refuse([], headers)
