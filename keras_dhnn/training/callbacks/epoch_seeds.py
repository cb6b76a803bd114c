"""Begin what random layers draw anew with each epoch, so that resumed training drops the same."""

from typing import Any

import tensorflow as tf

from keras_dhnn.backend import reseed


class EpochSeeds(tf.keras.callbacks.Callback):
    """Set where dropout and other random layers begin to draw: at each epoch, by the seed and its number.

    Args:
        seed: at least 0.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        reseed(self.model, self.seed, epoch)
