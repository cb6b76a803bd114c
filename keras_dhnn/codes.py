"""Turn real network outputs into packed hash codes, and measure the distances between them. NumPy only."""

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid


def binarize(outputs: ArrayLike) -> np.ndarray:
    """Return signs of the hash layer's outputs, with `sign(0) = +1` (DHNN eq. 6).

    Args:
        outputs: `(n, l)` real.

    Returns:
        `(n, l)` int8 in {-1, +1}.
    """
    return np.where(np.asarray(outputs) >= 0, np.int8(1), np.int8(-1))


def pack(outputs: ArrayLike) -> np.ndarray:
    """Return packed hash codes of real outputs (or of codes in {-1, +1}); bit = output >= 0, first bit highest.

    Args:
        outputs: `(n, l)` real, `l` a multiple of 8.

    Returns:
        `(n, l / 8)` uint8.

    Raises:
        ValueError: if `outputs` is not a matrix, or `l` is not a positive multiple of 8.
    """
    outputs = np.asarray(outputs)
    if outputs.ndim != 2 or outputs.shape[1] == 0 or outputs.shape[1] % 8:
        raise ValueError(
            invalid("argument `outputs`", "shape (n, l) with l a positive multiple of 8", shape=outputs.shape)
        )
    return np.packbits(outputs >= 0, axis=1)


def unpack(codes: ArrayLike) -> np.ndarray:
    """Return the inverse of `pack`, as signs.

    Args:
        codes: `(n, l / 8)` uint8.

    Returns:
        `(n, l)` int8 in {-1, +1}.
    """
    return np.unpackbits(np.asarray(codes, np.uint8), axis=1).astype(np.int8) * 2 - 1


def to_words(codes: np.ndarray) -> np.ndarray:
    """Return packed codes as whole words, filled up with zero bits to a multiple of 64.

    Args:
        codes: `(n, l / 8)` uint8.

    Returns:
        `(n, w)` int64, w = l / 64 rounded up; a code's first byte is a word's lowest, on any machine.
    """
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % 8)))
    return (
        np.ascontiguousarray(padded).view("<i8").reshape(len(codes), padded.shape[1] // 8).astype(np.int64, copy=False)
    )


def from_words(words: np.ndarray, bits: int) -> np.ndarray:
    """Return the inverse of `to_words`.

    Args:
        words: `(n, w)` int64.
        bits: l, a multiple of 8.

    Returns:
        `(n, l / 8)` uint8.
    """
    words = np.ascontiguousarray(words, "<i8")
    return np.ascontiguousarray(words.view(np.uint8).reshape(len(words), -1)[:, : bits // 8])


def hamming_distances(queries: ArrayLike, database: ArrayLike) -> np.ndarray:
    """Return the number of differing bits of every pair. Holds the whole matrix: for rankings at scale see `metrics`.

    Args:
        queries: `(n, l / 8)` uint8.
        database: `(m, l / 8)` uint8.

    Returns:
        `(n, m)` int32.

    Raises:
        ValueError: if the codes are of different length.
    """
    queries, database = np.asarray(queries, np.uint8), np.asarray(database, np.uint8)
    if queries.shape[1] != database.shape[1]:
        expected = f"codes as long as the queries', {8 * queries.shape[1]} bits"
        raise ValueError(invalid("argument `database`", expected, bits=8 * database.shape[1]))
    bits = 8 * queries.shape[1]
    return ((bits - unpack(queries).astype(np.float32) @ unpack(database).astype(np.float32).T) / 2).astype(np.int32)
