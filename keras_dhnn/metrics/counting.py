"""Count a database by distance and relevance, by distinct code and label instead of by item.

Every metric is derived from these counts. Items are relevant by the labels that they share with the query.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from keras_dhnn.errors import invalid
from keras_dhnn.machine import cores
from keras_dhnn.metrics.arguments import check_codes, check_cutoff, check_length
from keras_dhnn.metrics.distances import distance_blocks
from keras_dhnn.metrics.groups import Groups, group, small_unsigned, ungrouped, words
from keras_dhnn.metrics.ties import stable_sums

# Threads pay from this many distinct codes on: NumPy then spends most of its time outside the interpreter lock.
_THREADS_FROM = 2**16
# Groups counted at a time.
_CHUNK = 2**16


@dataclass(frozen=True, eq=False)
class RankingCounts:
    """Describe what `counting.rank` counted. Every metric of `ranking`, `curves` and `graded` is derived from it.

    Attributes:
        by_gain: `(n, gains + 1, l + 1)` int64; `[q, g, d]` database items at distance d from query q that
            share g labels with it. With one label an item, g is 0 (irrelevant) or 1 (relevant).
        stable: cut-off k (None is the whole ranking) -> `(n,)` float64, the sum of precision at the relevant
            ranks up to k, equal distances being ordered by item number.
    """

    by_gain: np.ndarray
    stable: dict

    @property
    def items(self) -> np.ndarray:
        """Return `(n, l + 1)` int64, database items at each distance."""
        return self.by_gain.sum(axis=1)

    @property
    def relevant(self) -> np.ndarray:
        """Return `(n, l + 1)` int64, relevant database items at each distance."""
        return self.by_gain[:, 1:].sum(axis=1)

    @property
    def totals(self) -> np.ndarray:
        """Return `(n,)` int64, relevant database items of each query."""
        return self.by_gain[:, 1:].sum(axis=(1, 2))

    @property
    def without_relevant(self) -> int:
        """Return the number of queries to which no database item is relevant."""
        return int((self.totals == 0).sum())


def rank(
    query_codes: ArrayLike,
    database_codes: ArrayLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    exclude_self: bool | ArrayLike = False,
    stable_at: Sequence[int | None] = (None,),
) -> RankingCounts:
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
    workers = cores() if len(database.first) >= _THREADS_FROM else 1
    # Products of our own threads: those of the BLAS would only stand in their way.
    # Looking for the BLAS takes as long as ranking a few items, so that is left where nothing is limited.
    limited = threadpool_limits(1, "blas") if workers > 1 else contextlib.nullcontext()
    with ThreadPoolExecutor(workers) as pool, limited:
        each = pool.map if workers > 1 else map
        codes = query_codes[queries.first], database_codes[database.first]
        for start, block in distance_blocks(*codes, each, workers):
            counter.count(start, block, each)
    return RankingCounts(counter.by_gain, dict(zip(cutoffs, counter.stable.T, strict=True)))


class _Counter:
    """Fill in the counts of all queries, one distinct code and label after the other.

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

    def __init__(
        self,
        queries: Groups,
        database: Groups,
        labels: "Relevance",
        own: "OwnCopies",
        bits: int,
        cutoffs: tuple[int | None, ...],
    ):
        self._database, self._own, self._cutoffs = database, own, cutoffs
        self._equal = np.split(queries.items, np.cumsum(queries.sizes)[:-1])
        self._query_labels, self._labels = labels.queries[queries.first], labels
        self.by_gain = np.zeros((len(queries.items), labels.most + 1, bits + 1), np.int64)
        self.stable = np.zeros((len(queries.items), len(cutoffs)))

    def count(self, start: int, block: np.ndarray, each: Callable) -> None:
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


class Targets:
    """Describe the database, as queries with one label (or set of labels) see it.

    Args:
        gains: `(g,)` int64, gain of each group of database items.
        database: `Groups`.
        shape: (gains + 1, l + 1), of the counts.
    """

    def __init__(self, gains: np.ndarray, database: Groups, shape: tuple[int, ...]):
        self._database, self._shape = database, shape
        self._sizes = None if database.all_distinct else database.sizes.astype(np.float64)
        self._relevant = gains > 0
        self._groups = np.flatnonzero(self._relevant)
        self._near_sizes = None if self._sizes is None else self._sizes[self._groups]
        self._items = self._relevant if database.all_distinct else self._relevant[database.of_item]
        self._bins = (gains[self._groups] - 1) * shape[1]

    def count(self, distances: np.ndarray) -> np.ndarray:
        """Return database items by gain and distance, given `(g,)` distances of the groups: int64."""
        levels, bins = self._shape
        counts = np.empty(self._shape, np.int64)
        near = self._bins + distances[self._groups]
        relevant = _histogram(near, self._near_sizes, (levels - 1) * bins)
        counts[1:] = relevant.reshape(levels - 1, bins)
        counts[0] = _histogram(distances, self._sizes, bins) - counts[1:].sum(axis=0)
        return counts

    def stable(
        self, distances: np.ndarray, by_gain: np.ndarray, excluded: int, cutoffs: tuple[int | None, ...]
    ) -> np.ndarray:
        """Return `stable_sums` of one query, given its counts `(gains + 1, l + 1)`."""
        tied, relevant = by_gain.sum(axis=0), by_gain[1:].sum(axis=0)
        return stable_sums(tied, relevant, distances, self._items, self._database, excluded, cutoffs)


def _histogram(bins, sizes, length):
    """Return `np.bincount` in chunks that stay in the processor's cache: it copies its argument to 64 bits."""
    # Below that, looking at all bins of pairs takes longer than counting.
    if sizes is None and bins.dtype == np.uint8 and len(bins) > 256 * length:
        return _histogram_of_pairs(bins, length)
    counts = np.zeros(length, np.int64)
    for start in range(0, len(bins), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        counts += np.bincount(bins[chunk], None if sizes is None else sizes[chunk], length).astype(np.int64)
    return counts


def _histogram_of_pairs(bins, length):
    """Return the same of bytes, two at a time: half as many numbers to count, in 256 times as many bins."""
    paired = bins[: len(bins) // 2 * 2].view("<u2")
    counts = np.zeros(256 * length, np.int64)
    for start in range(0, len(paired), _CHUNK):
        counts += np.bincount(paired[start : start + _CHUNK], minlength=256 * length)
    counts = counts.reshape(length, 256)
    counts = counts.sum(axis=1) + counts[:, :length].sum(axis=0)
    counts[bins[len(paired) * 2 :]] += 1
    return counts


@dataclass(frozen=True, eq=False)
class Relevance:
    """Describe labels, numbered so that items with equal labels have equal numbers.

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

    def gains(self, query: int, database: np.ndarray) -> np.ndarray:
        """Return the number of labels that one query's number shares with `(m,)` database numbers: `(m,)` int64."""
        if self.label_sets is None:
            return (database == query).astype(np.int64)
        return (self.label_sets @ self.label_sets[query]).astype(np.int64)[database]

    def pair_gains(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        """Return the number of labels that query i shares with database item i, by `(n,)` numbers: `(n,)` int64."""
        if self.label_sets is None:
            return (queries == database).astype(np.int64)
        return (self.label_sets[queries] * self.label_sets[database]).sum(axis=1).astype(np.int64)


def relevance(query_labels: ArrayLike, database_labels: ArrayLike) -> Relevance:
    """Return the relevance by labels.

    Args:
        query_labels: `(n,)` labels (integers or strings), or `(n, classes)` in {0, 1}.
        database_labels: `(m,)` or `(m, classes)`, of the same kind.

    Returns:
        `Relevance`.

    Raises:
        ValueError: if the shapes do not fit each other, or a matrix of labels holds anything but 0 and 1.
    """
    query_labels, database_labels = np.asarray(query_labels), np.asarray(database_labels)
    _check_labels(query_labels, database_labels)
    labels, queries = _joined(query_labels, database_labels), len(query_labels)
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


def _joined(query_labels, database_labels):
    """Return both in one array; integers stay exact, also where no type of NumPy holds both."""
    both = [query_labels, database_labels]
    if all(labels.dtype.kind in "iu" for labels in both) and np.result_type(*both).kind == "f":
        both = [labels.astype(object) for labels in both]
    return np.concatenate(both)


def _check_labels(query_labels, database_labels):
    """Raise unless both are vectors, or matrices of 0 and 1 with the same classes; and both of text, or neither."""
    for name, labels in (("query_labels", query_labels), ("database_labels", database_labels)):
        if labels.ndim not in (1, 2) or labels.size == 0:
            expected = "shape (n,) or, where items have several labels, (n, classes)"
            raise ValueError(invalid(f"argument `{name}`", expected, shape=labels.shape))
        if labels.ndim == 2 and not ((labels == 0) | (labels == 1)).all():
            expected = "only 0 and 1 in a matrix (n, classes); class numbers go into a vector (n,)"
            raise ValueError(
                invalid(f"argument `{name}`", expected, other=labels[(labels != 0) & (labels != 1)][0].item())
            )
    kinds = [labels.dtype.kind in "US" for labels in (query_labels, database_labels)]
    if kinds[0] != kinds[1] and "O" not in (query_labels.dtype.kind, database_labels.dtype.kind):
        expected = f"labels of the same kind as the queries', {query_labels.dtype}"
        raise ValueError(invalid("argument `database_labels`", expected, dtype=str(database_labels.dtype)))
    if query_labels.shape[1:] != database_labels.shape[1:]:
        expected = f"labels of the same kind as the queries', a shape like {query_labels.shape}"
        raise ValueError(invalid("argument `database_labels`", expected, shape=database_labels.shape))


class OwnCopies:
    """Describe where each query's own copy stands, how far from it and how relevant.

    Args:
        exclude_self: False: no query has one. True: query i is database item i. `(n,)` integers: the number
            of query i's copy in the database, or -1 where it has none.
        query_codes: `(n, l / 8)` uint8.
        database_codes: `(m, l / 8)` uint8. An own copy's code may differ (another source of the same ground).
        labels: `Relevance` of both.

    Attributes:
        items: `(n,)` int64, database items, -1 where there is none.

    Raises:
        ValueError: if `exclude_self` is neither, or names an item that the database does not have.
    """

    def __init__(
        self, exclude_self: bool | ArrayLike, query_codes: np.ndarray, database_codes: np.ndarray, labels: Relevance
    ):
        self.items = _items(exclude_self, len(query_codes), len(database_codes))
        differing = query_codes ^ database_codes[self.items]
        self._distances = np.unpackbits(differing, axis=1).sum(axis=1, dtype=np.int64)
        self._gains = labels.pair_gains(labels.queries, labels.database[self.items])

    def remove(self, by_gain: np.ndarray, queries: np.ndarray) -> None:
        """Take the own copies of queries `(e,)` out of the counts `(n, gains + 1, l + 1)`, in place."""
        queries = queries[self.items[queries] >= 0]
        by_gain[queries, self._gains[queries], self._distances[queries]] -= 1

    def split(self, queries: np.ndarray) -> list[np.ndarray]:
        """Return some queries `(e,)` in lists of those with the same own copy, or none."""
        queries = queries[np.argsort(self.items[queries], kind="stable")]
        return np.split(queries, np.flatnonzero(np.diff(self.items[queries])) + 1)


def _items(exclude_self, queries, database):
    """Return the argument `exclude_self` as `(n,)` int64, -1 for none."""
    if exclude_self is False:
        return np.full(queries, -1)
    if exclude_self is True:
        if queries != database:
            expected = "True only where query i is database item i, or else the number of each query's copy"
            raise ValueError(invalid("argument `exclude_self`", expected, queries=queries, database=database))
        return np.arange(queries)
    items = np.asarray(exclude_self)
    if items.shape != (queries,) or not np.issubdtype(items.dtype, np.integer):
        raise ValueError(
            invalid(
                "argument `exclude_self`",
                f"a bool, or {queries} integers, one for each query",
                shape=items.shape,
                dtype=str(items.dtype),
            )
        )
    if items.min() < -1 or items.max() >= database:
        expected = f"numbers of database items, at most {database - 1}, or -1 for none"
        raise ValueError(
            invalid("argument `exclude_self`", expected, smallest=int(items.min()), largest=int(items.max()))
        )
    return items.astype(np.int64)
