"""Draw what was found as pictures: a row a query, laid out as Fig. 6 of the DHNN paper."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from keras_dhnn.errors import invalid
from keras_dhnn.pipelines.display import displayable
from keras_dhnn.report.figures.plain_text import plain_text

RANKS = (1, 5, 10, 15, 20, 30, 40, 50)  # as in the paper
WRONG = "red"
_SIDE = 1.3  # inches


class Retrieved(NamedTuple):
    """Describe one result.

    Attributes:
        image: `(H, W, C)` or `(H, W)`.
        name: its class.
        distance: Hamming distance to the query, in bits.
        correct: whether it is of the query's class; None if that is not known.
    """

    image: np.ndarray
    name: str
    distance: int
    correct: bool | None = None


class GalleryRow(NamedTuple):
    """Describe one query with what it found.

    Attributes:
        image: `(H, W, C)` or `(H, W)`.
        name: its class, or file name.
        results: `{rank: Retrieved}`, rank from 1; only those that are to be shown.
    """

    image: np.ndarray
    name: str
    results: dict


@plain_text
def gallery_figure(rows: Sequence[GalleryRow], *, ranks: Sequence[int] = RANKS, title: str = "") -> Figure:
    """Return the query and some of its results, from left to right by rank; wrong ones are framed in red.

    A rank that no row has (a small database) gets no column; one that only some rows have is left blank in the others.

    Args:
        rows: list of GalleryRow.
        ranks: which ranks to show, in order.
        title: of the whole.

    Returns:
        matplotlib Figure with `(1 + number of ranks)` axes a row, those of the queries first.

    Raises:
        ValueError: if there is nothing to show.
    """
    ranks = [rank for rank in ranks if any(rank in row.results for row in rows)]
    if not ranks:
        expected = "at least one query with a result at one of `ranks`"
        raise ValueError(invalid("argument `rows`", expected, queries_without=len(rows)))
    size = (_SIDE * (1 + len(ranks)), (_SIDE + 0.25) * len(rows) + 0.3 + 0.3 * bool(title))
    figure = Figure(figsize=size, layout="constrained")
    if title:
        figure.suptitle(title)
    grid = figure.subplots(len(rows), 1 + len(ranks), squeeze=False)
    for row, (first, *others) in zip(rows, grid, strict=True):
        _show(first, row.image, row.name)
        for rank, axes in zip(ranks, others, strict=True):
            found = row.results.get(rank)
            if found is None:
                axes.set_axis_off()
            else:
                _show(axes, found.image, f"{found.name}, {found.distance}", wrong=found.correct is False)
    for axes, text in zip(grid[0], ["query", *(f"rank {rank}" for rank in ranks)], strict=True):
        axes.set_title(text, fontsize=8)
    return figure


def _short(text, most=26):
    """Return long file names lose their middle, so that they do not run into the next picture."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-most // 2 :]}"


def _show(axes, image, text, wrong=False):
    axes.imshow(displayable(image))
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(_short(text), fontsize=7)
    for spine in axes.spines.values():
        spine.set(visible=wrong, color=WRONG, linewidth=3)
