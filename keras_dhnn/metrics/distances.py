"""Hamming distances in blocks of queries, in bounded memory."""

import numpy as np

# Bytes that a block of distances may take, and database codes whose bits are unpacked at a time.
BLOCK_BYTES = 2**27
CHUNK = 2**13

# The bits of a byte, first bit highest, as -0.5 and +0.5: a dot product of such with signs is half that of
# signs.
_HALF_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) - 0.5


def distance_blocks(queries, database):
    """Hamming distances of all queries to all database codes, a block of queries at a time.

    Args:
        queries: `(n, l / 8)` uint8.
        database: `(m, l / 8)` uint8.

    Yields:
        (start, distances): the block's first query, and `(b, m)` uint8 (uint16 from 256 bits on). The array
            is
        reused by the next block.
    """
    bits = 8 * queries.shape[1]
    kind = np.dtype(np.uint8 if bits < 256 else np.uint16)
    rows = int(np.clip(BLOCK_BYTES // (kind.itemsize * len(database)), 1, len(queries)))
    distances = np.empty((rows, len(database)), kind)
    # Fresh memory for every product would cost as much as the product.
    product, half_signs = np.empty(rows * CHUNK, np.float32), np.empty((CHUNK, bits + 1), np.float32)
    half_signs[:, bits] = 1
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        # distance = l / 2 - (half signs of the item) . (signs of the query); the constant rides along as one
        # more bit.
        signs = np.full((len(block), bits + 1), bits / 2, np.float32)
        signs[:, :bits] = -2 * _HALF_SIGNS[block].reshape(len(block), bits)
        for first in range(0, len(database), CHUNK):
            chunk = database[first : first + CHUNK]
            half_signs[: len(chunk), :bits] = _HALF_SIGNS.take(chunk, axis=0).reshape(len(chunk), bits)
            out = product[: len(block) * len(chunk)].reshape(len(block), len(chunk))
            np.matmul(signs, half_signs[: len(chunk)].T, out=out)
            distances[: len(block), first : first + CHUNK] = out
        yield start, distances[: len(block)]
