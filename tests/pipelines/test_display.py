import numpy as np
import pytest

from keras_dhnn.pipelines.display import displayable


def picture(seed=0, shape=(8, 8, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_displayable_leaves_rgb_bytes_alone():
    np.testing.assert_array_equal(displayable(picture()), picture())


def test_displayable_repeats_one_band_and_takes_the_first_three_of_more():
    one, four = picture(shape=(5, 6, 1)), picture(shape=(5, 6, 4))
    np.testing.assert_array_equal(displayable(one), np.concatenate([one] * 3, 2))
    np.testing.assert_array_equal(displayable(one[..., 0]), np.concatenate([one] * 3, 2))
    np.testing.assert_array_equal(displayable(four), four[..., :3])
    np.testing.assert_array_equal(displayable(four[..., :2]), np.repeat(four[..., :1], 3, 2))


def test_displayable_stretches_other_types_by_percentiles_of_the_shown_bands():
    image = np.random.default_rng(0).integers(300, 2000, (40, 40, 4)).astype(np.uint16)
    image[..., 3] = 60000  # not shown, so it does not count
    low, high = np.percentile(image[..., :3], [2, 98])
    expected = np.clip((image[..., :3] - low) / (high - low), 0, 1) * 255
    shown = displayable(image)
    assert shown.dtype == np.uint8
    np.testing.assert_allclose(shown, expected, atol=0.5001)
    np.testing.assert_array_equal(displayable(image * np.float32(0.001)), shown)


def test_displayable_of_a_constant_or_broken_image_is_black():
    for value in (0.0, 7.0, np.nan, np.inf):
        np.testing.assert_array_equal(displayable(np.full((3, 3, 1), value)), np.zeros((3, 3, 3)))
    broken = np.array([[0.0, 1.0], [np.nan, 2.0]])
    assert displayable(broken)[1, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(4,), (0, 4, 3), (2, 4, 4, 3)])
def test_displayable_rejects_what_is_no_image(shape):
    with pytest.raises(ValueError, match=r"argument `image`. Expected shape \(H, W, C\)"):
        displayable(np.zeros(shape))
