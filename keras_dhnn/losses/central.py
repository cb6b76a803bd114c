"""Compute central similarity (CSQ): outputs take the signs of a fixed code of their class."""

import numpy as np
import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss


def central_similarity(labels: tf.Tensor, outputs: tf.Tensor, centres: np.ndarray) -> tf.Tensor:
    """Compute the distance of outputs from their classes' centres (Yuan et al., "Central Similarity Quantization for
    Efficient Image and Video Retrieval", CVPR 2020, eq. 5).

    It is the binary cross-entropy of centre and output, bit by bit: with `sigmoid(f)` for the share of +1,
    `mean softplus(-c f)`.

    Args:
        labels: `(n,)` integers, 0 to C - 1.
        outputs: `(n, l)` float32 network outputs.
        centres: `(C, l)` in {-1, +1}, see `hash_centres`.

    Returns:
        Scalar float32.
    """
    targets = tf.gather(tf.constant(centres, tf.float32), labels)
    return tf.reduce_mean(tf.nn.softplus(-targets * outputs))


class CentralSimilarity(BatchLoss):
    """Compute `central_similarity` of a batch, given its labels.

    Args:
        centres: `(C, l)` in {-1, +1}.
        name: name of the loss.
    """

    def __init__(self, centres: np.ndarray, name: str = "central_similarity"):
        super().__init__(name)
        self.centres = np.asarray(centres)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and outputs `(n, l)`."""
        return central_similarity(tf.cast(tf.reshape(y_true, [-1]), tf.int32), y_pred, self.centres)

    def get_config(self) -> dict:
        """Return the arguments."""
        return {"centres": self.centres.tolist(), "name": self.name}
