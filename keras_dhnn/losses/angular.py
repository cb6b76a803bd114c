"""Compute OrthoHash's loss: the angle to the own class's fixed code is smaller than to all others', by a margin."""

import numpy as np
import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss

# The paper's scale of cosines; with it the softmax of 21 classes can be sure, and is not too soon.
SCALE = 8.0


def angular(labels: tf.Tensor, outputs: tf.Tensor, centres: np.ndarray, margin: float = 0.2) -> tf.Tensor:
    """Compute the softmax cross-entropy of cosines to the classes' centres (Hoe et al., "One Loss for All: Deep Hashing
    with a Single Cosine Similarity Based Learning Objective", NeurIPS 2021, eq. 6).

    The logit of class c is `SCALE (cos(f, centre_c) - margin [c is the label])`. A cosine near 1 is also a small
    quantisation error, so that the paper has no other term.

    Args:
        labels: `(n,)` integers, 0 to C - 1.
        outputs: `(n, l)` float32 network outputs.
        centres: `(C, l)` in {-1, +1}, see `hash_centres`.
        margin: taken off the own class's cosine.

    Returns:
        Scalar float32.
    """
    codes = tf.constant(centres, tf.float32) / np.sqrt(centres.shape[1]).astype(np.float32)
    cosines = tf.matmul(tf.math.l2_normalize(outputs, axis=1), codes, transpose_b=True)
    logits = SCALE * (cosines - margin * tf.one_hot(labels, centres.shape[0]))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


class Angular(BatchLoss):
    """Compute `angular` of a batch, given its labels.

    Args:
        centres: `(C, l)` in {-1, +1}.
        margin: see the function.
        name: name of the loss.
    """

    def __init__(self, centres: np.ndarray, margin: float = 0.2, name: str = "angular"):
        super().__init__(name)
        self.centres = np.asarray(centres)
        self.margin = margin

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and outputs `(n, l)`."""
        return angular(tf.cast(tf.reshape(y_true, [-1]), tf.int32), y_pred, self.centres, self.margin)

    def get_config(self) -> dict:
        """Return the arguments."""
        return {"centres": self.centres.tolist(), "margin": self.margin, "name": self.name}
