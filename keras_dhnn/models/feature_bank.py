"""Keep the latest hash outputs of every training item, for pairs that reach beyond the batch."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.errors import invalid


class FeatureBank(tf.Module):
    """Hold a row for each of V training items; those of a batch are refreshed as it is seen (DHNN Algorithms 1 and 2).

    The rows are constants for the gradient. Those not seen yet are zero, which has no effect on a likelihood of inner
    products; objectives of distances leave them out by `seen`.

    Args:
        items: `(V,)` item numbers, in rising order.
        labels: `(V,)` their labels.
        bits: l.
    """

    def __init__(self, items: ArrayLike, labels: ArrayLike, bits: int, **kwargs: Any):
        super().__init__(**kwargs)
        items = np.asarray(items, np.int64)
        if np.any(np.diff(items) <= 0):
            raise ValueError(invalid("argument `items`", "item numbers in rising order", items))
        self.items = tf.constant(items)
        self.labels = tf.constant(np.asarray(labels, np.int32))
        self.outputs = tf.Variable(
            tf.zeros((len(items), bits)),
            name="outputs",
            trainable=False,
            # All replicas write the same rows: those of the batch of all.
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def refresh(self, items: tf.Tensor, outputs: tf.Tensor) -> None:
        """Replace rows.

        Args:
            items: `(n,)` int64 item numbers, each of which is in the bank.
            outputs: `(n, l)` float32 hash outputs.
        """
        self.outputs.scatter_update(tf.IndexedSlices(tf.stop_gradient(outputs), self.places(items)))

    def seen(self) -> tf.Tensor:
        """Return `(V,)` float32: 1 for the rows that were set, 0 for those that are zero still."""
        return tf.cast(tf.reduce_any(self.outputs != 0, axis=1), tf.float32)

    def places(self, items: tf.Tensor) -> tf.Tensor:
        """Return numbers `(n,)` of the rows of items `(n,)`, each of which is in the bank."""
        return tf.searchsorted(self.items, tf.cast(items, tf.int64))
