import numpy as np
import pytest
from matplotlib.patches import Rectangle

from keras_dhnn.report.figures.pairs import Side, pairs_figure
from keras_dhnn.report.figures.raster import figure_to_array


def pair(seed=0, shared=(None, None), text="equal pixels"):
    images = np.random.default_rng(seed).integers(0, 256, (2, 8, 8, 3), np.uint8)
    sides = (Side(image, name, frame) for image, name, frame in zip(images, "ab", shared, strict=True))
    return (*sides, text)


def test_images_stand_side_by_side_with_names_and_what_they_share():
    pairs = [pair(seed, text=f"pair {seed}") for seed in range(4)]
    figure = pairs_figure(pairs, "title")
    shown = [axes.images[0].get_array() for axes in figure.axes]
    expected = [side.image for first, second, _ in pairs for side in (first, second)]
    np.testing.assert_array_equal(shown, expected)
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b"] * 4
    assert [cell.get_suptitle() for cell in figure.subfigs[:4]] == [f"pair {number}" for number in range(4)]
    assert figure_to_array(figure).std() > 10


def test_frame_is_around_what_is_shared():
    figure = pairs_figure([pair(shared=((2, 3, 4, 5), None))])
    frames = [[patch for patch in axes.patches if isinstance(patch, Rectangle)] for axes in figure.axes]
    ((frame,), none) = frames
    assert none == []
    # Pixel 2 begins at 1.5.
    assert (frame.get_y(), frame.get_x(), frame.get_height(), frame.get_width()) == (1.5, 2.5, 4, 5)


def test_no_pair_is_refused():
    with pytest.raises(ValueError, match="at least one pair"):
        pairs_figure([])
