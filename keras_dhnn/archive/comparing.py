"""Find the codes nearest to many queries by comparing all pairs, a block of both at a time that a core's cache holds.

How far the k-th nearest can be at most is known from a sample at first, then from whatever has been found: so that of
each block few pairs are kept, and nothing is sorted but these.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from keras_dhnn.codes import count_bits
from keras_dhnn.machine import cores

# Pairs of a block: so many queries and codes. Bounds are lowered after so many codes, at first by a sample.
_QUERIES, _CODES, _STEP, _SAMPLE = 64, 1 << 12, 1 << 15, 1 << 12
# NumPy 1 counts bits in a dozen passes: there a product of matrices of signs is faster.
_COUNTS_BITS = hasattr(np, "bitwise_count")


class Pairs(NamedTuple):
    """Describe pairs of a query and a code, in order of (query, distance, code).

    Attributes:
        queries: `(p,)` int64, numbers of queries.
        codes: `(p,)` int64, numbers of codes.
        distances: `(p,)` int16.
    """

    queries: np.ndarray
    codes: np.ndarray
    distances: np.ndarray


def compare(
    words: np.ndarray,
    queries: np.ndarray,
    bits: int,
    k: int | None,
    bounds: np.ndarray,
    lowest: int = 0,
    sizes: np.ndarray | None = None,
) -> Pairs:
    """Return for each query the codes within the distance of its k-th nearest.

    Args:
        words: `(w, n)` uint64, codes as `codes.to_words` makes them, turned.
        queries: `(q, w)` uint64.
        bits: l.
        k: how many are wanted; None: all within the bounds.
        bounds: `(q,)` whole numbers, the largest distances that are wanted.
        lowest: below which bounds do not fall.
        sizes: `(n,)`, as how many each code counts; None: one.

    Returns:
        `Pairs`: all that are no farther than the k-th, or than `lowest`.
    """
    comparison = _Comparison(words, queries, bits, k, bounds, lowest, sizes)
    # Products of our own threads: those of the BLAS would only stand in their way.
    with ThreadPoolExecutor(min(cores(), 8)) as pool, threadpool_limits(1, "blas"):
        comparison.sample()
        return comparison.nearest(list(pool.map(comparison.run, range(0, words.shape[1], _STEP))))


class _Comparison:
    """Compare blocks by several threads, which share what is known of the bounds. Arguments are those of `compare`."""

    def __init__(
        self,
        words: np.ndarray,
        queries: np.ndarray,
        bits: int,
        k: int | None,
        bounds: np.ndarray,
        lowest: int,
        sizes: np.ndarray | None,
    ):
        self.words, self.k, self.lowest, self.sizes = words, k, lowest, sizes
        self.bounds = np.minimum(bounds, bits).astype(np.int16)
        self._count, self._distances = len(queries), bits + 1
        starts = range(0, len(queries), _QUERIES)
        self._asked = [_prepared(queries[at : at + _QUERIES].T, of_queries=True) for at in starts]
        self._counts, self._guard = np.zeros((len(queries), bits + 1), np.int64), threading.Lock()

    def sample(self) -> None:
        """Lower the bounds by some codes from all over; each stands for one item at least."""
        block = _prepared(self.words[:, :: max(self.words.shape[1] // _SAMPLE, 1)])
        if self.k is None or self.k > block.shape[1]:
            return
        for number, asked in enumerate(self._asked):
            own = self.bounds[number * _QUERIES : (number + 1) * _QUERIES]
            nearest = np.partition(_distances(asked, block), self.k - 1, axis=1)[:, self.k - 1]
            own[:] = np.minimum(own, np.maximum(nearest + _offset(asked), self.lowest))

    def run(self, first: int) -> Pairs:
        """Compare the codes of one step, and return the pairs within the bounds, in any order."""
        found = []
        for start in range(first, min(first + _STEP, self.words.shape[1]), _CODES):
            block = _prepared(self.words[:, start : min(start + _CODES, first + _STEP)])
            for number, asked in enumerate(self._asked):
                at = number * _QUERIES
                rows, columns, distances = _near(asked, block, self.bounds[at : at + _QUERIES])
                found.append(Pairs(rows + at, columns + start, distances))
        pairs = _joined(found)
        self._lower(pairs)
        return pairs

    def nearest(self, found: list[Pairs]) -> Pairs:
        """Return those of the pairs that are within the bounds now, in order."""
        kept = [_chosen(pairs, pairs.distances <= self.bounds[pairs.queries]) for pairs in found]
        pairs = _joined(kept)
        order = np.lexsort([pairs.codes, pairs.distances, pairs.queries])
        return _chosen(pairs, order)

    def _lower(self, pairs):
        """Lower the bounds by what was found: the k-th smallest of some distances is never below that of all."""
        if self.k is None:
            return
        weights = None if self.sizes is None else self.sizes[pairs.codes]
        keys, length = pairs.queries * self._distances + pairs.distances, self._count * self._distances
        counts = np.bincount(keys, weights, length).astype(np.int64).reshape(self._count, self._distances)
        with self._guard:
            self._counts += counts
            reached = self._counts.cumsum(axis=1) >= self.k
            reach = np.where(reached.any(axis=1), np.maximum(reached.argmax(axis=1), self.lowest), self.bounds)
            self.bounds = np.minimum(self.bounds, reach).astype(np.int16)


def _joined(found):
    """Return all pairs of a list, which is empty where there is no query or no code."""
    none = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int16))
    return Pairs(*(np.concatenate(parts) for parts in zip(none, *found, strict=True)))


def _chosen(pairs, which):
    return Pairs(*(part[which] for part in pairs))


def _prepared(words, of_queries=False):
    """Return what distances are computed of: words `(w, b)` themselves; or their signs `(64 w, b)` float32, halved, and
    of queries turned round.
    """
    if _COUNTS_BITS:
        return words
    bits = np.unpackbits(
        np.ascontiguousarray(words.T, "<u8").view(np.uint8).reshape(words.shape[1], 8 * len(words)), axis=1
    )
    signs = np.ascontiguousarray(bits.T).astype(np.float32) - 0.5
    return -2 * signs if of_queries else signs


def _distances(asked, block):
    """Return distances `(q, b)` of two blocks, less `_offset`."""
    if not _COUNTS_BITS:
        # Of L bits d differ: the product of signs is L - 2 d.
        return asked.T @ block
    distances = count_bits(asked[0][:, None] ^ block[0])
    for own, others in zip(asked[1:], block[1:], strict=True):
        distances = np.add(distances, count_bits(own[:, None] ^ others), dtype=np.uint16)
    return distances


def _offset(asked):
    return 0 if _COUNTS_BITS else len(asked) // 2


def _near(asked, block, bounds):
    """Return (rows, columns, distances) of the pairs of two blocks within the queries' bounds."""
    distances, offset = _distances(asked, block), _offset(asked)
    hits = np.flatnonzero(distances <= (bounds - offset)[:, None].astype(distances.dtype))
    rows, columns = np.divmod(hits, block.shape[1])
    return rows, columns, (distances.ravel()[hits] + offset).astype(np.int16)
