"""Draw trials as lines across one axis a setting, coloured by their score."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid
from keras_dhnn.report.figures.plain_text import plain_text


@plain_text
def parallel_coordinates_figure(
    axes: Mapping[str, tuple[ArrayLike, str | Sequence[str]]], scores: ArrayLike, *, score: str = "mAP", title: str = ""
) -> Figure:
    """Return parallel coordinates, the score as the last of them; the best are drawn on top.

    Args:
        axes: `{name: (values, scale)}`: `(n,)` values of the trials, and "linear", "log", or the texts that the values
            are numbers of (0 the first).
        scores: `(n,)`; NaN for a trial that failed, drawn dotted and grey, without an end.
        score: what the scores are.
        title: data set, protocol.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: if there is no axis or no trial, or values are not n numbers.
    """
    scores = np.asarray(scores, float)
    wrong = {name: np.shape(values) for name, (values, _) in axes.items() if np.shape(values) != scores.shape}
    if not axes or not scores.size or wrong:
        raise ValueError(
            invalid(
                "argument `axes`",
                f"{scores.shape} numbers for each of one axis or more, one or more trials",
                wrong or len(axes),
            )
        )
    known = np.isfinite(scores)
    norm = Normalize(*((scores[known].min(), scores[known].max()) if known.any() else (0, 1)))
    axes = {**axes, score: (scores, "linear")}
    heights = np.column_stack([_heights(values, scale) for values, scale in axes.values()])
    figure = Figure(figsize=(2.2 * len(axes) + 1.5, 4.5), layout="constrained")
    plot = figure.add_subplot()
    for trial in sorted(range(len(scores)), key=lambda trial: (known[trial], scores[trial])):
        style = (
            {"color": colormaps["viridis"](norm(scores[trial])), "linewidth": 1.5}
            if known[trial]
            else {"color": "grey", "linestyle": ":", "linewidth": 1}
        )
        plot.plot(heights[trial], marker=".", **style)
    for number, (values, scale) in enumerate(axes.values()):
        plot.axvline(number, color="black", linewidth=0.8)
        for height, text in _ticks(values, scale):
            plot.text(number + 0.03, height, text, fontsize="small", va="center", bbox={"color": "white", "alpha": 0.6})
    plot.set_xticks(range(len(axes)), axes)
    plot.set(title=title, yticks=[], ylim=(-0.05, 1.05))
    for side in ("left", "right", "top"):
        plot.spines[side].set_visible(False)
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=plot, label=score)
    return figure


def _scaled(values, scale):
    values = np.asarray(values, float)
    return np.log(values) if isinstance(scale, str) and scale == "log" else values


def _bounds(values, scale):
    if not isinstance(scale, str):
        return 0.0, max(len(scale) - 1.0, 1.0)
    scaled = _scaled(values, scale)
    if not np.isfinite(scaled).any():
        return 0.0, 1.0
    low, high = np.nanmin(scaled), np.nanmax(scaled)
    return low, high if high > low else low + 1.0


def _heights(values, scale):
    """Return values as shares of their axis, 0 to 1."""
    low, high = _bounds(values, scale)
    return (_scaled(values, scale) - low) / (high - low)


def _ticks(values, scale):
    """Return `(height, text)` of an axis: all texts, or five numbers."""
    if not isinstance(scale, str):
        return [(number / max(len(scale) - 1, 1), text) for number, text in enumerate(scale)]
    low, high = _bounds(values, scale)
    heights = np.linspace(0, 1, 5)
    numbers = low + heights * (high - low)
    return list(zip(heights, (f"{n:.4g}" for n in (np.exp(numbers) if scale == "log" else numbers)), strict=True))
