"""Add up the terms of a loss."""

from collections.abc import Sequence

import tensorflow as tf


def sum_of_terms(terms: Sequence[float | tf.Tensor]) -> tf.Tensor:
    """Return the sum of a loss's terms, to the same last digit each time that the graph is built.

    TensorFlow may reorder a tree of additions, and does so differently from one trace to the next: a run that is
    resumed would then log another last digit than one that is not. The sum of one vector stays as it is.

    Args:
        terms: float32 scalars, at least one.

    Returns:
        float32 scalar.
    """
    return tf.reduce_sum(tf.stack([tf.convert_to_tensor(term, tf.float32) for term in terms]))
