"""Score items with several labels: relevance is graded by how many labels an item shares with the query.

All are expectations over random orders of items at equal distances.
"""

import numpy as np

from keras_dhnn.metrics.arguments import check_cutoff
from keras_dhnn.metrics.counting import RankingCounts
from keras_dhnn.metrics.ties import earlier, expected_sum, ranks_within


def ndcg(counts: RankingCounts, k: int | None = None, exponential: bool = True) -> np.ndarray:
    """Return the normalised discounted cumulative gain.

    `DCG = sum over ranks i of gain(i) / log2(1 + i)`, divided by that of the best order.

    Args:
        counts: `RankingCounts`.
        k: cut-off, or None for the whole ranking.
        exponential: whether an item that shares g labels gains `2^g - 1`, or just g.

    Returns:
        `(n,)` float64; 0 where nothing is relevant.
    """
    k = check_cutoff("k", k)
    shared = np.arange(counts.by_gain.shape[1], dtype=np.float64)
    gains = np.exp2(shared) - 1 if exponential else shared
    items = counts.items
    ranked = items.sum(axis=1).max()
    discounts = 1 / np.log2(1 + np.arange(1, 1 + (ranked if k is None else min(k, ranked))))
    upto = np.concatenate([[0.0], np.cumsum(discounts)])
    gained = np.einsum("qgd,g->qd", counts.by_gain, gains) / np.maximum(items, 1)
    # The best order is that of a ranking with one bin for each gain, the largest first.
    ideal = _discounted(counts.by_gain.sum(axis=2)[:, ::-1], gains[::-1], upto, k)
    return _discounted(items, gained, upto, k) / np.where(ideal > 0, ideal, 1)


def _discounted(tied, gains, upto, k):
    """Return the discounted cumulative gain, `(n,)`, of bins of `(n, b)` items with mean gains `(n, b)` or `(b,)`."""
    before = earlier(tied)
    last = len(upto) - 1
    counted = ranks_within(k, before, tied)
    return (gains * (upto[np.minimum(before, last) + counted] - upto[np.minimum(before, last)])).sum(axis=1)


def weighted_average_precision(counts: RankingCounts, k: int | None = None) -> np.ndarray:
    """Return the weighted average precision: average cumulated gain, averaged over the relevant ranks.

    `WAP = (1 / n) * sum over relevant ranks i <= k of (1 / i) * (labels shared by the first i items)`, with n
    the number of relevant items, at most k. With one label an item it is average precision.

    Args:
        counts: `RankingCounts`.
        k: cut-off, or None for the whole ranking.

    Returns:
        `(n,)` float64, from 0 to the largest number of shared labels; 0 where nothing is relevant.
    """
    k = check_cutoff("k", k)
    gains = np.einsum("qgd,g->qd", counts.by_gain, np.arange(counts.by_gain.shape[1]))
    best = np.maximum(counts.totals if k is None else np.minimum(counts.totals, k), 1)
    return expected_sum(counts.items, counts.relevant, k, gains) / best
