"""Draw pairs of images that show the same, side by side."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from keras_dhnn.errors import invalid
from keras_dhnn.pipelines.display import displayable
from keras_dhnn.report.figures.plain_text import plain_text

_COLUMNS = 3  # pairs in a row
_SIDE = 1.9  # inches
_FRAME = "yellow"


class Side(NamedTuple):
    """Describe one image of a pair.

    Attributes:
        image: `(H, W, C)` or `(H, W)`.
        text: its name.
        shared: (top, left, height, width) in pixels, what the other image shows too; None for all of it.
    """

    image: np.ndarray
    text: str
    shared: tuple | None = None


@plain_text
def pairs_figure(pairs: Sequence[tuple[Side, Side, str]], title: str = "") -> Figure:
    """Return pairs of images, three in a row, with frames around what both show.

    Args:
        pairs: list of (Side, Side, what they have in common).
        title: of the whole.

    Returns:
        matplotlib Figure with two axes a pair.

    Raises:
        ValueError: if there is no pair.
    """
    if not pairs:
        raise ValueError(invalid("argument `pairs`", "at least one pair"))
    columns = min(_COLUMNS, len(pairs))
    rows = math.ceil(len(pairs) / columns)
    figure = Figure(figsize=(2 * _SIDE * columns, (_SIDE + 0.4) * rows + 0.4 * bool(title)), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=10)
    cells = np.ravel(figure.subfigures(rows, columns, squeeze=False))
    for cell, (first, second, text) in zip(cells, pairs, strict=False):
        cell.suptitle(text, fontsize=8)
        for axes, side in zip(cell.subplots(1, 2), (first, second), strict=True):
            _show(axes, side)
    return figure


def _show(axes, side):
    axes.imshow(displayable(side.image))
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(side.text, fontsize=6)
    if side.shared is not None:
        top, left, height, width = side.shared
        frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=_FRAME, linewidth=1.5)
        axes.add_patch(frame)
