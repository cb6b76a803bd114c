import dataclasses
import hashlib
import os
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets import folder
from keras_dhnn.pipelines.datasets.collection import LIMITS, survey_collection
from keras_dhnn.pipelines.datasets.folder_listing import list_collection
from keras_dhnn.pipelines.labels import UNLABELLED
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import zip_folder

CLASSES = ("forêt dense", "urban area", "野原")


def write_image(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig" if image.ndim == 3 else None)
    else:
        Image.fromarray(image).save(path)


def write_collection(root, classes=CLASSES, per_class=3, shape=(20, 24, 3), dtype="uint8", suffix=".png", seed=0):
    """`root/<class>/image <n>.<suffix>`, random pixels."""
    random = np.random.default_rng(seed)
    for name in classes:
        for number in range(per_class):
            image = random.integers(0, 250 if dtype == "uint8" else 9000, shape).astype(dtype)
            write_image(root / name / f"image {number}{suffix}", image)
    return root


@pytest.fixture
def root(tmp_path):
    return write_collection(tmp_path / "root")


def read(archive):
    return {example.id: example for example in archive.read([])}


def test_a_folder_is_a_class_and_names_may_hold_any_letter(root, tmp_path):
    archive = folder.open_archive(root)
    assert archive.classes == CLASSES
    assert archive.count == 9
    found = read(archive)
    assert list(found) == [f"{name}/image {number}.png" for name in CLASSES for number in range(3)]
    assert [example.label for example in found.values()] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    info = prepare(archive, tmp_path / "data" / "mine").info
    assert info == DatasetInfo.load(tmp_path / "data" / "mine")
    assert info.classes == CLASSES
    assert info.ids.tolist() == list(found)
    assert (info.layout, info.scaling, info.rgb_bands_of("image")) == ("folder", None, (1, 2, 3))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".tif", ".TIFF"])
def test_suffixes_in_any_case(tmp_path, suffix):
    assert len(read(folder.open_archive(write_collection(tmp_path, suffix=suffix)))) == 9


def test_zip_gives_the_same_as_folder(root, tmp_path):
    packed = folder.open_archive(zip_folder(root, tmp_path / "x.zip"))
    for one, other in zip(read(folder.open_archive(root)).values(), read(packed).values(), strict=True):
        assert (one.id, one.label) == (other.id, other.label)
        np.testing.assert_array_equal(one.images["image"], other.images["image"])


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_folders_around_the_collection_are_looked_through(tmp_path, pack):
    write_collection(tmp_path / "root" / "Collection-1.0" / "images")
    (tmp_path / "root" / "readme.txt").write_text("x")
    source = zip_folder(tmp_path / "root", tmp_path / "x.zip") if pack else tmp_path / "root"
    assert folder.open_archive(source).classes == CLASSES


def test_default_size_is_the_median_side_up_to_256(root, tmp_path):
    assert {e.images["image"].shape for e in read(folder.open_archive(root)).values()} == {(22, 22, 3)}
    large = write_collection(tmp_path / "large", shape=(300, 270, 3))
    assert next(iter(read(folder.open_archive(large)).values())).images["image"].shape == (256, 256, 3)
    archive = folder.open_archive(root, image_size=16)
    assert next(iter(read(archive).values())).images["image"].shape == (16, 16, 3)


@pytest.mark.parametrize("size", [4, 5000, 3.5])
def test_impossible_sizes_are_rejected(root, size):
    with pytest.raises(DataError, match="image size from 8 to 4096"):
        folder.open_archive(root, image_size=size)


def test_sentinel_2_patches_just_work(tmp_path):
    write_collection(tmp_path / "root", shape=(64, 64, 13), dtype="uint16", suffix=".tif")
    archive = folder.open_archive(tmp_path / "root")
    stored = tifffile.imread(tmp_path / "root" / "urban area" / "image 1.tif")
    np.testing.assert_array_equal(read(archive)["urban area/image 1.tif"].images["image"], stored)
    info = prepare(archive, tmp_path / "data" / "s2").info
    assert str(info.images["image"]) == "64 x 64 x 13 uint16"
    assert info.rgb_bands_of("image") == (4, 3, 2)
    # Drawn evenly from 0 to 8,999: the 1st and 99th percentile are known.
    np.testing.assert_allclose(info.scaling["image"]["low"], 90, atol=60)
    np.testing.assert_allclose(info.scaling["image"]["high"], 8910, atol=60)
    notes = "\n".join(info.origin["notes"])
    assert "band 13: " in notes
    assert "Bands [4, 3, 2] are taken as red, green and blue; change it by --rgb-bands." in notes


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 5, 16])
def test_bands_and_types(tmp_path, dtype, bands):
    write_collection(tmp_path, shape=(16, 16, bands) if bands > 1 else (16, 16), dtype=dtype, suffix=".tif")
    archive = folder.open_archive(tmp_path)
    image = next(iter(read(archive).values())).images["image"]
    assert image.shape == (16, 16, bands)
    assert image.dtype == dtype
    assert len(archive.origin["scaling"]["image"]["low"]) == bands
    assert archive.origin["rgb_bands"] == ([1, 2, 3] if bands > 2 else None)


def test_scaling_is_robust_to_what_holds_nothing(tmp_path):
    write_collection(tmp_path, shape=(32, 32, 2), dtype="float32", suffix=".tif")
    clean = folder.open_archive(tmp_path).origin["scaling"]["image"]
    for path in tmp_path.glob("*/*.tif"):
        image = tifffile.imread(path)
        image[:3], image[3:6], image[6:9, :, 0] = np.nan, -9999, np.inf
        write_image(path, image)
    archive = folder.open_archive(tmp_path)
    for bound in ("low", "high"):
        np.testing.assert_allclose(archive.origin["scaling"]["image"][bound], clean[bound], atol=120)
    for example in read(archive).values():
        assert np.isfinite(example.images["image"]).all()
        assert example.images["image"].min() >= 0


def test_scaling_can_be_given_and_percentiles_chosen(tmp_path):
    write_collection(tmp_path, dtype="uint16", suffix=".tif")
    given = folder.open_archive(tmp_path, scale=(0, 10_000)).origin["scaling"]
    assert given == {"image": {"low": [0.0] * 3, "high": [10_000.0] * 3}}
    wide = folder.open_archive(tmp_path, percentiles=(10, 90)).origin["scaling"]["image"]
    np.testing.assert_allclose(wide["low"] + wide["high"], [900] * 3 + [8100] * 3, atol=250)


@pytest.mark.parametrize("bands", [(1, 2), (1, 1, 2), (0, 1, 2), (1, 2, 4)])
def test_rgb_bands_that_do_not_exist_are_rejected(root, bands):
    with pytest.raises(DataError, match="three bands, from 1 to 3, as red, green and blue"):
        folder.open_archive(root, rgb_bands=bands)


@pytest.mark.parametrize("changed", [{"image_size": 16}, {"rgb_bands": (3, 2, 1)}, {"scale": (0, 200)}])
def test_fingerprint_changes_with_how_images_are_read(root, changed):
    before = folder.open_archive(root).origin["fingerprint"]
    assert folder.open_archive(root).origin["fingerprint"] == before
    other = folder.open_archive(root, **changed).origin
    assert other["fingerprint"] != before
    assert other["files"] == folder.open_archive(root).origin["files"]
    # As it was computed before, so that data sets which were prepared then are known again.
    made_by = sorted((key, other[key]) for key in ("layout", "image_size", "scaling", "rgb_bands"))
    assert other["fingerprint"] == hashlib.sha256(repr((other["files"], made_by)).encode()).hexdigest()


# What is wrong with collections.


def test_empty_folder(tmp_path):
    with pytest.raises(
        DataError, match=r"No image in .* Expected <class>/<image> \(tif, tiff, png, jpg, jpeg, webp, bmp, jp2\)"
    ):
        folder.open_archive(tmp_path)


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="Expected a folder or a zip file"):
        folder.open_archive(tmp_path / "missing")


def test_one_class(tmp_path):
    with pytest.raises(DataError, match="two classes at least. Found: only"):
        folder.open_archive(write_collection(tmp_path, ["only"]))


def test_one_class_beside_images_without_label(tmp_path):
    source = write_collection(tmp_path, ["forest", UNLABELLED])
    count = len(list((source / "forest").iterdir()))
    message = rf"{source}: {count} images have labels, all the same: 'forest'\. .*'not forest'.*--layout images\.$"
    with pytest.raises(DataError, match=message):
        folder.open_archive(source)
    (source / "sea").mkdir()
    for path in (source / "forest").iterdir():
        (source / "sea" / path.name).write_bytes(path.read_bytes())
    assert folder.open_archive(source).classes == ("forest", "sea", UNLABELLED)


@pytest.mark.parametrize("left", [0, 1])
def test_class_with_less_than_two_images(root, left):
    for path in sorted((root / "urban area").iterdir())[left:]:
        path.unlink()
    with pytest.raises(DataError, match=rf"Class 'urban area' .* at least 2 readable images.* Found {left}"):
        folder.open_archive(root)


def test_image_directly_in_the_root(root):
    write_image(root / "stray.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"(?s)folder of its class and nowhere else. Found:\n  stray.png\nMove"):
        folder.open_archive(root)
    skipped = []
    assert len(list(folder.open_archive(root, skip_damaged=True).read(skipped))) == 9
    assert skipped == [("stray.png", "lies elsewhere; expected <class>/<image>")]


def test_images_without_any_folder(tmp_path):
    for number in range(3):
        write_image(tmp_path / f"{number}.png", np.zeros((8, 8, 3), np.uint8))
    for skip_damaged in (False, True):
        with pytest.raises(DataError, match="2.png\nIf they have no classes, .*: --layout images takes them") as caught:
            folder.open_archive(tmp_path, skip_damaged=skip_damaged)
        assert "--skip-damaged" not in str(caught.value)


def test_nested_folders(root):
    write_image(root / "urban area" / "2019" / "deep.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"Found:\n  urban area/2019\nMove them into the folders of their classes"):
        folder.open_archive(root)
    assert len(list(folder.open_archive(root, skip_damaged=True).read([]))) == 9


def test_classes_one_folder_deeper(tmp_path):
    write_collection(tmp_path / "train")
    write_collection(tmp_path / "test")
    with pytest.raises(DataError, match=r"Are the classes one folder deeper\? Then give that folder by --source"):
        folder.open_archive(tmp_path, skip_damaged=True)
    assert folder.open_archive(tmp_path / "train").classes == CLASSES


def test_files_that_are_no_images_are_left_out_and_counted(root):
    for number in range(3):
        (root / "urban area" / f"image {number}.png.aux.xml").write_text("x")
    (root / "readme.txt").write_text("x")
    (root / ".cache").mkdir()
    skipped = []
    archive = folder.open_archive(root)
    assert len(list(archive.read(skipped))) == 9
    assert archive.classes == CLASSES
    assert skipped == [("readme.txt", "is no image by its name"), ("3 files *.xml", "is no image by its name")]


def test_name_that_is_not_utf_8(root):
    try:
        (root / "urban area" / b"\xff.png".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    with pytest.raises(DataError, match=r"a name that is not UTF-8: 'urban area/\\udcff.png'"):
        folder.open_archive(root)


def broken(path):
    path.write_bytes(path.read_bytes()[:60])


def grey(path):
    write_image(path, np.zeros((20, 24), np.uint8))


def text(path):
    path.write_text("no image")


@pytest.mark.parametrize(
    ("damage", "message"),
    [(broken, "cannot be decoded"), (text, "is no image of a known format"), (grey, "has 1 band, not 3, as most")],
)
def test_one_bad_image_is_named_or_left_out(root, damage, message):
    archive = folder.open_archive(root)
    damage(root / "urban area" / "image 1.png")
    with pytest.raises(DamagedFile, match=rf"urban area/image 1.png: .*{message}"):
        list(archive.read([]))
    skipped = []
    found = [example.id for example in folder.open_archive(root, skip_damaged=True).read(skipped)]
    assert len(found) == 8
    assert [name for name, _ in skipped] == ["urban area/image 1.png"]
    assert message in skipped[0][1]


def test_mixed_types_are_named_before_anything_is_read(root):
    write_image(root / "urban area" / "deep.tif", np.zeros((20, 24, 3), np.uint16))
    with pytest.raises(DataError, match=r"(?s)A sample .* 9 of 3 bands, uint8.* 1 of 3 bands, uint16, such as"):
        folder.open_archive(root)
    skipped = []
    assert len(list(folder.open_archive(root, skip_damaged=True).read(skipped))) == 9
    assert skipped == [("urban area/deep.tif", "has pixels of uint16; expected uint8, as most of the others")]


def test_skipping_still_needs_two_images_a_class(root):
    text(root / "urban area" / "image 1.png")
    text(root / "urban area" / "image 2.png")
    with pytest.raises(DataError, match="Class 'urban area' .* Found 1"):
        list(folder.open_archive(root, skip_damaged=True).read([]))


def test_many_images_are_not_held_in_memory(tmp_path):
    write_collection(tmp_path, per_class=2, shape=(256, 256, 3), suffix=".tif")
    listing = list_collection(tmp_path, LIMITS, skip_damaged=False)
    collection = survey_collection(listing)
    many = dataclasses.replace(collection, listing=listing._replace(images=listing.images * 50))
    tracemalloc.start()
    count = sum(1 for _ in folder._examples(many, lambda name: 0, len, [], skip_damaged=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert peak < 40 * 256 * 256 * 3


def test_patches_without_a_measurement_are_left_out_and_said_so(tmp_path):
    full = np.random.default_rng(0).integers(1, 3000, (6, 16, 16, 2)).astype(np.float32)
    for number, image in enumerate(full):
        part = image.copy()
        part[:4] = np.nan if number else 5
        write_image(tmp_path / f"class{number % 2}" / f"{number}.tif", part)
    write_image(tmp_path / "class0" / "nothing.tif", np.full((16, 16, 2), np.nan, np.float32))
    write_image(tmp_path / "class1" / "fill.tif", np.full((16, 16, 2), -3.4e38, np.float32))
    archive, skipped = folder.open_archive(tmp_path), []
    examples = list(archive.read(skipped))
    assert [example.id for example in examples] == [f"class{c}/{n}.tif" for c in (0, 1) for n in range(c, 6, 2)]
    reason = "holds no measurement: all of its pixels are empty"
    assert skipped == [("class0/nothing.tif", reason), ("class1/fill.tif", reason)]
    assert "Of 6 images looked at, 5 have empty pixels" in " ".join(archive.origin["notes"])
    assert min(archive.origin["scaling"]["image"]["low"]) >= 1
    for example in examples:
        assert np.isfinite(example.images["image"]).all()
        assert example.images["image"].min() >= 1


def test_pixels_that_an_opacity_leaves_out_do_not_enter_the_percentiles(tmp_path):
    for number in range(4):
        image = np.random.default_rng(number).integers(100, 200, (16, 16, 4)).astype(np.uint16)
        image[..., 3] = 65535
        image[:8, :, :3], image[:8, :, 3] = 60_000, 0
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        path = tmp_path / f"class{number % 2}" / f"{number}.tif"
        tifffile.imwrite(path, image, photometric="rgb", extrasamples=["unassalpha"])
    archive = folder.open_archive(tmp_path)
    assert max(archive.origin["scaling"]["image"]["high"]) < 200
    assert max(example.images["image"].max() for example in archive.read([])) < 200


def test_grey_images_among_colours_are_converted_on_request(tmp_path):
    random = np.random.default_rng(0)
    for number in range(8):
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        image = random.integers(0, 256, (16, 16, 3) if number < 5 else (16, 16)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"class{number % 2}" / f"{number}.png")
    with pytest.raises(
        DataError, match="3 of 1 band, uint8.*\n.*take grey ones as red, green and blue with --grey-to-rgb"
    ):
        folder.open_archive(tmp_path)
    archive = folder.open_archive(tmp_path, grey_to_rgb=True)
    images = {example.id: example.images["image"] for example in archive.read([])}
    assert len(images) == 8
    grey = np.asarray(Image.open(tmp_path / "class1" / "7.png"))
    np.testing.assert_array_equal(images["class1/7.png"], np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", ["bmp", "jp2"])
def test_bmp_and_jpeg_2000_are_images_by_their_names(tmp_path, suffix):
    for number in range(4):
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        image = np.random.default_rng(number).integers(0, 256, (16, 16, 3)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"class{number % 2}" / f"{number}.{suffix}")
    assert len(list(folder.open_archive(tmp_path).read([]))) == 4


def test_names_and_colours_of_bands_come_from_the_files(tmp_path):
    metadata = "<GDALMetadata>" + "".join(
        f'<Item name="DESCRIPTION" sample="{band}" role="description">{name}</Item>'
        f'<Item name="COLORINTERP" sample="{band}" role="colorinterp">{colour}</Item>'
        for band, (name, colour) in enumerate(
            [("NIR &amp; more", "Undefined"), ("B4", "Red"), ("", "Green"), ("B2", "Blue")]
        )
    )
    for number in range(4):
        image = np.random.default_rng(number).integers(0, 3000, (16, 16, 4)).astype(np.uint16)
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        tags = [(42112, "s", 0, metadata + "</GDALMetadata>", True)]
        path = tmp_path / f"class{number % 2}" / f"{number}.tif"
        tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig", extratags=tags, metadata=None)
    archive = folder.open_archive(tmp_path)
    assert archive.origin["band_names"] == ["NIR & more", "B4", "", "B2"]
    assert archive.origin["rgb_bands"] == [2, 3, 4]
    assert "The files call their bands NIR & more, B4, -, B2." in archive.origin["notes"]
    assert folder.open_archive(tmp_path, rgb_bands=(4, 3, 1)).origin["rgb_bands"] == [4, 3, 1]


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_what_never_ends_or_never_begins_is_no_archive(tmp_path, kind):
    path = tmp_path / "pipe" if kind == "pipe" else "/dev/zero"
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(DataError, match="Expected a folder or a zip file. There is neither at"):
        folder.open_archive(path)
