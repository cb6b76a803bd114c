"""Find the codes nearest to a query by multi-index hashing: exact, and without looking at most of them.

A code of l bits is split into m = l / 16 substrings, and codes are kept sorted by each of these. Whatever differs from
a query in r bits differs in some substring j in so few, t, that t m + j <= r (Norouzi, Punjani, Fleet: Fast Search in
Hamming Space with Multi-Index Hashing, CVPR 2012, propositions 1 and 2). So step r = 0, 1, 2, ... looks at the codes
whose substring r % m differs in exactly r // m bits, and after it all codes within r are known. Pairs among the codes
themselves are found otherwise: see `near_pairs`.
"""

import functools
import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from keras_dhnn.archive.comparing import compare
from keras_dhnn.codes import count_bits
from keras_dhnn.machine import cores

WIDTH = 16
# Of no more codes than these it is not asked whether they repeat: they are put in order.
_FEW = 1 << 16
# Codes by which a first bound of the k-th distance is found.
_SAMPLE = 1 << 13
# Where more than one code in so many has been looked at, comparing the others too costs no more.
_MOST_SEEN = 3


class Near(NamedTuple):
    """Describe what was found for one query, in order of (distance, position).

    Attributes:
        positions: `(r,)` int64.
        distances: `(r,)` int16.
    """

    positions: np.ndarray
    distances: np.ndarray


class CodeTables:
    """Hold codes, equal ones once; sorted by their substrings from the first search that asks for it.

    Args:
        words: `(n, w)` int64, see `codes.to_words`.
        bits: l.

    Attributes:
        distinct: number of codes that a search looks at.
    """

    def __init__(self, words: np.ndarray, bits: int):
        self.bits, self.count = bits, -(-bits // WIDTH)
        self._positions, self._starts = _grouped(words)
        firsts = words if self._starts is None else words[self._positions[self._starts[:-1]]]
        self._words = np.ascontiguousarray(firsts.T).view(np.uint64)
        self.distinct = len(firsts)
        self._sample = self._words[:, :: max(self.distinct // _SAMPLE, 1)]
        self._made: list[_Table] = []
        self._guard = threading.Lock()

    @property
    def sorted(self) -> bool:
        """Return whether codes are sorted by their substrings already."""
        return bool(self._made)

    @property
    def bytes(self) -> int:
        """Return what is held in memory."""
        held = [self._words, self._positions, self._starts, *(array for table in self._made for array in table)]
        return sum(array.nbytes for array in held if array is not None)

    def nearest_of_all(
        self, codes: np.ndarray, k: int | None, bounds: np.ndarray, whole: int | None = None, by_tables: bool = True
    ) -> list[Near]:
        """Find the k nearest positions of each query, by several threads.

        Args:
            codes: `(q, w)` int64, the queries' words.
            k: as of `nearest`.
            bounds: `(q,)`, the largest distances that are wanted.
            whole: as of `nearest`.
            by_tables: whether tables are looked at, or all codes compared.
        """
        if by_tables:
            with ThreadPoolExecutor(min(cores(), 8)) as pool:
                return list(pool.map(lambda code, bound: self.nearest(code, k, bound, whole), codes, bounds))
        queries = np.ascontiguousarray(codes, "<i8").view(np.uint64)
        pairs = compare(self._words, queries, self.bits, k, bounds, whole or 0, self._sizes(slice(None)))
        edges = np.searchsorted(pairs.queries, np.arange(len(codes) + 1))
        spans = [slice(*edge) for edge in itertools.pairwise(edges)]
        return [self._expanded(pairs.codes[span], pairs.distances[span], k, whole) for span in spans]

    def nearest(self, code: np.ndarray, k: int | None, bound: int, whole: int | None = None) -> Near:
        """Find the k nearest positions of one query by tables.

        Args:
            code: `(w,)` int64, the query's words.
            k: of them at most; None: all within the bound.
            bound: the largest distance that is wanted.
            whole: None: no more than k; else all as far as the k-th too, and all within this distance.
        """
        query = np.ascontiguousarray(code, "<i8").view(np.uint64)
        state = _State(k, bound, whole or 0, self.bits, _distances(self._sample, query))
        if not self._by_tables(query, state):
            state.clear()
            groups, distances = self._all(query, state.bound)
            state.take(groups, distances, self._sizes(groups))
        groups, distances = state.found()
        return self._expanded(groups, distances, k, whole)

    def _tables(self):
        with self._guard:
            self._made = self._made or [_Table(self._words, number) for number in range(self.count)]
        return self._made

    def _by_tables(self, query, state):
        """Search until the k-th distance is known, or return False where comparing all is cheaper."""
        substrings, seen, tables = query.view(np.uint16), 0, self._tables()
        for step in range(state.bound + 1):
            table = tables[step % self.count]
            flips = _flips(_width(self.bits, step % self.count), step // self.count)
            keys = int(substrings[step % self.count]) ^ flips
            seen += int((table.starts[keys + 1] - table.starts[keys]).sum()) + len(keys)
            if seen > self.distinct // _MOST_SEEN:
                return False
            groups, distances = table.within(keys, query, state.bound)
            new = steps_of(self._words[:, groups], query, self.bits).min(axis=1) == step
            state.take(groups[new], distances[new], self._sizes(groups[new]))
            if step >= state.bound:
                return True
        return True

    def _all(self, query, bound):
        distances = _distances(self._words, query)
        groups = np.flatnonzero(distances <= bound)
        return groups, distances[groups].astype(np.int16)

    def _sizes(self, groups):
        """Return how many positions groups have, None: each one."""
        return None if self._starts is None else np.diff(self._starts)[groups]

    def _expanded(self, groups, distances, k, whole):
        positions = groups
        if self._starts is not None:
            sizes = self._sizes(groups)
            # Positions ascend in a group, so that its first k are enough.
            sizes = sizes if whole is not None or k is None else np.minimum(sizes, k)
            ends = np.cumsum(sizes)
            within = np.arange(sizes.sum()) - np.repeat(ends - sizes, sizes)
            positions = self._positions[np.repeat(self._starts[groups], sizes) + within]
            distances = np.repeat(distances, sizes)
        order = np.lexsort([positions, distances])
        order = order if whole is not None or k is None else order[:k]
        return Near(positions[order].astype(np.int64), distances[order])


class _Table:
    """Hold codes in order of one substring.

    Args:
        words: `(w, n)` uint64.
        number: of the substring.
    """

    def __init__(self, words, number):
        keys = np.ascontiguousarray(words[number // 4].view("<u2").reshape(-1, 4)[:, number % 4])
        self.order = np.argsort(keys, kind="stable").astype(np.int32)
        self.words = words[:, self.order]
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=1 << WIDTH))])
        self._slices = self.starts.tolist()

    def __iter__(self):
        return iter((self.order, self.words, self.starts))

    def within(self, keys, query, bound):
        """Return codes with these substrings within a distance of a query `(w,)`, and distances: `(g,)` each."""
        starts, listed = self._slices, keys.tolist()
        near = [np.concatenate([word[starts[key] : starts[key + 1]] for key in listed]) for word in self.words]
        if not len(near[0]):
            return np.zeros(0, np.int64), np.zeros(0, np.int16)
        distances = _distances(near, query)
        hits = np.flatnonzero(distances <= bound)
        lengths = self.starts[keys + 1] - self.starts[keys]
        ends = np.cumsum(lengths)
        which = np.searchsorted(ends, hits, side="right")
        places = self.starts[keys[which]] + hits - (ends - lengths)[which]
        return self.order[places].astype(np.int64), distances[hits].astype(np.int16)


class _State:
    """Hold what is known of one query: groups found, and a bound of the k-th distance, which falls.

    Args:
        k: how many positions are wanted, None: all within the bound.
        bound: the largest distance that is wanted.
        lowest: below which the bound does not fall.
        bits: l.
        sample: `(s,)` distances of some positions.
    """

    def __init__(self, k, bound, lowest, bits, sample):
        self.k, self.bits, self.bound, self.lowest = k, bits, bound, lowest
        self._lower(self._counted(sample, None))
        self.clear()

    def clear(self):
        """Forget what was found, but not the bound."""
        self.groups, self.distances = [], []
        self.counts = np.zeros(self.bits + 1, np.int64)

    def take(self, groups, distances, sizes):
        """Add groups, each once, with their distances; `sizes` is how many positions each has, None: one."""
        if len(groups):
            self.groups.append(groups)
            self.distances.append(distances)
            self.counts += self._counted(distances, sizes)
            self._lower(self.counts)

    def found(self):
        """Return the groups within the bound, and their distances."""
        groups = np.concatenate([np.zeros(0, np.int64), *self.groups])
        distances = np.concatenate([np.zeros(0, np.int16), *self.distances])
        near = distances <= self.bound
        return groups[near], distances[near]

    def _counted(self, distances, sizes):
        return np.bincount(distances.astype(np.int64), weights=sizes, minlength=self.bits + 1).astype(np.int64)

    def _lower(self, counts):
        if self.k is not None:
            self.bound = min(self.bound, max(int(np.searchsorted(np.cumsum(counts), self.k)), self.lowest))


def _grouped(words):
    """Return positions in order of their codes and where each distinct code begins, or None twice where few codes are
    met twice.
    """
    spread = words[:: max(len(words) // _SAMPLE, 1)]
    if len(np.unique(spread, axis=0)) > 0.98 * len(spread) and len(words) > _FEW:
        return None, None
    positions = np.lexsort(words.T)
    ordered = words[positions]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])[: len(words)])
    return positions.astype(np.int32), np.append(starts, len(words))


def _distances(words, query):
    """Return distances `(n,)`, of some whole type, between codes, w arrays `(n,)`, and a query `(w,)`."""
    first, *others = (count_bits(word ^ own) for word, own in zip(words, query, strict=True))
    return functools.reduce(lambda sum, more: np.add(sum, more, dtype=np.int16, casting="unsafe"), others, first)


def steps_of(words: np.ndarray, query: np.ndarray, bits: int) -> np.ndarray:
    """Return the steps t m + j at which codes are looked at by their substrings j, which are t bits off.

    Args:
        words: `(w, g)` uint64.
        query: `(w,)` uint64.
        bits: l.

    Returns:
        `(g, m)` int64.
    """
    count = -(-bits // WIDTH)
    differing = np.ascontiguousarray((words ^ query[:, None]).T).view("<u2")[:, :count]
    return count_bits(differing.astype(np.uint64)).astype(np.int64) * count + np.arange(count)


def substrings_within(bits: int, radius: int) -> int:
    """Return at how many substrings a search looks until all codes within a radius are known."""
    count = -(-bits // WIDTH)
    return sum(math.comb(_width(bits, step % count), step // count) for step in range(radius + 1))


def _width(bits, number):
    """Return the length of a substring."""
    return min(WIDTH, bits - WIDTH * number)


@functools.lru_cache(maxsize=64)
def _flips(width, size):
    """Return all numbers of so many bits of which `size` are set."""
    numbers = [sum(1 << bit for bit in chosen) for chosen in itertools.combinations(range(width), size)]
    return np.array(numbers, np.int64)
