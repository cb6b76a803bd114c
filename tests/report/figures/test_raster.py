import numpy as np
from matplotlib.figure import Figure

from keras_dhnn.report.figures.raster import figure_to_array


def test_figure_to_array_is_the_figure_in_rgb():
    figure = Figure(figsize=(2, 1), dpi=50, facecolor=(1, 0, 0))
    array = figure_to_array(figure)
    assert array.shape == (50, 100, 3)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, np.broadcast_to([255, 0, 0], array.shape))
    assert array.flags.c_contiguous
