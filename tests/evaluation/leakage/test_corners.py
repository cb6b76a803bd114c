import numpy as np
import pytest
from scipy.fft import dctn

from keras_dhnn.evaluation.leakage.corners import MOST, RADIUS, corner_keys, find_corners
from keras_dhnn.evaluation.leakage.symmetries import BETWEEN, COUNT, MATRICES, turned
from tests.evaluation.leakage.pictures import SIDE, terrain


def grey(image):
    return image.mean(axis=2).astype(np.float32)


def test_corners_of_a_rectangle_are_its_corners():
    image = np.zeros((100, 100), np.float32)
    image[40:60, 30:70] = 200
    corners = find_corners(image)
    expected = np.array([(40, 30), (40, 69), (59, 30), (59, 69)])
    nearest = np.abs(corners[:4, None] - expected[None]).max(axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2, 3]
    assert nearest.min(axis=1).max() <= 3


def test_constant_image_and_straight_edge_have_no_corner():
    assert find_corners(np.full((80, 80), 7, np.float32)).shape == (0, 2)
    edge = np.zeros((80, 80), np.float32)
    edge[:, 40:] = 255
    assert len(find_corners(edge)) == 0


def test_corners_keep_their_distance():
    corners = find_corners(grey(terrain(0, 300)))
    assert len(corners) == MOST
    assert corners.min() >= RADIUS
    assert corners.max() < 300 - RADIUS
    apart = np.abs(corners[:, None] - corners[None]).max(axis=2) + 100 * np.eye(MOST)
    assert apart.min() >= 5


def test_keys_are_signs_of_the_cosine_transform():
    image = grey(terrain(0))
    corners = find_corners(image)
    keys, symmetries = corner_keys(image, corners)
    for key, symmetry, (row, column) in zip(keys, symmetries, corners, strict=True):
        patch = image[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1]
        cosines = dctn(turned(patch, int(symmetry)))
        signs = np.unpackbits(np.frombuffer(key.tobytes(), np.uint8))
        # From low to high frequencies, without the mean.
        assert signs[:5].tolist() == [cosines[place] > 0 for place in ((0, 1), (1, 0), (0, 2), (1, 1), (2, 0))]
        # The symmetry is one that makes these so; the patch varies most from left to right.
        assert cosines[0, 1] > 0
        assert cosines[1, 0] > 0
        assert cosines[0, 1] >= cosines[1, 0]


def test_no_corner_gives_no_key():
    keys, symmetries = corner_keys(np.zeros((80, 80), np.float32), np.empty((0, 2), int))
    assert keys.shape == symmetries.shape == (0,)


@pytest.mark.parametrize("symmetry", range(COUNT))
def test_turned_image_has_the_same_keys_at_turned_places(symmetry):
    image, middle = grey(terrain(1)), (SIDE - 1) / 2
    view = np.ascontiguousarray(turned(image, symmetry))
    corners = find_corners(image)
    there = ((MATRICES[symmetry] @ (corners - middle).T).T + middle).astype(int)
    assert set(map(tuple, find_corners(view))) == set(map(tuple, there))
    keys, brought_to = corner_keys(image, corners)
    keys_there, brought_to_there = corner_keys(view, there)
    np.testing.assert_array_equal(keys, keys_there)
    assert (BETWEEN[brought_to_there, brought_to] == symmetry).all()


def test_different_pictures_share_no_key():
    one, other = (corner_keys(image, find_corners(image))[0] for image in (grey(terrain(2)), grey(terrain(3))))
    assert not np.intersect1d(one, other).size


def test_crops_share_keys_where_they_overlap():
    ground = grey(terrain(4, 200))
    seen = []
    for top, left in ((0, 0), (37, 21)):
        image = ground[top : top + 140, left : left + 140]
        corners = find_corners(image)
        places = corners + (top, left)
        seen.append({(int(key), *place) for key, place in zip(corner_keys(image, corners)[0], places, strict=True)})
    assert len(seen[0] & seen[1]) >= 10
