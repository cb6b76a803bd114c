import dataclasses

import numpy as np
import pytest

from keras_dhnn.pipelines.datasets.wald import area_average, band_mean, derive_pairs
from keras_dhnn.pipelines.example import Example
from tests.fakes import make_archive


def test_band_mean_is_rounded_to_the_nearest():
    image = np.array([[[0, 0, 1], [0, 1, 1], [255, 255, 255], [200, 201, 203]]], np.uint8)
    assert band_mean(image)[..., 0].tolist() == [[0, 1, 255, 201]]


def test_halves_are_rounded_up():
    assert band_mean(np.array([[[0, 1], [1, 2], [254, 255]]], np.uint8))[0, :, 0].tolist() == [1, 2, 255]
    assert area_average(np.array([[0, 1], [0, 1]], np.uint8)[..., None], 2).tolist() == [[[1]]]


def test_area_average_is_the_mean_of_each_square_and_band():
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    averaged = area_average(image, 4)
    assert averaged.shape == (2, 3, 3)
    assert averaged.dtype == np.uint8
    for row, column, band in np.ndindex(averaged.shape):
        square = image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, band].astype(float)
        assert averaged[row, column, band] == np.floor(square.mean() + 0.5)


def test_pairs_are_made_of_each_item():
    archive = make_archive(count=6, images={"image": ((16, 8, 3), "uint8")})
    derived = derive_pairs(archive)
    assert (derived.classes, derived.count) == (archive.classes, 6)
    for pair, example in zip(derived.read([]), archive.read([]), strict=True):
        image = example.images["image"].astype(float)
        assert (pair.id, pair.label) == (example.id, example.label)
        assert sorted(pair.images) == ["mul", "pan"]
        assert pair.images["pan"].shape == (16, 8, 1)
        assert pair.images["mul"].shape == (4, 2, 3)
        assert np.abs(pair.images["pan"][..., 0] - image.mean(axis=2)).max() <= 0.5
        assert pair.images["mul"][0, 0, 1] == np.floor(image[:4, :4, 1].mean() + 0.5)


def test_what_is_left_out_is_passed_on():
    def read(skipped):
        skipped.append(("a", "damaged"))
        yield Example("b", 0, {"image": np.zeros((4, 4, 3), np.uint8)})

    skipped = []
    assert len(list(derive_pairs(dataclasses.replace(make_archive(), read=read)).read(skipped))) == 1
    assert skipped == [("a", "damaged")]


def test_the_fingerprint_is_another_than_the_originals_and_follows_it():
    prints = [archive.origin["fingerprint"] for archive in (make_archive(), make_archive(fingerprint="other"))]
    derived = [derive_pairs(make_archive(fingerprint=name)).origin["fingerprint"] for name in ("made up", "other")]
    assert len({*prints, *derived}) == 4


@pytest.mark.parametrize("value", [0, 255])
def test_extremes_stay(value):
    image = np.full((4, 4, 3), value, np.uint8)
    assert np.all(band_mean(image) == value)
    assert np.all(area_average(image, 4) == value)
