"""Find all pairs of codes that are near to each other, without looking at most pairs.

If two codes of l bits differ in at most r bits and each is split into r + 1 substrings, then some substring is equal.
So it is enough to compare codes that share one. What is nearest to a query is found otherwise: see `code_tables`.
"""

import numpy as np

from keras_dhnn.codes import count_bits


def pairs_within(words: np.ndarray, bits: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Find all pairs of distinct codes that differ in a few bits, and enough pairs of equal codes to connect them.

    Args:
        words: `(n, w)` int64, see `codes.to_words`.
        bits: l.
        radius: r >= 0.

    Returns:
        `(firsts, seconds)`, `(p,)` int64 each: firsts < seconds. Equal codes are joined to the first of their kind
        only.
    """
    distinct, first, inverse = np.unique(words, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.ravel()
    others = np.flatnonzero(first[inverse] != np.arange(len(words)))
    firsts, seconds = [first[inverse[others]]], [others]
    if radius > 0 and len(distinct) > 1:
        left, right = _distinct_pairs(distinct, bits, radius)
        one, two = first[left], first[right]
        firsts.append(np.minimum(one, two))
        seconds.append(np.maximum(one, two))
    return np.concatenate(firsts), np.concatenate(seconds)


def substrings(words: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Split codes into substrings of nearly equal length, at most 16 bits each.

    Args:
        words: `(n, w)` int64.
        bits: l.
        count: m.

    Returns:
        `(m, n)` int32, each a number below 2^16.
    """
    flat = np.unpackbits(np.ascontiguousarray(words, "<i8").view(np.uint8), axis=1)[:, :bits]
    parts = np.array_split(flat, count, axis=1)
    return np.stack([part.astype(np.int32) @ (1 << np.arange(part.shape[1], dtype=np.int32)) for part in parts])


def _distinct_pairs(words, bits, radius):
    """Return pairs of distinct codes, each once."""
    if radius >= bits:
        # Complementary codes have no substring in common, however short these are.
        return np.triu_indices(len(words), 1)
    count = min(max(radius + 1, -(-bits // 16)), bits)
    found = [_pairs_of_equal(keys, words, radius) for keys in substrings(words, bits, count)]
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _pairs_of_equal(keys, words, radius):
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    pairs = []
    for run in np.split(order, starts[1:]):
        for at in range(len(run) - 1):
            near = run[at + 1 :][_apart(words, run[at], run[at + 1 :]) <= radius]
            if len(near):
                pairs.append(np.stack([np.full(len(near), run[at]), near], axis=1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def _apart(words, one, other):
    return count_bits((words[one] ^ words[other]).view(np.uint64)).sum(axis=1, dtype=np.int64)
