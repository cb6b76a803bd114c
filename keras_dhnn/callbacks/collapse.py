"""Notices a network whose codes all became equal, and stops before hours are lost."""

import math

import tensorflow as tf


class CollapseError(RuntimeError):
    """Training reached a state that it does not leave: no finite loss, or a single code for all images."""


class CollapseGuard(tf.keras.callbacks.Callback):
    """Raises `CollapseError` on a loss that is not finite, or when all items share one code at two validations.

    It reads `distinct_codes` from the logs, which `ValidationMAP`, earlier in the list, writes.
    """

    ADVICE = (
        "Try a smaller learning rate (--set head.learning_rate=3e-4), a smaller quantisation weight "
        "(--set loss.eta=0.02), or balanced pairs (--set loss.pair_weighting=balanced)."
    )

    def __init__(self):
        super().__init__()
        self._in_a_row = 0

    def on_epoch_end(self, epoch, logs=None):
        loss = logs.get("loss", 0.0)
        if not math.isfinite(loss):
            raise CollapseError(f"The loss is {loss} after epoch {epoch + 1}. {self.ADVICE}")
        if "distinct_codes" in logs:
            self._in_a_row = self._in_a_row + 1 if logs["distinct_codes"] == 1 else 0
        if self._in_a_row == 2:
            raise CollapseError(f"All images have the same hash code after epoch {epoch + 1}. {self.ADVICE}")
