"""Compute the weighted pairwise likelihood: codes of similar items agree, codes of dissimilar items do not."""

from typing import Any

import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss
from keras_dhnn.losses.pair_mean import pair_mean
from keras_dhnn.losses.similarity import label_similarity


def pairwise_likelihood(
    similarity: tf.Tensor,
    rows: tf.Tensor,
    columns: tf.Tensor,
    penalty: float,
    pair_weighting: str = "mean",
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return the negative log-likelihood of the pairs' similarity (DHNN eqs. 2, 3, 5; SIDHCNN eq. 5; corrected).

    With `upsilon = rows . columns / penalty`, a pair costs `softplus(upsilon) - similarity * upsilon`, which is
    `softplus(-upsilon)` of similar ones, `softplus(upsilon)` of others, and their mixture between.

    Args:
        similarity: theta, `(n, m)` float32, 1 for similar pairs and 0 for dissimilar ones; or graded, between.
        rows: `(n, l)` float32 network outputs.
        columns: `(m, l)` float32 network outputs.
        penalty: P; 1 in DHN, 2 in DPSH, `s * l` in DHNN.
        pair_weighting: see `pair_mean`.
        weights: see `pair_mean`.

    Returns:
        Scalar float32.
    """
    upsilon = tf.matmul(rows, columns, transpose_b=True) / penalty
    # softplus(u) - u is softplus(-u); in this order of operations a seed gives the codes that it always gave.
    dissimilar = tf.nn.softplus(upsilon)
    return pair_mean(dissimilar - upsilon, dissimilar, similarity, pair_weighting, weights)


class PairwiseLikelihood(BatchLoss):
    """Compute `pairwise_likelihood` of a batch with itself, given its labels.

    Args:
        penalty: P, see the function.
        pair_weighting: see the function.
        name: name of the loss.
    """

    def __init__(self, penalty: float, pair_weighting: str = "mean", name: str = "pairwise_likelihood") -> None:
        super().__init__(name)
        self.penalty = penalty
        self.pair_weighting = pair_weighting

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and outputs `(n, l)` over all ordered pairs of the batch."""
        labels = tf.reshape(y_true, [-1])
        similarity = label_similarity(labels, labels)
        return pairwise_likelihood(similarity, y_pred, y_pred, self.penalty, self.pair_weighting)

    def get_config(self) -> dict[str, Any]:
        return {"penalty": self.penalty, "pair_weighting": self.pair_weighting, "name": self.name}
