"""Compute precision-recall curves, averaged over queries."""

import numpy as np

from keras_dhnn.metrics.arguments import check_integer
from keras_dhnn.metrics.counting import RankingCounts
from keras_dhnn.metrics.ties import earlier


def precision_recall_by_radius(counts: RankingCounts) -> tuple[np.ndarray, np.ndarray]:
    """Return the precision and recall of hash lookup, for every Hamming radius 0..l.

    Args:
        counts: `RankingCounts`.

    Returns:
        (precision, recall): `(l + 1,)` float64 each, means over queries. A query with nothing within the
        radius has precision 0, one with nothing relevant recall 0.
    """
    items, relevant = counts.items.cumsum(axis=1), counts.relevant.cumsum(axis=1)
    precision = relevant / np.maximum(items, 1)
    recall = relevant / np.maximum(relevant[:, -1:], 1)
    return precision.mean(axis=0), recall.mean(axis=0)


def precision_recall_curve(counts: RankingCounts, levels: int = 101) -> tuple[np.ndarray, np.ndarray]:
    """Return interpolated precision on a grid of recalls, tie-aware, mean over queries.

    Interpolated precision at recall x is the highest precision at any rank where recall is at least x. Inside
    a tie the i-th of t items brings recall and precision to their expectation, as if the r relevant ones were
    spread evenly.

    Args:
        counts: `RankingCounts`.
        levels: number of recall levels, evenly from 0 to 1; 11 and 101 are usual.

    Returns:
        (precision, recall): `(levels,)` float64 each. A query with nothing relevant has precision 0.

    Raises:
        ValueError: if there are fewer than two levels.
    """
    levels = check_integer("levels", levels, smallest=2)
    tied, relevant = counts.items, counts.relevant
    at_ends = relevant.cumsum(axis=1) / np.maximum(tied.cumsum(axis=1), 1)
    # Inside a bin precision moves one way only: the best from some rank on is there or at the end of a bin.
    best_from = np.maximum.accumulate(at_ends[:, ::-1], axis=1)[:, ::-1]
    steps = levels - 1
    precision = [_interpolated(tied, relevant, best_from, step, steps).mean() for step in range(levels)]
    return np.array(precision), np.arange(levels) / steps


def _interpolated(tied, relevant, best_from, step, steps):
    """Return interpolated precision of each query at recall `step / steps`: `(n,)`."""
    found = relevant.cumsum(axis=1)
    total = found[:, -1]
    # The first bin that reaches the level; in integers, lest rounding miss it.
    bins = (found * steps >= total[:, None] * step).argmax(axis=1)[:, None]
    t, r, before, found_before, best = (
        np.take_along_axis(values, bins, axis=1)[:, 0]
        for values in (tied, relevant, earlier(tied), earlier(relevant), best_from)
    )
    missing = np.maximum(total * step - found_before * steps, 0)
    ranks = np.maximum(-(-missing * t // np.maximum(r * steps, 1)), 1)
    here = (found_before + ranks * r / np.maximum(t, 1)) / (before + ranks)
    return np.where(total > 0, np.maximum(here, best), 0.0)
