"""Draw the figures of a search: every trial as a line, and the best score over two settings."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_dhnn.report.figures.heat_map import heat_map_figure
from keras_dhnn.report.figures.parallel_coordinates import parallel_coordinates_figure
from keras_dhnn.tuning.names import symbol
from keras_dhnn.tuning.space import Choice, Space

SCORE = "validation mAP"
BINS = 5


def search_figures(rows: Iterable[Mapping[str, Any]], space: Space, title: str = "") -> dict[str, Figure]:
    """Draw the trials that ended.

    Args:
        rows: the trials, as `read_trials` gives them; one or more ended.
        space: the `Space`.
        title: data set and protocol.

    Returns:
        `{name: matplotlib Figure}`: "parallel-coordinates" and "heat-map", the latter over the first two settings.
    """
    rows = [row for row in rows if row["status"] != "running"]
    scores = np.array([np.nan if row["val_map"] is None else row["val_map"] for row in rows])
    axes = {symbol(path): _axis(rows, path, part) for path, part in space.parts.items()}
    down, *others = space.parts
    across = others[0] if others else None
    figure = heat_map_figure(
        {f"{title}: the best trial of each cell": _binned(rows, scores, space, down, across)},
        _bin_names(space, down),
        _bin_names(space, across),
        axes=(symbol(down), symbol(across) if across else ""),
        score=SCORE,
    )
    return {
        "parallel-coordinates": parallel_coordinates_figure(axes, scores, score=SCORE, title=title),
        "heat-map": figure,
    }


def _axis(rows, path, part):
    values = [row["settings"][path] for row in rows]
    if isinstance(part, Choice):
        return [part.values.index(value) for value in values], tuple(str(value).lower() for value in part.values)
    return values, "log" if part.log else "linear"


def _edges(part):
    return (np.geomspace if part.log else np.linspace)(part.low, part.high, BINS + 1)


def _bin_names(space, path):
    if path is None:
        return [""]
    part = space.parts[path]
    if isinstance(part, Choice):
        return [str(value).lower() for value in part.values]
    edges = _edges(part)
    return [f"{low:.2g} –\n{high:.2g}" for low, high in itertools.pairwise(edges)]


def _bin(part, value):
    if isinstance(part, Choice):
        return part.values.index(value)
    return int(np.clip(np.searchsorted(_edges(part), value, side="right") - 1, 0, BINS - 1))


def _binned(rows, scores, space, down, across):
    """Return `(r, c)` the best score of the trials in each cell, NaN where there is none."""
    table = np.full((len(_bin_names(space, down)), len(_bin_names(space, across))), np.nan)
    for row, score in zip(rows, scores, strict=True):
        place = tuple(_bin(space.parts[path], row["settings"][path]) if path else 0 for path in (down, across))
        table[place] = np.fmax(table[place], score)
    return table
