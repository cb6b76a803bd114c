"""Compute the triplet loss with semi-hard negatives: an item is nearer to its like than to others, by a margin."""

import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss
from keras_dhnn.losses.similarity import label_similarity


def triplet_semi_hard(labels: tf.Tensor, outputs: tf.Tensor, margin: float = 1.0) -> tf.Tensor:
    """Compute the triplet loss (Schroff et al., "FaceNet", CVPR 2015, eq. 1 and section 3.2).

    With d the mean over bits of the squared difference of two outputs, each ordered pair (anchor, positive) of a label
    costs `max(d(anchor, positive) - d(anchor, negative) + margin, 0)`. The negative is the nearest that is farther than
    the positive, or where none is, the farthest.

    Args:
        labels: `(n,)` integers.
        outputs: `(n, l)` float32 network outputs.
        margin: in squared differences a bit, which for codes are 0 to 4.

    Returns:
        Scalar float32, the mean over pairs; 0 where no two items have the same label.
    """
    distances = squared_differences(outputs, outputs)
    same = label_similarity(labels, labels)
    positive = same - tf.eye(tf.shape(labels)[0])
    negative = 1 - same
    # [anchor, positive, negative]: negatives that are farther from the anchor than the positive.
    farther = negative[:, None, :] * tf.cast(distances[:, None, :] > distances[:, :, None], tf.float32)
    nearest = tf.reduce_min(tf.where(farther > 0, distances[:, None, :], float("inf")), axis=2)
    farthest = tf.reduce_max(negative * distances, axis=1, keepdims=True)
    chosen = tf.where(tf.math.is_finite(nearest), nearest, farthest)
    # Where no negative is farther the minimum is infinite, and its gradient not used but not a number.
    costs = tf.nn.relu(distances - chosen + margin)
    return tf.math.divide_no_nan(tf.reduce_sum(positive * costs), tf.reduce_sum(positive))


def squared_differences(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Return the mean over bits of the squared differences of rows `(n, l)` and columns `(m, l)`, `(n, m)` float32."""
    squares = tf.reduce_mean(rows**2, axis=1)[:, None] + tf.reduce_mean(columns**2, axis=1)
    bits = tf.cast(tf.shape(rows)[1], tf.float32)
    # The difference of nearly equal sums may come out below 0.
    return tf.nn.relu(squares - 2 * tf.matmul(rows, columns, transpose_b=True) / bits)


class TripletSemiHard(BatchLoss):
    """Compute `triplet_semi_hard` of a batch, given its labels.

    Args:
        margin: see the function.
        name: name of the loss.
    """

    def __init__(self, margin: float = 1.0, name: str = "triplet_semi_hard"):
        super().__init__(name)
        self.margin = margin

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and outputs `(n, l)`."""
        return triplet_semi_hard(tf.reshape(y_true, [-1]), y_pred, self.margin)

    def get_config(self) -> dict:
        """Return the arguments."""
        return {"margin": self.margin, "name": self.name}
