"""Reduce pairwise costs to a scalar."""

import tensorflow as tf

from keras_dhnn.errors import invalid

PAIR_WEIGHTINGS = ("mean", "balanced")


def pair_mean(
    similar: tf.Tensor,
    dissimilar: tf.Tensor,
    similarity: tf.Tensor,
    pair_weighting: str = "mean",
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return the mean cost of pairs, each of which is similar, dissimilar or something between.

    Args:
        similar: `(n, m)` float32, what each pair costs if it is similar.
        dissimilar: `(n, m)` float32, what it costs if it is not.
        similarity: theta, `(n, m)` float32, from 0 to 1.
        pair_weighting: "mean" over all pairs, or "balanced": half the mean over similar pairs plus half the mean
            over dissimilar ones (ours, not the papers').
        weights: `(n, m)` float32, how much each pair counts; None: all alike.

    Returns:
        Scalar float32.

    Raises:
        ValueError: if `pair_weighting` is neither.
    """
    if pair_weighting not in PAIR_WEIGHTINGS:
        raise ValueError(invalid("argument `pair_weighting`", f"one of {', '.join(PAIR_WEIGHTINGS)}", pair_weighting))
    alike, unlike = similarity, 1 - similarity
    if weights is not None:
        alike, unlike = weights * alike, weights * unlike
    if pair_weighting == "balanced":
        return 0.5 * _mean(similar, alike) + 0.5 * _mean(dissimilar, unlike)
    costs = alike * similar + unlike * dissimilar
    if weights is None:
        return tf.reduce_mean(costs)
    return tf.math.divide_no_nan(tf.reduce_sum(costs), tf.reduce_sum(weights))


def _mean(costs, weights):
    return tf.math.divide_no_nan(tf.reduce_sum(weights * costs), tf.reduce_sum(weights))
