"""Compute the classification loss of DHCNN: a linear layer tells the class from the hash outputs."""

import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss


def classification(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Compute the softmax cross-entropy (Song, Li, Benediktsson: "Deep Hashing Learning for Visual and Semantic
    Retrieval of Remote Sensing Images", IEEE TGRS 59(11), 2021, eq. 6).

    Args:
        labels: `(n,)` integers, 0 to C - 1.
        logits: `(n, C)` float32, what a linear layer makes of the hash outputs.

    Returns:
        Scalar float32.
    """
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


class Classification(BatchLoss):
    """Compute `classification` of a batch, given its labels.

    Args:
        name: name of the loss.
    """

    def __init__(self, name: str = "classification"):
        super().__init__(name)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of labels `(n,)` and logits `(n, C)`."""
        return classification(tf.cast(tf.reshape(y_true, [-1]), tf.int32), y_pred)

    def get_config(self) -> dict:
        """Return the arguments."""
        return {"name": self.name}
