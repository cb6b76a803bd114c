"""Expand distinct codes to positions: the k nearest items of the k nearest groups of equal codes."""

import tensorflow as tf

LOW = 2**32 - 1


def expand(
    distances: tf.Tensor, starts: tf.Tensor, sizes: tf.Tensor, positions: tf.Tensor, k: tf.Tensor, beyond: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the k nearest positions of each query, by (distance, position).

    Groups are given in the order of (distance, first position), and a position among the k nearest is in one of the
    k first groups: each of those before another holds an item that precedes all of the other's. Of a group, no more
    is looked at than k less the items that are nearer. Groups at one distance interleave, so that what is left is
    sorted, as `distance * 2^32 + position`.

    Args:
        distances: `(t, g)` int32, ascending, greater than l for groups that do not count.
        starts: `(t, g)` int32, where each group begins in `positions`.
        sizes: `(t, g)` int32 items of each group.
        positions: `(n,)` int32, ascending inside each group.
        k: scalar int32.
        beyond: the distance that fills a row, with position -1, where there are fewer than k; l + 1.

    Returns:
        Positions and distances `(t, k)` int32.
    """
    sizes = tf.where(distances < tf.cast(beyond, tf.int32), sizes, 0)
    before = tf.cumsum(sizes, axis=1, exclusive=True)
    nearer = tf.gather(before, tf.searchsorted(distances, distances), batch_dims=1)
    taken = tf.clip_by_value(k - nearer, 0, sizes)
    keys = _keys(distances, starts, taken, positions)
    counts = tf.reduce_sum(taken, axis=1)
    width = tf.maximum(tf.reduce_max(tf.concat([counts, [0]], 0)), k)
    rows = tf.RaggedTensor.from_row_lengths(keys, counts, validate=False)
    fill = tf.cast(beyond, tf.int64) * 2**32 + LOW
    dense = rows.to_tensor(fill, shape=tf.stack([tf.shape(distances)[0], width]))
    nearest = -tf.math.top_k(-dense, k).values
    return tf.cast(nearest, tf.int32), tf.cast(tf.bitwise.right_shift(nearest, 32), tf.int32)


def _keys(distances, starts, taken, positions):
    """Return `distance * 2^32 + position` of the first `taken` items of every group, one group after the other,
    int64.
    """
    first = tf.cast(distances, tf.int64) * 2**32 + tf.cast(starts, tf.int64)
    first, taken = tf.reshape(first, [-1]), tf.cast(tf.reshape(taken, [-1]), tf.int64)
    items = tf.raw_ops.RaggedRange(starts=first, limits=first + taken, deltas=tf.ones((), tf.int64)).rt_dense_values
    places = tf.bitwise.bitwise_and(items, LOW)
    return items - places + tf.cast(tf.gather(positions, places), tf.int64)
