"""Which database items are relevant to a query, and how much: the number of labels that they share."""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.errors import invalid
from keras_dhnn.metrics.groups import group, small_unsigned, words


@dataclass(frozen=True, eq=False)
class Relevance:
    """Labels, numbered so that items with equal labels have equal numbers.

    Attributes:
        queries: `(n,)` unsigned, the number of each query's label or set of labels.
        database: `(m,)` unsigned, the same of each database item, in the same numbering.
        label_sets: `(numbers, classes)` float32 in {0, 1}, the labels behind each number; None where an item
            has just one label.
        most: the largest gain that can occur.
    """

    queries: np.ndarray
    database: np.ndarray
    label_sets: np.ndarray | None
    most: int

    def gains(self, query, database):
        """Number of labels that one query's number shares with `(m,)` database numbers: `(m,)` int64."""
        if self.label_sets is None:
            return (database == query).astype(np.int64)
        return (self.label_sets @ self.label_sets[query]).astype(np.int64)[database]

    def pair_gains(self, queries, database):
        """Number of labels that query i shares with database item i, by `(n,)` numbers: `(n,)` int64."""
        if self.label_sets is None:
            return (queries == database).astype(np.int64)
        return (self.label_sets[queries] * self.label_sets[database]).sum(axis=1).astype(np.int64)


def relevance(query_labels, database_labels):
    """Relevance by labels.

    Args:
        query_labels: `(n,)` labels (integers or strings), or `(n, classes)` in {0, 1}.
        database_labels: `(m,)` or `(m, classes)`, of the same kind.

    Returns:
        `Relevance`.

    Raises:
        ValueError: if the shapes do not fit each other, or a matrix of labels holds anything but 0 and 1.
    """
    query_labels, database_labels = np.asarray(query_labels), np.asarray(database_labels)
    _check(query_labels, database_labels)
    labels, queries = np.concatenate([query_labels, database_labels]), len(query_labels)
    if labels.ndim == 1:
        if not np.issubdtype(labels.dtype, np.integer):
            labels = np.unique(labels, return_inverse=True)[1]
        numbers = small_unsigned(labels)
        return Relevance(numbers[:queries], numbers[queries:], label_sets=None, most=1)
    groups = group(*words(np.packbits(labels.astype(bool), axis=1)))
    numbers = small_unsigned(groups.of_item)
    most = min(int(query_labels.sum(axis=1).max()), int(database_labels.sum(axis=1).max()))
    label_sets = labels[groups.first].astype(np.float32)
    return Relevance(numbers[:queries], numbers[queries:], label_sets, max(most, 1))


def _check(query_labels, database_labels):
    """Raise unless both are vectors, or both matrices of 0 and 1 with the same classes."""
    for name, labels in (("query_labels", query_labels), ("database_labels", database_labels)):
        if labels.ndim not in (1, 2) or labels.size == 0:
            expected = "shape (n,) or, where items have several labels, (n, classes)"
            raise ValueError(invalid(f"argument `{name}`", expected, shape=labels.shape))
        if labels.ndim == 2 and not ((labels == 0) | (labels == 1)).all():
            expected = "only 0 and 1 in a matrix (n, classes); class numbers go into a vector (n,)"
            raise ValueError(
                invalid(f"argument `{name}`", expected, other=labels[(labels != 0) & (labels != 1)][0].item())
            )
    if query_labels.shape[1:] != database_labels.shape[1:]:
        expected = f"labels of the same kind as the queries', a shape like {query_labels.shape}"
        raise ValueError(invalid("argument `database_labels`", expected, shape=database_labels.shape))
