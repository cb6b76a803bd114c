"""Draw codes in the plane, coloured by class."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid
from keras_dhnn.report.figures.plain_text import plain_text

_MARKERS = "osD^vX"
_GROUP_MARKERS = "ox"
_COLOURS = 10


@plain_text
def embedding_figure(
    points: ArrayLike, labels: ArrayLike, classes: Sequence[str], title: str = "", groups: np.ndarray | None = None
) -> Figure:
    """Return points in the plane, each class in a colour and a marker of its own (SIDHCNN Fig. 5).

    With groups, classes have a colour and groups a marker each; of more than 20 classes some share their colour.

    Args:
        points: `(n, 2)` real.
        labels: `(n,)` integers.
        classes: names; a label is a position here. Those without a point are left out.
        title: of the whole.
        groups: `(n,)` names, such as of image sources, or None.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: if points and labels do not fit each other.
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not len(points):
        expected = "shape (n, 2) with a label each, n > 0"
        raise ValueError(invalid("argument `points`", expected, points=points.shape, labels=labels.shape))
    figure = Figure(figsize=(8.5, 6), layout="constrained")
    axes = figure.add_subplot()
    _draw(axes, points, labels, classes, groups)
    axes.set_title(title)
    _legend(figure, axes, groups)
    return figure


@plain_text
def embedding_panels(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, np.ndarray | None]], classes: Sequence[str], title: str = ""
) -> Figure:
    """Return several embeddings side by side, two a row, with one legend: such as of one network while it is trained.

    Args:
        panels: `{name: (points, labels, groups)}`, each as of `embedding_figure`; of the same classes and groups.
        classes: as of `embedding_figure`.
        title: of the whole.

    Returns:
        matplotlib Figure, an axes a panel.
    """
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(12, 4.5 * rows), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize="medium")
    for number, (name, (points, labels, groups)) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, 2, number)
        _draw(axes, np.asarray(points, float), np.asarray(labels), classes, groups)
        axes.set_title(name)
    _legend(figure, axes, groups)
    return figure


def _draw(axes, points, labels, classes, groups):
    for order, label in enumerate(np.unique(labels)):
        of_class = labels == label
        if groups is None:
            style = {"color": matplotlib.colormaps["tab10"](order % _COLOURS), "linewidths": 0}
            marker = _MARKERS[order // _COLOURS % len(_MARKERS)]
            axes.scatter(*points[of_class].T, label=classes[label], s=10, marker=marker, **style)
            continue
        colour = matplotlib.colormaps["tab20"](order % 20)
        for group, marker in zip(dict.fromkeys(groups.tolist()), _GROUP_MARKERS, strict=False):
            chosen, name = points[of_class & (groups == group)].T, f"{classes[label]}, {group}"
            axes.scatter(*chosen, label=name, s=14, marker=marker, color=colour, linewidths=0.8 * (marker == "x"))
    axes.set(xticks=[], yticks=[])


def _legend(figure, axes, groups):
    handles, names = axes.get_legend_handles_labels()
    how = {"fontsize": "small", "markerscale": 2 if groups is None else 1, "ncols": 1 + (len(names) - 1) // 25}
    figure.legend(handles, names, loc="outside right upper", **how)
