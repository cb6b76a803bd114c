"""Compute the balance loss (the feature distribution constraint of SIDHCNN): each bit is as often +1 as -1."""

from typing import Any

import tensorflow as tf

from keras_dhnn.losses.batch_loss import BatchLoss


def balance(outputs: tf.Tensor, overall: tf.Tensor | None = None) -> tf.Tensor:
    """Return the mean over bits of the squared mean over items (SIDHCNN eq. 5, last two terms, in means).

    Args:
        outputs: `(n, l)` float32.
        overall: `(l,)` means over all items, of which the batch is a sample. They give the loss its value; its
            gradient is as if every item of the batch moved them by 1/n, so that it is of the size of the other losses'
            gradients whatever the number of items. None: the batch is all there is.

    Returns:
        Scalar float32.
    """
    means = tf.reduce_mean(outputs, axis=0)
    if overall is not None:
        means += tf.stop_gradient(overall - means)
    return tf.reduce_mean(tf.square(means))


class Balance(BatchLoss):
    """Compute `balance` of a batch as a Keras loss; it looks at outputs only.

    Args:
        name: name of the loss.
    """

    def __init__(self, name: str = "balance") -> None:
        super().__init__(name)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of outputs `(n, l)`; the labels are not used."""
        return balance(y_pred)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}
