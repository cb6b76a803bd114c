"""Turn real network outputs into packed hash codes, and measure the distances between them. NumPy only."""

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid

_ONE, _TWO, _FOUR, _HIGHEST = np.array([1, 2, 4, 56], np.uint64)
_PAIRS, _FOURS, _BYTES, _SUM = np.array(
    [0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101], np.uint64
)


def binarize(outputs: ArrayLike) -> np.ndarray:
    """Return signs of the hash layer's outputs, with `sign(0) = +1` (DHNN eq. 6).

    Args:
        outputs: `(n, l)` real, or bool: the bits themselves.

    Returns:
        `(n, l)` int8 in {-1, +1}.

    Raises:
        ValueError: if `outputs` are of an unsigned type, whose values have no sign.
    """
    return np.where(_bits(outputs), np.int8(1), np.int8(-1))


def pack(outputs: ArrayLike) -> np.ndarray:
    """Return packed hash codes of real outputs (or of codes in {-1, +1}); bit = output >= 0, first bit highest.

    Args:
        outputs: `(n, l)` real, or bool: the bits themselves; `l` a multiple of 8.

    Returns:
        `(n, l / 8)` uint8.

    Raises:
        ValueError: if `outputs` is not a matrix, `l` is not a positive multiple of 8, or they are of an unsigned type,
            whose values have no sign.
    """
    outputs = np.asarray(outputs)
    if outputs.ndim != 2 or outputs.shape[1] == 0 or outputs.shape[1] % 8:
        raise ValueError(
            invalid("argument `outputs`", "shape (n, l) with l a positive multiple of 8", shape=outputs.shape)
        )
    return np.packbits(_bits(outputs), axis=1)


def _bits(outputs):
    outputs = np.asarray(outputs)
    if outputs.dtype.kind == "u":
        expected = "real outputs, codes in {-1, +1}, or bits as bool"
        raise ValueError(invalid("argument `outputs`", expected, dtype=str(outputs.dtype)))
    return outputs if outputs.dtype.kind == "b" else outputs >= 0


def unpack(codes: ArrayLike) -> np.ndarray:
    """Return the inverse of `pack`, as signs.

    Args:
        codes: `(n, l / 8)` uint8.

    Returns:
        `(n, l)` int8 in {-1, +1}.

    Raises:
        ValueError: if they are no packed codes.
    """
    return np.unpackbits(check_packed("codes", codes), axis=1).astype(np.int8) * 2 - 1


def check_packed(name: str, codes: ArrayLike, smallest: int = 0) -> np.ndarray:
    """Return packed codes as an array.

    Args:
        name: of the argument, for the message.
        codes: what should be `(n, l / 8)` uint8.
        smallest: number of codes that there should be at least.

    Raises:
        ValueError: unless they are packed, and so many.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.dtype != np.uint8 or codes.shape[1] == 0 or len(codes) < smallest:
        expected = "packed codes (`keras_dhnn.codes.pack`), shape (n, l / 8), uint8"
        expected = f"at least {smallest} of {expected}" if smallest else expected
        raise ValueError(invalid(f"argument `{name}`", expected, shape=codes.shape, dtype=str(codes.dtype)))
    return codes


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
    return np.ascontiguousarray(words.view(np.uint8).reshape(len(words), 8 * words.shape[1])[:, : bits // 8])


def count_bits(words: np.ndarray) -> np.ndarray:
    """Return how many bits of each word are set.

    Args:
        words: array of uint64.

    Returns:
        Array of the same shape, of an unsigned type.
    """
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words)
    # NumPy 1 has no such function: pairs of bits are added, then fours, then bytes.
    counts = words - ((words >> _ONE) & _PAIRS)
    high = counts >> _TWO
    high &= _FOURS
    counts &= _FOURS
    counts += high
    np.right_shift(counts, _FOUR, out=high)
    counts += high
    counts &= _BYTES
    counts *= _SUM
    counts >>= _HIGHEST
    return counts


def hamming_distances(queries: ArrayLike, database: ArrayLike) -> np.ndarray:
    """Return the number of differing bits of every pair. Holds the whole matrix: for rankings at scale see `metrics`.

    Args:
        queries: `(n, l / 8)` uint8.
        database: `(m, l / 8)` uint8.

    Returns:
        `(n, m)` int32.

    Raises:
        ValueError: if they are no packed codes, or of different length.
    """
    queries, database = check_packed("queries", queries), check_packed("database", database)
    if queries.shape[1] != database.shape[1]:
        expected = f"codes as long as the queries', {8 * queries.shape[1]} bits"
        raise ValueError(invalid("argument `database`", expected, bits=8 * database.shape[1]))
    bits = 8 * queries.shape[1]
    return ((bits - unpack(queries).astype(np.float32) @ unpack(database).astype(np.float32).T) / 2).astype(np.int32)
