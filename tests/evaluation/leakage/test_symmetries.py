import itertools

import numpy as np
import pytest

from keras_dhnn.evaluation.leakage.symmetries import BETWEEN, COUNT, MATRICES, NAMES, turned

IMAGE = np.arange(4 * 6 * 2).reshape(4, 6, 2)
NAMED = {
    "as it is": lambda image: image,
    "mirrored top to bottom": np.flipud,
    "mirrored left to right": np.fliplr,
    "turned 90 degrees": lambda image: np.rot90(image, 1),
    "turned 180 degrees": lambda image: np.rot90(image, 2),
    "turned 270 degrees": lambda image: np.rot90(image, 3),
    "mirrored at the diagonal": lambda image: image.swapaxes(0, 1),
    "mirrored at the other diagonal": lambda image: np.rot90(image, 2).swapaxes(0, 1),
}


def test_there_are_8_different_ones_and_they_are_those_of_the_square():
    square = np.arange(9).reshape(3, 3)
    ours = {turned(square, symmetry).tobytes() for symmetry in range(COUNT)}
    turns = [np.rot90(view, quarters) for view in (square, square[::-1]) for quarters in range(4)]
    assert ours == {view.tobytes() for view in turns}
    assert len(ours) == COUNT == len(NAMES)


@pytest.mark.parametrize("name", NAMED)
def test_names_say_what_happens(name):
    np.testing.assert_array_equal(turned(IMAGE, NAMES.index(name)), NAMED[name](IMAGE))


@pytest.mark.parametrize("symmetry", range(COUNT))
def test_matrices_say_where_a_pixel_goes(symmetry):
    view = turned(IMAGE, symmetry)
    for row, column in itertools.product(range(4), range(6)):
        from_middle = np.array([row - 1.5, column - 2.5])
        there = MATRICES[symmetry] @ from_middle + (np.array(view.shape[:2]) - 1) / 2
        np.testing.assert_array_equal(view[tuple(there.astype(int))], IMAGE[row, column])


def test_between_two_views_of_one_image():
    """x under a looks like y under b: then x looks like y under BETWEEN[a, b], and under no other."""
    y = IMAGE[:, :4]
    for a, b, symmetry in itertools.product(range(COUNT), repeat=3):
        same = np.array_equal(turned(turned(y, symmetry), a), turned(y, b))
        assert same == (symmetry == BETWEEN[a, b])
