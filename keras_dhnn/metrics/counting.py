"""Counting a database by distance and relevance, by distinct code and label instead of by item."""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
from threadpoolctl import threadpool_limits

from keras_dhnn.metrics.arguments import check_codes, check_cutoff, check_length
from keras_dhnn.metrics.counts import RankingCounts
from keras_dhnn.metrics.distances import distance_blocks
from keras_dhnn.metrics.groups import group, ungrouped, words
from keras_dhnn.metrics.own_copies import OwnCopies
from keras_dhnn.metrics.relevance import relevance
from keras_dhnn.metrics.targets import Targets

# Threads pay from this many distinct codes on: NumPy then spends most of its time outside the interpreter lock.
_THREADS_FROM = 2**16


def rank(
    query_codes,
    database_codes,
    query_labels,
    database_labels,
    *,
    exclude_self=False,
    stable_at=(None,),
):
    """Count the database by distance and relevance for every query, without a queries x database matrix.

    Args:
        query_codes: `(n, l / 8)` uint8, packed.
        database_codes: `(m, l / 8)` uint8, packed.
        query_labels: `(n,)` labels, or `(n, classes)` in {0, 1} where items have several; then the gain of an
            item is the number of labels that it shares with the query, and it is relevant if there is one.
        database_labels: `(m,)` or `(m, classes)`.
        exclude_self: leave each query's own copy out of its ranking. True: query i is database item i;
            `(n,)` integers: the number of query i's copy in the database, or -1 where it has none.
        stable_at: cut-offs k (None for the whole ranking) at which the stable order's precision is summed.
            This is the slow part for codes that seldom repeat; `()` leaves it out.

    Returns:
        `RankingCounts`.

    Raises:
        ValueError: if codes or labels are empty or do not fit each other, or an argument is out of range.
    """
    query_codes, database_codes = check_codes(query_codes, database_codes)
    query_labels = check_length("query_labels", query_labels, len(query_codes))
    database_labels = check_length("database_labels", database_labels, len(database_codes))
    cutoffs = tuple(check_cutoff("stable_at", k) for k in stable_at)
    labels = relevance(query_labels, database_labels)
    own = OwnCopies(exclude_self, query_codes, database_codes, labels)
    queries = group(*words(query_codes), labels.queries)
    database = group(*words(database_codes), labels.database)
    if 2 * len(database.first) > len(database_codes):
        # Grouping that saves so little costs more: every look-up from items to groups is random access.
        database = ungrouped(len(database_codes))

    counter = _Counter(queries, database, labels, own, 8 * query_codes.shape[1], cutoffs)
    workers = os.cpu_count() if len(database.first) >= _THREADS_FROM else 1
    # Products of our own threads: those of the BLAS would only stand in their way.
    with ThreadPoolExecutor(workers) as pool, threadpool_limits(1 if workers > 1 else None, "blas"):
        each = pool.map if workers > 1 else map
        codes = query_codes[queries.first], database_codes[database.first]
        for start, block in distance_blocks(*codes, each, workers):
            counter.count(start, block, each)
    return RankingCounts(counter.by_gain, dict(zip(cutoffs, counter.stable.T, strict=True)))


class _Counter:
    """Fills in the counts of all queries, one distinct code and label after the other.

    Args:
        queries: `Groups` of the queries.
        database: `Groups` of the database.
        labels: `Relevance` of both.
        own: `OwnCopies`.
        bits: l.
        cutoffs: where the stable order's precision is summed.

    Attributes:
        by_gain: `(n, gains + 1, l + 1)` int64, as in `RankingCounts`.
        stable: `(n, cutoffs)` float64.
    """

    def __init__(self, queries, database, labels, own, bits, cutoffs):
        self._database, self._own, self._cutoffs = database, own, cutoffs
        self._equal = np.split(queries.items, np.cumsum(queries.sizes)[:-1])
        self._query_labels, self._labels = labels.queries[queries.first], labels
        self.by_gain = np.zeros((len(queries.items), labels.most + 1, bits + 1), np.int64)
        self.stable = np.zeros((len(queries.items), len(cutoffs)))

    def count(self, start, block, each):
        """Count a block `(b, g)` of distances of distinct queries, numbered from `start`; `each` is a map."""
        query_labels = self._query_labels[start : start + len(block)]
        for label in np.unique(query_labels):
            gains = self._labels.gains(label, self._labels.database[self._database.first])
            targets = Targets(gains, self._database, self.by_gain.shape[1:])
            rows = np.flatnonzero(query_labels == label)
            done = each(self._count_row, repeat(targets), start + rows, map(block.__getitem__, rows))
            deque(done, maxlen=0)

    def _count_row(self, targets, row, distances):
        """Count `(g,)` distances from one distinct query, for all queries that are equal to it."""
        equal = self._equal[row]
        self.by_gain[equal] = targets.count(distances)
        self._own.remove(self.by_gain, equal)
        for same in self._own.split(equal) if self._cutoffs else ():
            by_gain, own = self.by_gain[same[0]], self._own.items[same[0]]
            self.stable[same] = targets.stable(distances, by_gain, own, self._cutoffs)
