"""Seed what random layers draw by the epoch, so that training which is resumed drops what it would have dropped."""

from typing import Any

import tensorflow as tf

from keras_dhnn.backend import reseed


class EpochSeeds(tf.keras.callbacks.Callback):
    """Begin the draws of dropout and other random layers anew with each epoch, by the seed and its number.

    Args:
        seed: at least 0.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        reseed(self.model, self.seed, epoch)
