"""Sums of precision in the stable order: by distance, and among equal distances by the items' numbers.

Bins in which all items are relevant, or none, need no order: their sum is closed-form. Only the items of
mixed bins are ordered where these are few.
"""

import numpy as np
from scipy.sparse import csr_array

from keras_dhnn.metrics.ties import earlier, optimistic_sums

# While at most one item in this many lies in a mixed bin, collecting these is faster than ordering all.
_FEW = 32


def stable_sums(tied, relevant, distances, is_relevant, groups, excluded, cutoffs):
    """Sum over the relevant ranks i of precision at i, for one query in the stable order.

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
    items = slice(None)
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
    """`(c,)` bool of items, by their `(c,)` distances and then as they come.

    A counting sort that carries the bools along: a sparse matrix of one row, from rows to columns.
    """
    # Indices of 32 bits throughout, or all would be copied to 64.
    ends = np.array([0, len(distances)], np.int32)
    row = csr_array((is_relevant.view(np.uint8), distances.astype(np.int32), ends), shape=(1, bins))
    return row.tocsc().data.view(bool)


def _precision(is_relevant, tied, relevant, ordered):
    """Ranks of the relevant items, from 1, and precision there: `(r,)` each.

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
