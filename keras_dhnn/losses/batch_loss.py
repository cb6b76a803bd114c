"""Compute one number of a whole batch: what all losses of this package have in common as losses of Keras."""

from typing import Any

import tensorflow as tf

from keras_dhnn.errors import invalid


class BatchLoss(tf.keras.losses.Loss):
    """Compute one number of a whole batch, from its labels as they are.

    Keras's own way would make float32 of labels (Keras 3), which merges those from 2^24 on, and multiply the number by
    each item's weight, though a pair has two items.

    Args:
        name: name of the loss.
    """

    def __init__(self, name: str) -> None:
        super().__init__(reduction="none", name=name)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Return the loss of labels and outputs, see `call`.

        Raises:
            ValueError: if there are weights of items.
        """
        if sample_weight is not None:
            expected = "None: this loss is one number of a whole batch. Leave out items that should not count"
            raise ValueError(invalid("argument `sample_weight`", expected, type(sample_weight).__name__))
        return self.call(tf.convert_to_tensor(y_true), tf.cast(y_pred, tf.float32))
