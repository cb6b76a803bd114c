"""Sums of precision in the stable order: by distance, and among equal distances by the items' numbers.

Bins in which all items are relevant, or none, need no order: their sum is closed-form. Only the items of
mixed bins have to be ordered, a chunk at a time: each chunk continues where the ones before it have left each
bin.
"""

import numpy as np

from keras_dhnn.metrics.ties import earlier, optimistic_sums

# While at most one item in this many lies in a mixed bin, collecting these is faster than ordering all.
_FEW = 32
# Items ordered at a time: what they need stays in the processor's cache.
_CHUNK = 2**16


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
    closed = ~mixed if few else np.zeros_like(mixed)
    sums = np.array([optimistic_sums(tied, relevant, k)[closed].sum() for k in cutoffs])
    if few and not mixed.any():
        return sums
    items = np.sort(groups.members(np.flatnonzero(mixed[distances]))) if few else None
    before, found = earlier(tied), earlier(relevant)
    for chunk in _chunks(len(is_relevant), items, excluded):
        of_chunk = distances[chunk] if groups.all_distinct else distances[groups.of_item[chunk]]
        order = _ChunkOrder(of_chunk, is_relevant[chunk], len(tied))
        ranks, precision = order.precision(before, found)
        sums += [precision.sum() if k is None else precision[ranks <= k].sum() for k in cutoffs]
        before, found = before + order.tied, found + order.relevant
    return sums


def _chunks(total, items, excluded):
    """Runs of some items, or of all `total` if None, without the excluded one: slices or numbers."""
    if items is not None:
        items = items[items != excluded]
        yield from np.split(items, range(_CHUNK, len(items), _CHUNK))
        return
    parts = [(0, total)] if excluded < 0 else [(0, excluded), (excluded + 1, total)]
    for first, end in parts:
        for start in range(first, end, _CHUNK):
            yield slice(start, min(start + _CHUNK, end))


class _ChunkOrder:
    """A run of items, in item order, brought into the stable order.

    Args:
        distances: `(c,)` unsigned.
        is_relevant: `(c,)` bool.
        bins: l + 1.

    Attributes:
        tied: `(l + 1,)` int64, items at each distance.
        relevant: `(l + 1,)` int64, relevant ones.
    """

    def __init__(self, distances, is_relevant, bins):
        # Stable sorting of 8- and 16-bit integers is a radix sort: a pass or two over the items.
        order = np.argsort(distances, kind="stable")
        # Distance and relevance travel as one number, since following the order is what costs.
        ordered = (2 * distances.astype(np.uint16) + is_relevant)[order]
        self._positions = np.flatnonzero((ordered & 1).astype(bool))
        edges = 2 * np.arange(bins + 1, dtype=np.uint16)
        self.tied = np.diff(np.searchsorted(ordered, edges))
        self.relevant = np.diff(np.searchsorted(ordered[self._positions], edges))

    def precision(self, before, found):
        """Ranks of the relevant items and precision there, `(r,)` each.

        Args:
            before: `(l + 1,)`, for each distance the number of items that rank before this run's first one
                there.
            found: `(l + 1,)`, the number of relevant ones among them.
        """
        ranks = self._positions + 1 + np.repeat(before - earlier(self.tied), self.relevant)
        found = np.arange(1, len(ranks) + 1) + np.repeat(found - earlier(self.relevant), self.relevant)
        return ranks, found / ranks
