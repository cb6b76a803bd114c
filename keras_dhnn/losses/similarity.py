"""Tell which pairs of items are similar."""

import tensorflow as tf


def label_similarity(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Return 1 where two items have the same label, 0 elsewhere (theta of DHNN eq. 1).

    Args:
        rows: `(n,)` integer labels.
        columns: `(m,)` integer labels.

    Returns:
        `(n, m)` float32.
    """
    return tf.cast(tf.equal(rows[:, None], columns[None, :]), tf.float32)


def label_set_similarity(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Return the share of labels that two items have in common (Jaccard), a theta between 0 and 1.

    Args:
        rows: `(n, c)` float32 of 0 and 1, the labels of each item.
        columns: `(m, c)` float32.

    Returns:
        `(n, m)` float32; 0 where neither item has a label.
    """
    shared = tf.matmul(rows, columns, transpose_b=True)
    either = tf.reduce_sum(rows, 1)[:, None] + tf.reduce_sum(columns, 1)[None, :] - shared
    return tf.math.divide_no_nan(shared, either)
