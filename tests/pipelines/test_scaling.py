import numpy as np
import pytest

from keras_dhnn.config import Augmentation
from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.augment import augmentation
from keras_dhnn.pipelines.scaling import augment_scaled, describe_scaling, given_scaling, measure_scaling


def test_percentiles_are_those_of_each_band():
    bands = [np.arange(1001.0), np.arange(1001.0) * 3 - 500]
    assert measure_scaling(bands, (1, 99)) == {"low": [10, -470], "high": [990, 2470]}
    assert measure_scaling(bands, (0, 100)) == {"low": [0, -500], "high": [1000, 2500]}


def test_a_constant_or_empty_band_still_has_a_range():
    assert measure_scaling([np.full(5, 7.0), np.array([])]) == {"low": [7, 0], "high": [8, 1]}


@pytest.mark.parametrize("percentiles", [(99, 1), (5, 5), (-1, 50), (1, 101)])
def test_percentiles_out_of_order_are_rejected(percentiles):
    with pytest.raises(ValueError, match="`percentiles`. Expected two numbers from 0 to 100 in ascending order"):
        measure_scaling([np.arange(5.0)], percentiles)


def test_given_scaling_is_for_all_bands_or_for_each():
    assert given_scaling((0, 10_000), 3) == {"low": [0, 0, 0], "high": [10_000, 10_000, 10_000]}
    assert given_scaling(([1, 2], [3, 4]), 2) == {"low": [1, 2], "high": [3, 4]}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (([1, 2], [3, 4]), "two lists of 3, one a band. Received lists of 2 and 2"),
        ((0, [1, 0, 1]), "Received for band 2: 0 and 0"),
        ((5, 4), "Received for band 1: 5 and 4"),
    ],
)
def test_given_scaling_that_does_not_fit_is_rejected(bounds, message):
    with pytest.raises(DataError, match=message):
        given_scaling(bounds, 3)


def test_description_has_a_line_a_band():
    assert describe_scaling({"low": [0, 1.5], "high": [10_000, 2]}) == ["band 1: 0 to 10000", "band 2: 1.5 to 2"]


def test_augmentation_works_on_scaled_pixels_and_returns_stored_units():
    low, high = np.array([1000.0, -5.0, 0.0]), np.array([9000.0, 5.0, 1.0])
    bright = np.random.default_rng(0).uniform(60, 180, (8, 8, 3)).astype(np.float32)
    raw = (low + bright * (high - low) / 255).astype(np.float32)
    augment = augmentation(Augmentation(colour=0.3, flips=True, crop=0.2))
    scaled = augment_scaled(augment, {"image": {"low": low.tolist(), "high": high.tolist()}})
    for seed in ([1, 2], [3, 4], [5, 6]):
        expected = low + augment({"image": bright}, seed)["image"].numpy() * (high - low) / 255
        np.testing.assert_allclose(scaled({"image": raw}, seed)["image"].numpy(), expected, rtol=1e-4, atol=1e-3)


def test_augmentation_of_unscaled_sources_is_untouched():
    augment = augmentation(Augmentation(flips=True))
    assert augment_scaled(augment, None) is augment
    images = {"mul": np.ones((4, 4, 1), np.float32), "pan": np.ones((4, 4, 1), np.float32)}
    scaled = augment_scaled(augment, {"mul": {"low": [0], "high": [10]}})(images, [0, 1])
    np.testing.assert_allclose(scaled["mul"], images["mul"], rtol=1e-6)
    np.testing.assert_array_equal(scaled["pan"], images["pan"])
