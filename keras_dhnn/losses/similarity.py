"""Which pairs of items are similar."""

import tensorflow as tf


def label_similarity(rows, columns):
    """1 where two items have the same label, 0 elsewhere (theta of DHNN eq. 1).

    Args:
        rows: `(n,)` integer labels.
        columns: `(m,)` integer labels.

    Returns:
        `(n, m)` float32.
    """
    return tf.cast(tf.equal(rows[:, None], columns[None, :]), tf.float32)
