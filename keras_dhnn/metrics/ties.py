"""Sum precision over the items of a tie, in every order that a tie leaves open: in closed form, but for the stable one.

One bin holds the `tied` items at one Hamming distance from a query, `relevant` of them relevant; `before`
items lie nearer, `found` of them relevant. A cut-off `k` keeps the first `k` ranks, so that of a bin at most
`k - before` count. All arguments are integer arrays that broadcast; `k` may be None for the whole ranking.

The stable order is by distance, and among equal distances by the items' numbers. Bins in which all items are relevant,
or none, need no order: their sum is closed-form. Only the items of mixed bins are ordered where these are few.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.special import digamma

from keras_dhnn.metrics.groups import Groups

# From here on the series of `_series` is exact to the last digit of float64.
_SERIES_FROM = 64
# While at most one item in this many lies in a mixed bin, collecting these is faster than ordering all.
_FEW = 32


def earlier(counts: np.ndarray) -> np.ndarray:
    """Return totals of the bins before each bin, along the last axis: `(..., l + 1)` integers, the same out."""
    return np.cumsum(counts, axis=-1) - counts


def ranks_within(k: int | None, before: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return how many of `most` ranks after the first `before` are among the first `k`."""
    return most if k is None else np.clip(k - before, 0, most)


def expected_sum(
    tied: np.ndarray, relevant: np.ndarray, k: int | None = None, gains: np.ndarray | None = None
) -> np.ndarray:
    """Return the expectation over random orders of the sum, over the relevant ranks i of a bin, of precision at i.

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


def optimistic_sums(tied: np.ndarray, relevant: np.ndarray, k: int | None = None) -> np.ndarray:
    """Return the sum of precision over each bin's relevant ranks when its relevant items come first.

    Args:
        tied: `(..., l + 1)` integers, items at each distance.
        relevant: the same, relevant items.
        k: cut-off, or None.

    Returns:
        `(..., l + 1)` float64, per bin.
    """
    return _run(earlier(tied), earlier(relevant), relevant, k)


def pessimistic_sums(tied: np.ndarray, relevant: np.ndarray, k: int | None = None) -> np.ndarray:
    """Return the same as `optimistic_sums` when each bin's relevant items come last."""
    return _run(earlier(tied) + tied - relevant, earlier(relevant), relevant, k)


def _run(before, found, length, k):
    """Return the sum of `(found + j) / (before + j)` over j = 1..length, as far as ranks `before + j <= k`."""
    ranks = ranks_within(k, before, length)
    return ranks + (found - before) * harmonic_difference(before, ranks)


def harmonic_difference(start: ArrayLike, count: ArrayLike) -> np.ndarray:
    """Return `H(start + count) - H(start)`, that is the sum of `1 / (start + i)` over `i = 1..count`.

    The plain difference of two digammas is right to 1e-15, which is not enough: average precision multiplies
    it by as much as the database's size. So large `start` takes the difference of digamma's asymptotic series
    term by term, which is right to 1e-16 of its own value.

    Args:
        start: integers >= 0, any shape.
        count: integers >= 0, broadcast against `start`.

    Returns:
        float64 of the broadcast shape.
    """
    first, count = np.broadcast_arrays(np.asarray(start, np.float64) + 1, np.asarray(count, np.float64))
    few = np.minimum(first, _SERIES_FROM)
    difference = digamma(few + count) - digamma(few)
    return np.where(first < _SERIES_FROM, difference, _series(np.maximum(first, _SERIES_FROM), count))


def _series(x, m):
    """Return `digamma(x + m) - digamma(x)` for large x, without subtracting nearly equal numbers."""
    u, v = 1 / x, 1 / (x + m)
    powers_1 = m * u * v  # u - v
    powers_2 = powers_1 * (u + v)  # u^2 - v^2
    u, v = u * u, v * v
    return (
        np.log1p(m / x)
        + powers_1 / 2
        + powers_2 / 12
        - powers_2 * (u + v) / 120
        + powers_2 * (u * u + u * v + v * v) / 252
    )


def stable_sums(
    tied: np.ndarray,
    relevant: np.ndarray,
    distances: np.ndarray,
    is_relevant: np.ndarray,
    groups: Groups,
    excluded: int,
    cutoffs: Sequence[int | None],
) -> np.ndarray:
    """Return the sum over the relevant ranks i of precision at i, for one query in the stable order.

    Args:
        tied: `(l + 1,)` integers, database items at each distance (without an excluded one).
        relevant: `(l + 1,)` integers, the relevant ones among them.
        distances: `(g,)` unsigned, distance of each group of database items.
        is_relevant: `(m,)` bool, of each item.
        groups: `Groups` of the database.
        excluded: the database item that is left out, or -1.
        cutoffs: cut-offs k, each an integer or None for the whole ranking.

    Returns:
        `(cutoffs,)` float64.
    """
    mixed = (relevant > 0) & (relevant < tied)
    few = _FEW * tied[mixed].sum() <= tied.sum()
    ordered = mixed if few else np.ones_like(mixed)
    sums = np.array([optimistic_sums(tied, relevant, k)[~ordered].sum() for k in cutoffs])
    if not ordered.any():
        return sums
    items: slice | np.ndarray = slice(None)
    if few:
        items = np.sort(groups.members(np.flatnonzero(mixed[distances])))
        items = items[items != excluded]
    of_items = distances[items] if groups.all_distinct else distances[groups.of_item[items]]
    is_relevant = is_relevant[items]
    if excluded >= 0 and not few:
        of_items, is_relevant = np.delete(of_items, excluded), np.delete(is_relevant, excluded)
    ranks, precision = _precision(_in_stable_order(of_items, is_relevant, len(tied)), tied, relevant, ordered)
    return sums + [precision.sum() if k is None else precision[ranks <= k].sum() for k in cutoffs]


def _in_stable_order(distances, is_relevant, bins):
    """Return `(c,)` bool of items, by their `(c,)` distances and then as they come.

    A counting sort that carries the bools along: a sparse matrix of one row, from rows to columns.
    """
    # Indices of 32 bits throughout, or all would be copied to 64.
    ends = np.array([0, len(distances)], np.int32)
    row = csr_array((is_relevant.view(np.uint8), distances.astype(np.int32), ends), shape=(1, bins))
    return row.tocsc().data.view(bool)


def _precision(is_relevant, tied, relevant, ordered):
    """Return ranks of the relevant items, from 1, and precision there: `(r,)` each.

    Args:
        is_relevant: `(c,)` bool of the items of some bins, in the stable order.
        tied: `(l + 1,)` integers, all items at each distance.
        relevant: `(l + 1,)` integers, the relevant ones among them.
        ordered: `(l + 1,)` bool, which bins those are.
    """
    ranks = np.flatnonzero(is_relevant) + 1
    found = np.arange(1, len(ranks) + 1)
    if not ordered.all():
        # What the bins left out hold ranks before the items of farther ones.
        repeats = relevant * ordered
        ranks += np.repeat(earlier(tied * ~ordered), repeats)
        found += np.repeat(earlier(relevant * ~ordered), repeats)
    return ranks, found / ranks
