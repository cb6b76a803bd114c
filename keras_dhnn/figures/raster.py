"""Figures as arrays, for TensorBoard."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


def figure_to_array(figure):
    """Draws a figure.

    Args:
        figure: matplotlib Figure.

    Returns:
        `(height, width, 3)` uint8, RGB; a copy of its own.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]
