"""Score retrieval by the float features that the hash head starts from: what hashing is measured by."""

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid
from keras_dhnn.metrics.ties import harmonic_difference

BLOCK_BYTES = 8 << 20  # larger arrays come from fresh pages each time


def cosine_map(
    features: np.ndarray,
    labels: ArrayLike,
    queries: np.ndarray,
    database: np.ndarray,
    searched: np.ndarray | None = None,
) -> float:
    """Compute the mean average precision of ranking the database by cosine similarity of real features.

    Exact, over the whole ranking; items at one similarity count as in `metrics.ranking`: the expectation over their
    random orders. Memory holds the database's features once, as float32, and some queries' similarities at a time.

    Args:
        features: `(n, d)` real; where all are 0, the similarity to everything is 0.
        labels: `(n,)` labels.
        queries: `(q,)` item numbers that search.
        database: `(m,)` item numbers that are searched.
        searched: `(n, d)` real, where items that are searched have other features than those that search.

    Returns:
        The mean over queries; one to which nothing is relevant counts 0.

    Raises:
        ValueError: if there is no query or no item to search.
    """
    if not len(queries) or not len(database):
        what = "arguments `queries` and `database`"
        raise ValueError(invalid(what, "at least one item each", len(queries), len(database)))
    labels, rows = np.asarray(labels), _unit(features if searched is None else searched, database)
    classes, numbers = np.unique(labels[database], return_inverse=True)
    members = dict(zip(classes.tolist(), (np.flatnonzero(numbers == k) for k in range(len(classes))), strict=True))
    step, total = max(1, BLOCK_BYTES // (4 * len(database))), 0.0
    for first in range(0, len(queries), step):
        block = queries[first : first + step]
        for row, label in zip(_unit(features, block) @ rows.T, labels[block].tolist(), strict=True):
            if label in members:
                total += _average_precision(row, members[label])
    return total / len(queries)


def _unit(features, items):
    chosen = np.asarray(features)[items].astype(np.float32, copy=False)
    # A norm by `np.linalg` takes two more arrays of that size.
    lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen))
    chosen /= np.maximum(lengths, np.finfo(np.float32).tiny)[:, None]
    return chosen


def _average_precision(similarities, relevant):
    """Return expected average precision (MATH, ties) of one query.

    Args:
        similarities: `(m,)`.
        relevant: `(r,)` numbers of the relevant items.
    """
    order = np.sort(similarities)
    ties, hits = np.unique(similarities[relevant], return_counts=True)  # ascending
    left, right = np.searchsorted(order, ties), np.searchsorted(order, ties, side="right")
    before, tied = len(order) - right, right - left
    found = len(relevant) - np.cumsum(hits)
    slope = np.where(tied > 1, (hits - 1) / np.maximum(tied - 1, 1), 0.0)
    sums = slope * tied + (found + 1 - slope * (1 + before)) * harmonic_difference(before, tied)
    return float((hits / tied * sums).sum() / len(relevant))
