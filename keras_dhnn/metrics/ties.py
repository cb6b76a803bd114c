"""Sums of precision over tied items, in closed form, for the orders that a tie leaves open.

One bin holds the `tied` items at one Hamming distance from a query, `relevant` of them relevant; `before`
items lie nearer, `found` of them relevant. A cut-off `k` keeps the first `k` ranks, so that of a bin at most
`k - before` count. All arguments are integer arrays that broadcast; `k` may be None for the whole ranking.
"""

import numpy as np

from keras_dhnn.metrics.harmonic import harmonic_difference


def earlier(counts):
    """Totals of the bins before each bin, along the last axis: `(..., l + 1)` integers, the same out."""
    return np.cumsum(counts, axis=-1) - counts


def ranks_within(k, before, most):
    """How many of `most` ranks after the first `before` are among the first `k`."""
    return most if k is None else np.clip(k - before, 0, most)


def expected_sum(tied, relevant, k=None, gains=None):
    """Expectation over random orders of the sum, over the relevant ranks i of a bin, of precision at i.

    At rank `before + i` stands a relevant item with probability `r / t`, and then on average
    `found + 1 + (i - 1) (r - 1) / (t - 1)` relevant items stand up to there. Summed over i = 1..m with
    `m = min(t, k - before)`, and with `c = r (r - 1) / (t (t - 1))`,

        c m + (r (found + 1) / t - c (1 + before)) (H(before + m) - H(before)).

    With `gains` (the sum s of the bin's graded relevance) it is the sum of average cumulated gain instead of
    precision: r (found + 1) becomes r * found_gain + s, and r (r - 1) becomes s (r - 1).

    Args:
        tied: `(..., l + 1)` integers, items at each distance.
        relevant: the same, relevant items.
        k: cut-off, or None.
        gains: the same, sums of graded relevance; None means that every relevant item has 1.

    Returns:
        `(...,)` float64: the sum over all bins.
    """
    gains = relevant if gains is None else gains
    before, found = earlier(tied), earlier(gains)
    ranks = ranks_within(k, before, tied)
    some, others = np.maximum(tied, 1), np.maximum(tied - 1, 1)
    slope = gains / some * (np.maximum(relevant - 1, 0) / others)
    level = (relevant / some) * found + gains / some
    sums = slope * ranks + (level - slope * (1.0 + before)) * harmonic_difference(before, ranks)
    return sums.sum(axis=-1)


def optimistic_sums(tied, relevant, k=None):
    """Sum of precision over each bin's relevant ranks when its relevant items come first.

    Args:
        tied: `(..., l + 1)` integers, items at each distance.
        relevant: the same, relevant items.
        k: cut-off, or None.

    Returns:
        `(..., l + 1)` float64, per bin.
    """
    return _run(earlier(tied), earlier(relevant), relevant, k)


def pessimistic_sums(tied, relevant, k=None):
    """The same as `optimistic_sums` when each bin's relevant items come last."""
    return _run(earlier(tied) + tied - relevant, earlier(relevant), relevant, k)


def _run(before, found, length, k):
    """Sum of `(found + j) / (before + j)` over j = 1..length, as far as ranks `before + j <= k`."""
    ranks = ranks_within(k, before, length)
    return ranks + (found - before) * harmonic_difference(before, ranks)
