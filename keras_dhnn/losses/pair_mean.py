"""What the costs of pairs of items add up to."""

import tensorflow as tf

from keras_dhnn.errors import invalid

PAIR_WEIGHTINGS = ("mean", "balanced")


def pair_mean(costs, similarity, pair_weighting="mean"):
    """Mean over pairs.

    Args:
        costs: `(n, m)` float32.
        similarity: `(n, m)` float32, 1 for similar pairs and 0 for dissimilar ones.
        pair_weighting: "mean" over all pairs, or "balanced": half the mean over similar pairs plus half the mean
            over dissimilar ones (ours, not the papers').

    Returns:
        Scalar float32.

    Raises:
        ValueError: if `pair_weighting` is neither.
    """
    if pair_weighting not in PAIR_WEIGHTINGS:
        raise ValueError(invalid("argument `pair_weighting`", f"one of {', '.join(PAIR_WEIGHTINGS)}", pair_weighting))
    if pair_weighting == "mean":
        return tf.reduce_mean(costs)
    similar = tf.math.divide_no_nan(tf.reduce_sum(similarity * costs), tf.reduce_sum(similarity))
    dissimilar = tf.math.divide_no_nan(tf.reduce_sum((1 - similarity) * costs), tf.reduce_sum(1 - similarity))
    return 0.5 * similar + 0.5 * dissimilar
