"""The k codes most similar to each of a few queries, by (similarity, index), from stock operations.

`tf.math.top_k` over whole rows is slow. If the k best blocks are taken by (greatest similarity, lowest block), any
other block is preceded by k blocks that each hold an element at least as good at a lower index, so none of its
elements is among the k best. Similarities of the chosen blocks are computed a second time, which is cheaper than
keeping all of them.
"""

import tensorflow as tf

BLOCK = 128
# Fewer codes than this are not worth two steps.
ONE_STEP = 2048
# A pair costs least without broadcasting, one query at a time, but then each query costs a tenth of a millisecond more.
ONE_QUERY = 2**18
# The class of a code that no search may find.
NO_CLASS = -2


def tiling(size):
    """Queries in a tile and codes in a chunk, so that what one operation leaves is in the cache for the next."""
    return (1, 2**20) if size >= ONE_QUERY else (32, 2**13)


def query_words(query_codes):
    """Complements of packed codes `(q, l / 8)` as a list of `(q,)` int64, with zeros for the bits that fill up."""
    size = query_codes.shape[1]
    filled = tf.pad(tf.bitwise.invert(query_codes), [[0, 0], [0, -size % 8]])
    return tf.unstack(tf.bitcast(tf.reshape(filled, (-1, -(-size // 8), 8)), tf.int64), axis=1)


def nearest(queries, words, k, bits, classes=None, wanted=None):
    """The k most similar codes of each query, by (distance, index).

    Args:
        queries: list of `(t,)` int64, complements of the queries' words.
        words: list of `(m,)` int64, the codes' words.
        k: scalar int32 <= m.
        bits: l.
        classes: `(m,)` int32 class of each code, `NO_CLASS` for one that may not be found, or None.
        wanted: `(t,)` int32 class that each query asks for, -1 for any; given if `classes` is.

    Returns:
        Indices and distances `(t, k)` int32. Codes that may not be found come last, at distance l + 1.
    """
    size = words[0].shape[0]

    def similarities(words, classes):
        """`(t, c)`: bits in common, plus 1 if there is a filter, which leaves 0 for what may not be found."""
        common = in_common(queries, words, bits)
        if classes is None:
            return common
        found = (classes == wanted[:, None]) | ((classes >= 0) & (wanted[:, None] == -1))
        return tf.where(found, common + 1, tf.zeros((), common.dtype))

    def of_chunk(start, stop):
        chunk = [word[start:stop][None] for word in words]
        return similarities(chunk, None if classes is None else classes[start:stop][None])

    if size <= ONE_STEP:
        best, indices = tf.math.top_k(of_chunk(0, size), k)
    else:
        blocks = _best_blocks(of_chunk, size, k)
        candidates = tf.reshape(blocks[:, :, None] * BLOCK + tf.range(BLOCK), (tf.shape(blocks)[0], -1))
        # The last block may be short. What lies beyond is 0 and comes after everything that is there.
        inside = candidates < size
        bounded = tf.minimum(candidates, size - 1)
        again = similarities(
            [tf.gather(word, bounded) for word in words], None if classes is None else tf.gather(classes, bounded)
        )
        best, order = tf.math.top_k(tf.where(inside, again, tf.zeros((), again.dtype)), k)
        indices = tf.gather(candidates, order, batch_dims=1)
    return indices, bits + (0 if classes is None else 1) - tf.cast(best, tf.int32)


def _best_blocks(of_chunk, size, k):
    """The blocks that hold the k best, `(t, min(k, blocks))` int32, ascending."""
    chunk = tiling(size)[1]
    maxima = []
    for start in range(0, size, chunk):
        similar = of_chunk(start, min(start + chunk, size))
        rest = -(min(start + chunk, size) - start) % BLOCK
        if rest:
            similar = tf.pad(similar, [[0, 0], [0, rest]])
        blocks = (similar.shape[1]) // BLOCK
        maxima.append(tf.reduce_max(tf.reshape(similar, (-1, blocks, BLOCK)), axis=2))
    maxima = tf.concat(maxima, axis=1)
    _, blocks = tf.math.top_k(maxima, tf.minimum(k, maxima.shape[1]))
    return tf.sort(blocks, axis=1)


def count_within(queries, words, bits, radius, sizes=None):
    """How many items lie within a radius of each query.

    Args:
        queries: list of `(t,)` int64, complements of the queries' words.
        words: list of `(m,)` int64, the codes' words.
        bits: l.
        radius: scalar int32.
        sizes: `(m,)` int32 items of each code, or None for one each.

    Returns:
        `(t,)` int32.
    """
    count = tf.zeros(tf.shape(queries[0]), tf.int32)
    size, chunk = words[0].shape[0], tiling(words[0].shape[0])[1]
    for start in range(0, size, chunk):
        common = in_common(queries, [word[start : start + chunk][None] for word in words], bits)
        within = tf.cast(bits - tf.cast(common, tf.int32) <= radius, tf.int32)
        count += tf.reduce_sum(within if sizes is None else within * sizes[start : start + chunk], axis=1)
    return count


def in_common(queries, words, bits):
    """Bits in which queries `(t,)` equal codes `(1 or t, c)`: `(t, c)` uint8, uint16 where a byte is too small."""
    common = None
    for query, word in zip(queries, words, strict=True):
        equal = tf.raw_ops.PopulationCount(x=tf.bitwise.bitwise_xor(query[:, None], word))
        equal = tf.cast(equal, tf.uint16) if bits > 254 else equal
        common = equal if common is None else common + equal
    return common
