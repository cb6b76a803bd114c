import itertools

import numpy as np
import pytest
import tifffile

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets import ucmd
from tests.fakes import UCMD_CLASSES, write_tiff, write_ucmd, zip_folder

IMAGES = "UCMerced_LandUse/Images"


@pytest.fixture
def root(tmp_path):
    return write_ucmd(tmp_path / "root")


@pytest.fixture
def classes(root):
    return root / IMAGES


def assert_same(one, other):
    for example, twin in itertools.zip_longest(one, other):
        assert (example.id, example.label) == (twin.id, twin.label)
        np.testing.assert_array_equal(example.images["image"], twin.images["image"])


def test_examples_are_sorted_and_labelled_by_class(root):
    examples = list(ucmd.examples(root))
    assert [example.id for example in examples] == [f"{c}/{c}{n:02d}.tif" for c in UCMD_CLASSES for n in range(3)]
    assert [example.label for example in examples] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert ucmd.open_archive(root).classes == UCMD_CLASSES
    assert ucmd.open_archive(root).count == 9


def test_images_of_256_pixels_are_unchanged(root, classes):
    for example in ucmd.examples(root):
        image = example.images["image"]
        stored = tifffile.imread(classes / example.id)
        assert image.shape == (256, 256, 3)
        assert image.dtype == np.uint8
        if stored.shape == image.shape:
            np.testing.assert_array_equal(image, stored)


def test_images_of_other_sizes_are_resized_without_aliasing(root, classes):
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255  # halved, these average to grey; picking every second column would give black or white
    ramp = np.broadcast_to(np.linspace(0, 250, 251).astype(np.uint8)[None, :, None], (247, 251, 3))
    write_tiff(classes / "beach/beach00.tif", stripes)
    write_tiff(classes / "beach/beach01.tif", ramp)
    images = {example.id: example.images["image"] for example in ucmd.examples(root)}
    assert np.abs(images["beach/beach00.tif"].astype(int) - 127)[:, 2:-2].max() <= 2
    centres = (np.arange(256) + 0.5) * 251 / 256 - 0.5
    expected = np.broadcast_to(centres[None, :, None], (256, 256, 3))
    np.testing.assert_allclose(images["beach/beach01.tif"][:, 2:-2], expected[:, 2:-2], atol=1)


@pytest.mark.parametrize("inside", ["UCMerced_LandUse", IMAGES])
def test_any_folder_of_the_archive_will_do(root, inside):
    assert_same(ucmd.examples(root / inside), ucmd.examples(root))
    assert ucmd.open_archive(root / inside).origin == ucmd.open_archive(root).origin


def test_zip_gives_the_same_as_folder(root, tmp_path):
    (root / "UCMerced_LandUse/readme.txt").write_text("beside the images, as in the original")
    assert_same(ucmd.examples(zip_folder(root, tmp_path / "UCMerced_LandUse.zip")), ucmd.examples(root))


def test_litter_is_ignored(root, classes):
    for name in (".DS_Store", "beach/Thumbs.db", "beach/.DS_Store"):
        (classes / name).write_bytes(b"x")
    assert len(list(ucmd.examples(root))) == 9


def test_empty_folder_is_rejected(tmp_path):
    with pytest.raises(DataError, match=r"No image in .* Expected UCMerced_LandUse/Images/<class>/<class>NN.tif"):
        ucmd.examples(tmp_path)


def test_missing_folder_is_rejected(tmp_path):
    with pytest.raises(DataError, match="Expected a folder or a zip file"):
        ucmd.examples(tmp_path / "missing")


def test_folder_without_class_folders_is_rejected(classes):
    with pytest.raises(DataError, match=r"No image in .*Expected UCMerced_LandUse/Images/<class>"):
        ucmd.examples(classes / "beach")


def test_single_class_is_rejected(tmp_path):
    with pytest.raises(DataError, match=r"two classes at least. Found: beach"):
        ucmd.examples(write_ucmd(tmp_path / "one", classes=["beach"]))


@pytest.mark.parametrize("left", [0, 1])
def test_class_without_a_second_image_is_rejected(root, classes, left):
    for path in sorted((classes / "beach").iterdir())[left:]:
        path.unlink()
    with pytest.raises(DataError, match=rf"Class 'beach' .* at least 2 readable images.* Found {left}"):
        ucmd.examples(root)


def test_foreign_files_are_all_named(root, classes):
    (classes / "beach/notes.txt").write_text("x")
    (classes / "beach/photo.jpg").write_bytes(b"x")
    (classes / "top.tif").write_bytes(b"x")
    (classes / "forest/deeper").mkdir()
    with pytest.raises(DataError) as error:
        ucmd.examples(root)
    for name in ("beach/notes.txt", "beach/photo.jpg", "top.tif", "forest/deeper", "--skip-damaged"):
        assert name in str(error.value)


def cut(path):
    path.write_bytes(path.read_bytes()[:100_000])


def text(path):
    path.write_text("This is not an image.")


def empty(path):
    path.write_bytes(b"")


def sixteen_bits(path):
    write_tiff(path, np.zeros((256, 256, 3), np.uint16))


def greyscale(path):
    write_tiff(path, np.zeros((256, 256), np.uint8))


def four_bands(path):
    tifffile.imwrite(path, np.zeros((256, 256, 4), np.uint8), photometric="rgb", extrasamples=["unassalpha"])


def huge(path):
    tifffile.imwrite(path, np.zeros((3000, 3000, 3), np.uint8), photometric="rgb", compression="zlib")


DAMAGE = [
    (cut, r"is truncated: its pixels end at byte [\d,]+, the file at byte 100,000"),
    (text, "is no image of a known format"),
    (empty, "is no image of a known format"),
    (sixteen_bits, r"holds a 3-band image of shape \(256, 256, 3\), uint16; expected RGB, .* of uint8"),
    (greyscale, r"holds a greyscale image of shape \(256, 256, 1\), uint8; expected RGB"),
    (four_bands, r"holds a 4-band image of shape \(256, 256, 4\), uint8; expected RGB"),
    (huge, r"claims an image of \(3000, 3000, 3\), 27,000,000 bytes; at most"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[damage.__name__ for damage, _ in DAMAGE])
def test_damaged_image_is_named(root, classes, damage, message):
    damage(classes / "beach/beach02.tif")
    with pytest.raises(DamagedFile, match=message) as error:
        list(ucmd.examples(root))
    assert error.value.name == "beach/beach02.tif"
    assert "--skip-damaged" in str(error.value)


@pytest.mark.parametrize("pack", [False, True], ids=["folder", "zip"])
def test_skip_damaged_leaves_out_and_records(root, classes, tmp_path, pack):
    cut(classes / "beach/beach02.tif")
    (classes / "forest/notes.txt").write_text("x")
    source = zip_folder(root, tmp_path / "x.zip") if pack else root
    skipped = []
    ids = [example.id for example in ucmd.open_archive(source, skip_damaged=True).read(skipped)]
    assert len(ids) == 8
    assert "beach/beach02.tif" not in ids
    assert [name for name, _ in skipped] == ["forest/notes.txt", "beach/beach02.tif"]
    assert "does not belong there" in skipped[0][1]
    assert "is truncated" in skipped[1][1]


def test_skip_damaged_still_needs_two_images_a_class(root, classes):
    cut(classes / "beach/beach01.tif")
    cut(classes / "beach/beach02.tif")
    with pytest.raises(DataError, match=r"Class 'beach' .* Found 1"):
        list(ucmd.examples(root, skip_damaged=True))


def test_archive_can_be_read_twice(root):
    archive = ucmd.open_archive(root)
    assert_same(archive.read([]), archive.read([]))
