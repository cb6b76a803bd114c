"""Codes in the plane, coloured by class."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

_MARKERS = "osD^vX"
_COLOURS = 10


def embedding_figure(points, labels, classes, title=""):
    """Points in the plane, each class in a colour and a marker of its own (SIDHCNN Fig. 5).

    Args:
        points: `(n, 2)` real.
        labels: `(n,)` integers.
        classes: names; a label is a position here. Those without a point are left out.
        title: of the whole.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: if points and labels do not fit each other.
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1] or not len(points):
        raise ValueError(
            "Invalid value received for argument `points`. Expected shape (n, 2) with a label each, n > 0. Received: "
            f"points of shape {points.shape}, labels of shape {labels.shape}"
        )
    figure = Figure(figsize=(8.5, 6), layout="constrained")
    axes = figure.add_subplot()
    colours = matplotlib.colormaps["tab10"]
    for order, label in enumerate(np.unique(labels)):
        axes.scatter(
            *points[labels == label].T,
            label=classes[label],
            s=10,
            color=colours(order % _COLOURS),
            marker=_MARKERS[order // _COLOURS % len(_MARKERS)],
            linewidths=0,
        )
    axes.set(title=title, xticks=[], yticks=[])
    columns = 1 + (len(np.unique(labels)) - 1) // 25
    figure.legend(loc="outside right upper", fontsize="small", markerscale=2, ncols=columns)
    return figure
