"""Draw precision over recall, one line a method."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid
from keras_dhnn.report.figures.plain_text import plain_text


@plain_text
def precision_recall_figure(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], title: str = "") -> Figure:
    """Return the precision-recall curves in one pair of axes.

    Args:
        curves: `{name: (recall, precision)}`, two `(n,)` arrays of shares from 0 to 1 each, in the order to draw.
        title: what the curves share: data set, protocol, bits.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: if there is no curve, or a curve is not two arrays of one length with values from 0 to 1.
    """
    if not curves:
        raise ValueError(invalid("argument `curves`", "at least one curve"))
    figure = Figure(figsize=(5.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        recall, precision = _checked(name, curve)
        axes.plot(recall, precision, label=name, linewidth=1.5, marker="." if len(recall) < 80 else None)
    axes.set(xlabel="Recall", ylabel="Precision", title=title, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    # Curves fall to the right; matplotlib's search for the best place takes seconds where there are many points.
    # Long names would otherwise squeeze the axes.
    axes.legend(loc="lower left", fontsize="small").set_in_layout(False)
    return figure


def _checked(name, curve):
    recall, precision = (np.asarray(values, float) for values in curve)
    within = all(np.all((values >= 0) & (values <= 1)) for values in (recall, precision))
    if recall.ndim != 1 or recall.shape != precision.shape or not recall.size or not within:
        expected = "(recall, precision), two arrays of one length with values from 0 to 1"
        received = {"recall": recall.shape, "precision": precision.shape, "within_0_to_1": within}
        raise ValueError(invalid("argument `curves`", expected, name, **received))
    return recall, precision
