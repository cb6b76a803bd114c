"""Compute Hamming distances in blocks of queries, in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat

import numpy as np

# A block takes at most so many bytes and queries, but not fewer queries than pay for unpacking the database.
BLOCK_BYTES = 2**27
MOST_ROWS, LEAST_ROWS = 2**10, 2**5
# Database codes whose bits are unpacked at a time.
CHUNK = 2**13

# The bits of a byte, first bit highest, as -0.5 and +0.5.
_HALF_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 0.5


def distance_blocks(
    queries: np.ndarray, database: np.ndarray, each: Callable = map, workers: int = 1
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield Hamming distances of all queries to all database codes, a block of queries at a time.

    They come from matrix products. float32 holds integers up to 2^24, so that one product of float32 carries
    the distances from several queries, as digits of one number.

    Args:
        queries: `(n, l / 8)` uint8.
        database: `(m, l / 8)` uint8.
        each: a map, of a pool of threads where the work is to be shared.
        workers: how many share it.

    Yields:
        (start, distances): the block's first query, and `(b, m)` uint8 (uint16 from 256 bits on), which the
        next block overwrites.
    """
    bits = 8 * queries.shape[1]
    kind = np.dtype(np.uint8 if bits < 256 else np.uint16)
    rows = np.clip(BLOCK_BYTES // (kind.itemsize * len(database)), LEAST_ROWS, MOST_ROWS)
    rows = min(int(rows), len(queries))
    distances = np.empty((rows, len(database)), kind)
    chunks = [slice(first, first + CHUNK) for first in range(0, len(database), CHUNK)]
    shares = [_Share(rows, bits, chunks[worker::workers]) for worker in range(workers)]
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        into = distances[: len(block)]
        deque(each(_Share.fill, shares, repeat(_numbers(block)), repeat(database), repeat(into)), maxlen=0)
        yield start, into


class _Share:
    """Hold one worker's chunks of the database, and what their products need.

    Fresh memory for every product would cost as much as the product: what can be reused is.
    """

    def __init__(self, rows: int, bits: int, chunks: list[slice]):
        self._bits, self._chunks = bits, chunks
        self._half_signs = np.ones((CHUNK, bits + 1), np.float32)
        self._products, self._integers = np.empty(rows * CHUNK, np.float32), np.empty(rows * CHUNK, np.int32)

    def fill(self, made: tuple[np.ndarray, int], database: np.ndarray, into: np.ndarray) -> None:
        """Compute distances of a block's queries, of which `_numbers` made `made`, to the share's codes: into `(b,
        m)`.
        """
        for chunk in self._chunks:
            self._fill_chunk(*made, database[chunk], into[:, chunk])

    def _fill_chunk(self, numbers, digit, chunk, into):
        half_signs = self._half_signs[: len(chunk)]
        half_signs[:, : self._bits] = _HALF_SIGNS.take(chunk, axis=0).reshape(len(chunk), self._bits)
        shape = len(numbers), len(chunk)
        product, number = (space[: shape[0] * shape[1]].reshape(shape) for space in (self._products, self._integers))
        number[:] = np.matmul(numbers, half_signs.T, out=product)
        for row in range(0, len(into), len(numbers)):
            rows = into[row : row + len(numbers)]
            rows[:] = number[: len(rows)] & (2**digit - 1)
            number >>= digit


def _numbers(block):
    """Return rows whose products with an item's half signs, and 1 at the end, are its distances from some queries.

    The distance from one query is `l / 2 - signs of the query . half signs of the item`. The block's first
    queries, as many as there are numbers, make up the lowest digits, the next as many the digits above.

    Args:
        block: `(b, l / 8)` uint8.

    Returns:
        (numbers, digit): `(ceil(b / digits), l + 1)` float32, and the width of a digit in bits.
    """
    bits = 8 * block.shape[1]
    digit = bits.bit_length()
    # Partial sums are multiples of a half, so that one of float32's 24 bits stands behind the point.
    digits = max(23 // digit, 1)
    numbers = np.zeros((-(-len(block) // digits), bits + 1), np.float32)
    for place in range(digits):
        part = block[place * len(numbers) : (place + 1) * len(numbers)]
        numbers[: len(part), :bits] -= 2.0 ** (1 + place * digit) * _HALF_SIGNS[part].reshape(len(part), bits)
        numbers[: len(part), bits] += 2.0 ** (place * digit) * bits / 2
    return numbers, digit
