"""Compute DSH's contrastive loss, a baseline: similar items close by, dissimilar ones at least a margin apart."""

from typing import Any

import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss
from keras_dhnn.losses.pair_mean import pair_mean
from keras_dhnn.losses.similarity import label_similarity


def contrastive(
    similarity: tf.Tensor,
    rows: tf.Tensor,
    columns: tf.Tensor,
    margin: float,
    pair_weighting: str = "mean",
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return the contrastive loss of pairs (H. Liu, R. Wang, S. Shan and X. Chen, "Deep Supervised Hashing for Fast
    Image Retrieval", CVPR 2016, eq. 4 without its regulariser).

    With `d` the squared Euclidean distance of two outputs, a similar pair costs `d / 2` and a dissimilar one
    `max(margin - d, 0) / 2`. The paper has `margin = 2 l`, and adds 0.01 times the sum of `||f| - 1|` over both items
    and all bits: of our L1 quantisation loss, which is a mean over bits, `eta = 0.02 l`.

    Args:
        similarity: theta, `(n, m)` float32, 1 for similar pairs and 0 for dissimilar ones; or graded, between.
        rows: `(n, l)` float32 network outputs.
        columns: `(m, l)` float32 network outputs.
        margin: squared distance from which on dissimilar items are far enough apart.
        pair_weighting: see `pair_mean`.
        weights: see `pair_mean`.

    Returns:
        Scalar float32.
    """
    squares = tf.reduce_sum(rows**2, axis=1)[:, None] + tf.reduce_sum(columns**2, axis=1)
    # The difference of nearly equal sums may come out below 0.
    distances = tf.nn.relu(squares - 2 * tf.matmul(rows, columns, transpose_b=True))
    return pair_mean(0.5 * distances, 0.5 * tf.nn.relu(margin - distances), similarity, pair_weighting, weights)


class Contrastive(BatchLoss):
    """Compute `contrastive` of a batch with itself, given its labels.

    Args:
        margin: see the function.
        pair_weighting: see the function.
        name: name of the loss.
    """

    def __init__(self, margin: float, pair_weighting: str = "mean", name: str = "contrastive") -> None:
        super().__init__(name)
        self.margin = margin
        self.pair_weighting = pair_weighting

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and outputs `(n, l)` over all ordered pairs of the batch."""
        labels = tf.reshape(y_true, [-1])
        similarity = label_similarity(labels, labels)
        return contrastive(similarity, y_pred, y_pred, self.margin, self.pair_weighting)

    def get_config(self) -> dict[str, Any]:
        return {"margin": self.margin, "pair_weighting": self.pair_weighting, "name": self.name}
