"""The database as the queries of one label see it."""

import numpy as np

from keras_dhnn.metrics.stable import stable_sums

# Groups counted at a time.
_CHUNK = 2**16


class Targets:
    """The database, as queries with one label (or set of labels) see it.

    Args:
        gains: `(g,)` int64, gain of each group of database items.
        database: `Groups`.
        shape: (gains + 1, l + 1), of the counts.
    """

    def __init__(self, gains, database, shape):
        self._database, self._shape = database, shape
        self._sizes = None if database.all_distinct else database.sizes.astype(np.float64)
        self._relevant = gains > 0
        self._groups = np.flatnonzero(self._relevant)
        self._near_sizes = None if self._sizes is None else self._sizes[self._groups]
        self._items = self._relevant if database.all_distinct else self._relevant[database.of_item]
        self._bins = (gains[self._groups] - 1) * shape[1]

    def count(self, distances):
        """Database items by gain and distance, given `(g,)` distances of the groups: int64."""
        levels, bins = self._shape
        counts = np.empty(self._shape, np.int64)
        near = self._bins + distances[self._groups]
        relevant = _histogram(near, self._near_sizes, (levels - 1) * bins)
        counts[1:] = relevant.reshape(levels - 1, bins)
        counts[0] = _histogram(distances, self._sizes, bins) - counts[1:].sum(axis=0)
        return counts

    def stable(self, distances, by_gain, excluded, cutoffs):
        """`stable_sums` of one query, given its counts `(gains + 1, l + 1)`."""
        tied, relevant = by_gain.sum(axis=0), by_gain[1:].sum(axis=0)
        return stable_sums(tied, relevant, distances, self._items, self._database, excluded, cutoffs)


def _histogram(bins, sizes, length):
    """`np.bincount` in chunks that stay in the processor's cache: it copies its argument to 64 bits."""
    # Below that, looking at all bins of pairs takes longer than counting.
    if sizes is None and bins.dtype == np.uint8 and len(bins) > 256 * length:
        return _histogram_of_pairs(bins, length)
    counts = np.zeros(length, np.int64)
    for start in range(0, len(bins), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        counts += np.bincount(bins[chunk], None if sizes is None else sizes[chunk], length).astype(np.int64)
    return counts


def _histogram_of_pairs(bins, length):
    """The same of bytes, two at a time: half as many numbers to count, in 256 times as many bins."""
    paired = bins[: len(bins) // 2 * 2].view("<u2")
    counts = np.zeros(256 * length, np.int64)
    for start in range(0, len(paired), _CHUNK):
        counts += np.bincount(paired[start : start + _CHUNK], minlength=256 * length)
    counts = counts.reshape(length, 256)
    counts = counts.sum(axis=1) + counts[:, :length].sum(axis=0)
    counts[bins[len(paired) * 2 :]] += 1
    return counts
