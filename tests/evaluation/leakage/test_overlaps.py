import numpy as np
import pytest

from keras_dhnn.evaluation.leakage.fingerprints import take_fingerprints
from keras_dhnn.evaluation.leakage.overlaps import _agreed, _candidates, find_overlaps
from keras_dhnn.evaluation.leakage.symmetries import turned
from tests.evaluation.leakage.pictures import SIDE, edited, prepare_pictures, terrain


def crop(ground, top, left, side=SIDE):
    return ground[top : top + side, left : left + side]


def turned_back(image, symmetry):
    """Returns what looks like `image` under a symmetry."""
    inverse = next(s for s in range(8) if np.array_equal(turned(turned(image, s), symmetry), image))
    return np.ascontiguousarray(turned(image, inverse))


def overlaps(directory, images):
    info = prepare_pictures(directory, images)
    return find_overlaps(info, take_fingerprints(info), np.arange(info.count))


def test_crops_that_share_ground(tmp_path):
    ground = terrain(0, 200)
    images = [crop(ground, 20, 30), terrain(1), crop(ground, 50, 10), terrain(2)]
    (found,) = overlaps(tmp_path / "made", images)
    assert (found.first, found.second, found.symmetry, found.shift) == (0, 2, 0, (30, -20))
    assert found.share == pytest.approx((SIDE - 30) * (SIDE - 20) / SIDE**2)
    assert found.correlation > 0.99


@pytest.mark.parametrize("symmetry", range(8))
def test_crops_that_share_ground_but_are_turned(tmp_path, symmetry):
    ground = terrain(0, 200)
    first, second = crop(ground, 20, 30), crop(ground, 50, 10)
    (found,) = overlaps(tmp_path / "made", [first, turned_back(second, symmetry)])
    assert (found.symmetry, found.shift) == (symmetry, (30, -20))


@pytest.mark.parametrize("symmetry", range(8))
def test_of_two_sources_the_finest_is_compared_however_it_is_turned(tmp_path, symmetry):
    """`mul` comes first by its name, and is smaller."""
    ground = terrain(0, 200)
    first, second = crop(ground, 20, 30), crop(ground, 50, 10)
    pans = first, turned_back(second, symmetry), terrain(1)
    images = [{"pan": np.ascontiguousarray(pan[..., :1]), "mul": np.ascontiguousarray(pan[::4, ::4])} for pan in pans]
    (found,) = overlaps(tmp_path / "made", images)
    assert (found.first, found.second, found.symmetry, found.shift) == (0, 1, symmetry, (30, -20))


def test_crops_that_are_not_square(tmp_path):
    ground = terrain(0, 240)
    first, second = ground[20:120, 30:170], ground[60:200, 10:110]
    (found,) = overlaps(tmp_path / "made", [first, np.ascontiguousarray(np.rot90(second))])
    assert found.shift == (40, -20)
    np.testing.assert_array_equal(turned(np.rot90(second), found.symmetry), second)


def test_crops_that_were_edited(tmp_path):
    ground = terrain(0, 200)
    (found,) = overlaps(tmp_path / "made", [crop(ground, 20, 30), edited(crop(ground, 44, 30))])
    assert found.shift == (24, 0)


def test_a_thing_in_other_surroundings_is_no_shared_ground(tmp_path):
    """Its corners agree at one shift, but the pixels around it do not."""
    thing, images = terrain(0, 60), []
    for seed in (1, 2):
        image = terrain(seed, 150)
        image[40:100, 50:110] = thing
        images.append(image)
    info = prepare_pictures(tmp_path / "made", images)
    prints = take_fingerprints(info)
    assert len(_candidates(prints, np.arange(2), (150, 150))) == 1
    assert find_overlaps(info, prints, np.arange(2)) == []


def test_shift_is_what_most_corners_agree_on():
    shifts = np.array([(5.0, 7.0), (90.0, -3.0), (6.0, 7.0), (5.0, 8.0), (-40.0, 60.0), (-41.0, 60.0)])
    assert _agreed(shifts) == (3, (5, 7))


def test_only_the_images_asked_for(tmp_path):
    ground = terrain(0, 200)
    info = prepare_pictures(tmp_path / "made", [crop(ground, 20, 30), crop(ground, 40, 30), crop(ground, 20, 40)])
    found = find_overlaps(info, take_fingerprints(info), np.array([0, 2]))
    assert [(one.first, one.second) for one in found] == [(0, 2)]


def test_images_too_small_for_corners_have_none(tmp_path):
    prints = take_fingerprints(prepare_pictures(tmp_path / "made", [terrain(0, 28), terrain(0, 28)]))
    assert prints.corner_keys.size == 0
    assert prints.corner_places.shape == (0, 2)
