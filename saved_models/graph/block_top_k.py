"""Find the k codes most similar to each of a few queries, by (similarity, index), from stock operations.

`tf.math.top_k` over whole rows is slow. If the k best blocks are taken by (greatest similarity, lowest block), any
other block is preceded by k blocks that each hold an element at least as good at a lower index, so none of its
elements is among the k best. Similarities of the chosen blocks are computed a second time, which is cheaper than
keeping all of them.
"""

import numpy as np
import tensorflow as tf

# Fewer codes than this are not worth two steps.
ONE_STEP = 2048
# A pair costs least without broadcasting, one query at a time, but then each query costs a tenth of a millisecond more.
ONE_QUERY = 2**18
# The class of a code that no search may find.
NO_CLASS = -2


def tiling(size: int) -> tuple[int, int]:
    """Return queries in a tile and codes in a chunk, so that what one operation leaves is in the cache for the next."""
    return (1, 2**20) if size >= ONE_QUERY else (50, 2**13)


def block_size(size: int) -> int:
    """Return codes in a block: about as many blocks to choose from as codes in the blocks chosen, for the usual k."""
    return 16 if size < 2**15 else 32 if size < ONE_QUERY else 128


def fill_block(words: np.ndarray) -> np.ndarray:
    """Return words `(m, w)` filled up to whole blocks with copies of the last code, so that no block's maximum
    grows.
    """
    rest = -len(words) % block_size(len(words)) if len(words) > ONE_STEP else 0
    return np.pad(words, ((0, rest), (0, 0)), mode="edge" if rest else "constant")


def query_words(query_codes: tf.Tensor) -> list[tf.Tensor]:
    """Return complements of packed codes `(q, l / 8)` as a list of `(q,)` int64, with zeros for the bits that fill
    up.
    """
    size = query_codes.shape[1]
    filled = tf.pad(tf.bitwise.invert(query_codes), [[0, 0], [0, -size % 8]])
    return tf.unstack(tf.bitcast(tf.reshape(filled, (-1, -(-size // 8), 8)), tf.int64), axis=1)


def nearest(
    queries: list[tf.Tensor],
    words: list[tf.Tensor],
    size: int,
    k: tf.Tensor,
    bits: int,
    classes: tf.Tensor | None = None,
    wanted: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the k most similar codes of each query, by (distance, index).

    Args:
        queries: list of `(t,)` int64, complements of the queries' words.
        words: list of `(m',)` int64, the codes' words, filled up as by `fill_block`.
        size: m, without what fills up.
        k: scalar int32 <= m.
        bits: l.
        classes: `(m',)` int32 class of each code, `NO_CLASS` for one that may not be found, or None.
        wanted: `(t,)` int32 class that each query asks for, -1 for any; None: all ask for any.

    Returns:
        Indices and distances `(t, k)` int32. Codes that may not be found come last, at distance l + 1.
    """
    block = block_size(size)

    def similarities(words: list[tf.Tensor], classes: tf.Tensor | None) -> tf.Tensor:
        """Count `(t, c)`: bits in common, plus 1 if there is a filter, which leaves 0 for what may not be found."""
        common = in_common(queries, words, bits)
        if classes is None:
            return common
        asked = -1 if wanted is None else wanted[:, None]
        found = is_asked(classes, asked)
        return tf.where(found, common + 1, tf.zeros((), common.dtype))

    def of_chunk(start: int, stop: int) -> tf.Tensor:
        chunk = [word[start:stop][None] for word in words]
        return similarities(chunk, None if classes is None else classes[start:stop][None])

    def of_blocks(blocks: tf.Tensor) -> tf.Tensor:
        """Copy codes in whole blocks."""
        copies = [
            tf.reshape(tf.gather(tf.reshape(part, (-1, block)), blocks), (tf.shape(blocks)[0], -1))
            for part in (words if classes is None else [*words, classes])
        ]
        return similarities(copies[: len(words)], None if classes is None else copies[-1])

    if size <= ONE_STEP:
        best, indices = tf.math.top_k(of_chunk(0, size), k)
    else:
        blocks = _best_blocks(of_chunk, words[0].shape[0], block, k)
        again = of_blocks(blocks)
        if size % block:
            again = _without_filling(again, blocks, block, size)
        best, order = tf.math.top_k(again, k)
        indices = tf.gather(blocks, order // block, batch_dims=1) * block + order % block
    return indices, bits + (0 if classes is None else 1) - tf.cast(best, tf.int32)


def is_asked(classes: tf.Tensor, asked: tf.Tensor | int) -> tf.Tensor:
    """Return where a class may be found by who asks for one, or by -1 for any; tensors that broadcast."""
    return (classes >= 0) & ((classes == asked) | (asked == -1))


def _best_blocks(of_chunk, size, block, k):
    """Return the blocks that hold the k best, `(t, min(k, blocks))` int32, ascending."""
    chunk = tiling(size)[1]
    maxima = []
    for start in range(0, size, chunk):
        stop = min(start + chunk, size)
        maxima.append(tf.reduce_max(tf.reshape(of_chunk(start, stop), (-1, (stop - start) // block, block)), axis=2))
    maxima = tf.concat(maxima, axis=1)
    _, blocks = tf.math.top_k(maxima, tf.minimum(k, maxima.shape[1]))
    return tf.sort(blocks, axis=1)


def _without_filling(similarities, blocks, block, size):
    """Return similarities `(t, b * block)` of blocks `(t, b)`, 0 for what fills the last block: that comes after all
    codes.
    """
    inside = (blocks < size // block)[:, :, None] | (tf.range(block) < size % block)
    return tf.where(tf.reshape(inside, tf.shape(similarities)), similarities, tf.zeros((), similarities.dtype))


def count_within(
    queries: list[tf.Tensor],
    words: list[tf.Tensor],
    size: int,
    bits: int,
    radius: tf.Tensor,
    sizes: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return how many items lie within a radius of each query.

    Args:
        queries: list of `(t,)` int64, complements of the queries' words.
        words: list of `(m',)` int64, the codes' words, filled up as by `fill_block`.
        size: m, without what fills up.
        bits: l.
        radius: scalar int32.
        sizes: `(m,)` int32 items of each code, or None for one each.

    Returns:
        `(t,)` int32.
    """
    count = tf.zeros(tf.shape(queries[0]), tf.int32)
    chunk = tiling(size)[1]
    for start in range(0, size, chunk):
        stop = min(start + chunk, size)
        common = in_common(queries, [word[start:stop][None] for word in words], bits)
        within = tf.cast(bits - tf.cast(common, tf.int32) <= radius, tf.int32)
        count += tf.reduce_sum(within if sizes is None else within * sizes[start:stop], axis=1)
    return count


def in_common(queries: list[tf.Tensor], words: list[tf.Tensor], bits: int) -> tf.Tensor:
    """Return bits in which queries `(t,)` equal codes `(1 or t, c)`: `(t, c)` uint8, uint16 where a byte is too
    small.
    """
    common = None
    for query, word in zip(queries, words, strict=True):
        equal = tf.raw_ops.PopulationCount(x=tf.bitwise.bitwise_xor(query[:, None], word))
        equal = tf.cast(equal, tf.uint16) if bits > 254 else equal
        common = equal if common is None else common + equal
    return common
