"""Put codes at equal distances in order by a query's real outputs, which say which of its bits are least sure."""

import numpy as np
import tensorflow as tf

from keras_dhnn.saved_models.graph.block_top_k import in_common, is_asked
from keras_dhnn.saved_models.graph.code_groups import Database
from keras_dhnn.saved_models.graph.expansion import expand

# `(256, 8)`: the signs that each byte of a code stands for, first bit highest.
_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * 2.0 - 1


def order_ties(
    database: Database,
    size: int,
    query: list[tf.Tensor],
    outputs: tf.Tensor,
    bound: tf.Tensor,
    k: tf.Tensor,
    wanted: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the k nearest positions of one query by (distance, inner product of outputs and signs, position).

    Args:
        database: `Database` of m distinct or n codes.
        size: m, without what fills up blocks.
        query: list of scalar int64, complements of the query's words.
        outputs: `(l,)` float32.
        bound: scalar int32, the distance of the k-th position, or more.
        k: scalar int32 <= n.
        wanted: scalar int32, the class that is asked for, -1 for any.

    Returns:
        Positions and distances `(k,)` int32; -1 and l + 1 where a filter leaves fewer.
    """
    bits = outputs.shape[0]
    words = [word[:size] for word in database.words]
    common = in_common([word[None] for word in query], [word[None] for word in words], bits)[0]
    distances = bits - tf.cast(common, tf.int32)
    near = distances <= bound
    if database.classes is not None:
        classes = database.classes[:size]
        near &= is_asked(classes, wanted)
    indices = tf.cast(tf.where(near)[:, 0], tf.int32)
    distances, scores = tf.gather(distances, indices), _scores([tf.gather(word, indices) for word in words], outputs)
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(distances, order), stable=True))
    indices, distances, scores = (tf.gather(values, order) for values in (indices, distances, scores))
    if database.positions is None:
        short = k - tf.minimum(tf.size(indices), k)
        return (
            tf.pad(indices[:k], [[0, short]], constant_values=-1),
            tf.pad(distances[:k], [[0, short]], constant_values=bits + 1),
        )
    return _expanded(database, indices, distances, scores, k, bits)


def _expanded(database, indices, distances, scores, k, bits):
    """Return positions of groups in order: those of equal distance and score interleave by position."""
    if database.order is not None:
        indices = tf.gather(database.order, indices)
    differs = (distances[1:] != distances[:-1]) | (scores[1:] != scores[:-1])
    # From 0, a place for each distance and score.
    places = tf.cumsum(tf.cast(tf.concat([tf.zeros_like(distances[:1], tf.bool), differs], 0), tf.int32))
    starts, beyond = tf.gather(database.starts, indices), tf.size(indices)
    sizes = tf.gather(database.starts, indices + 1) - starts
    positions, found = expand(places[None], starts[None], sizes[None], database.positions, k, beyond)
    of_place = tf.concat([tf.math.unsorted_segment_max(distances, places, beyond), [bits + 1]], 0)
    return positions[0], tf.gather(of_place, found[0])


def _scores(words, outputs):
    """Return inner products `(g,)` float64 of outputs `(l,)` with the signs of codes, a list of `(g,)` int64."""
    octets = outputs.shape[0] // 8
    # What each byte adds where it has each value.
    table = tf.linalg.matmul(tf.reshape(tf.cast(outputs, tf.float64), (octets, 8)), _SIGNS, transpose_b=True)
    values = tf.cast(tf.concat([tf.bitcast(word, tf.uint8) for word in words], 1)[:, :octets], tf.int32)
    return tf.reduce_sum(tf.gather(tf.reshape(table, [-1]), values + 256 * tf.range(octets)), axis=1)
