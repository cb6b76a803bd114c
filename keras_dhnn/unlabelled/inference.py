"""Infer labels for the images that have none, from those of a few, and how sure they are."""

from typing import NamedTuple

import numpy as np

from keras_dhnn.errors import invalid
from keras_dhnn.unlabelled.propagation import propagate
from keras_dhnn.unlabelled.structure import Structure

UNKNOWN = -1
# The classifier's say beside the graph's: its probabilities are raised to this power. Chosen on UC Merced with 1 to 20
# labels a class (docs/measurements/few-labels.md).
_CLASSIFIER_POWER = 2
_LEAST_MASS = 1e-6


class Inferred(NamedTuple):
    """Describe a label for every item.

    Attributes:
        labels: `(n,)` int32, the given labels, and the likeliest one where none is given.
        margins: `(n,)` float32 in 0 to 1, by how much the likeliest label is more probable than the next; 1 where it is
            given.
    """

    labels: np.ndarray
    margins: np.ndarray


def infer_labels(structure: Structure, labels: np.ndarray) -> Inferred:
    """Infer the labels that are missing, by the neighbour graph and a linear classifier together.

    With few labels the graph knows more, with many the classifier; the product of both is better than either.

    Args:
        structure: of the n items.
        labels: `(n,)` integers, `UNKNOWN` where there is none.

    Returns:
        `Inferred`.

    Raises:
        ValueError: if no label is given.
    """
    labels = np.asarray(labels)
    given = np.flatnonzero(labels != UNKNOWN)
    if not len(given):
        raise ValueError(invalid("argument `labels`", "at least one that is known"))
    classes, numbers = np.unique(labels[given], return_inverse=True)
    chances = _by_graph(structure.graph, given, numbers) * _by_classifier(structure.units, given, numbers)
    chances /= chances.sum(axis=1, keepdims=True)
    chances[given] = np.eye(len(classes), dtype=chances.dtype)[numbers]
    likeliest = chances.argmax(axis=1)
    best = np.sort(np.pad(chances, ((0, 0), (1, 0))), axis=1)
    return Inferred(classes[likeliest].astype(np.int32), (best[:, -1] - best[:, -2]).astype(np.float32))


def _by_graph(graph, given, numbers):
    """Return `(n, c)` chances of each class, whose mass over all items is the same: that of few labels says little."""
    mass = propagate(graph, _one_hot(graph.shape[0], given, numbers))
    mass /= np.maximum(mass.sum(axis=0), np.finfo(np.float32).tiny)
    return mass / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny) + _LEAST_MASS


def _by_classifier(units, given, numbers):
    """Return `(n, c)` chances of each class by its features, sharpened."""
    if numbers.max() == 0:
        return np.ones((len(units), 1))
    from sklearn.linear_model import LogisticRegression  # takes a second, and most runs have all labels

    classifier = LogisticRegression(max_iter=500, class_weight="balanced").fit(units[given], numbers)
    return np.maximum(classifier.predict_proba(units), _LEAST_MASS) ** _CLASSIFIER_POWER


def _one_hot(count, given, numbers):
    matrix = np.zeros((count, numbers.max() + 1), np.float32)
    matrix[given, numbers] = 1
    return matrix
