import numpy as np

from keras_dhnn.evaluation.leakage.copies import find_copies
from keras_dhnn.evaluation.leakage.fingerprints import take_fingerprints
from keras_dhnn.evaluation.leakage.symmetries import turned
from tests.evaluation.leakage.pictures import prepare_pictures, terrain


def copies(info):
    return find_copies(info, take_fingerprints(info).contents)


def test_copies_are_found_under_all_symmetries(tmp_path):
    original = terrain(0)
    images = [terrain(1), original, *(np.ascontiguousarray(turned(original, s)) for s in range(8))]
    first, symmetries = copies(prepare_pictures(tmp_path / "made", images))
    np.testing.assert_array_equal(first, [0, 1, *[1] * 8])
    for copy in range(2, 10):
        np.testing.assert_array_equal(turned(images[copy], symmetries[copy]), original)


def test_images_with_the_same_pixels_elsewhere_are_no_copies(tmp_path):
    """They have equal contents (the sorted pixels), and are told apart by looking."""
    image = terrain(0)
    shuffled = np.random.default_rng(0).permutation(image.reshape(-1, 3)).reshape(image.shape)
    info = prepare_pictures(tmp_path / "made", [image, shuffled, image, shuffled])
    contents = take_fingerprints(info).contents
    np.testing.assert_array_equal(contents[0], contents[1])
    first, _ = find_copies(info, contents)
    np.testing.assert_array_equal(first, [0, 1, 0, 1])


def test_one_pixel_makes_another_image(tmp_path):
    image = terrain(0)
    other = image.copy()
    other[0, 0, 0] ^= 1
    first, _ = copies(prepare_pictures(tmp_path / "made", [image, other]))
    np.testing.assert_array_equal(first, [0, 1])


def test_swapped_bands_make_another_image(tmp_path):
    image = terrain(0)
    first, _ = copies(prepare_pictures(tmp_path / "made", [image, np.ascontiguousarray(image[..., ::-1])]))
    np.testing.assert_array_equal(first, [0, 1])


def test_copies_of_16_bit_images_with_5_bands_that_are_not_square(tmp_path):
    image = np.random.default_rng(0).integers(0, 60000, (40, 50, 5), np.uint16)
    images = [image, np.ascontiguousarray(image[::-1]), image[::-1, ::-1] + np.uint16(1)]
    first, symmetries = copies(prepare_pictures(tmp_path / "made", images))
    np.testing.assert_array_equal(first, [0, 0, 2])
    assert symmetries[1] == 1


def test_copies_of_float_images_with_missing_pixels(tmp_path):
    image = np.random.default_rng(0).normal(size=(40, 40, 2)).astype(np.float32)
    image[3, 4] = np.nan
    first, _ = copies(prepare_pictures(tmp_path / "made", [image, np.rot90(image).copy()]))
    np.testing.assert_array_equal(first, [0, 0])
