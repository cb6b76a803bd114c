"""Turn figures into arrays, for TensorBoard."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def figure_to_array(figure: Figure) -> np.ndarray:
    """Draw a figure.

    Args:
        figure: matplotlib Figure.

    Returns:
        `(height, width, 3)` uint8, RGB, contiguous.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
