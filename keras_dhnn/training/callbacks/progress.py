"""Show the progress of a phase, step by step."""

from typing import Any

import tensorflow as tf

from keras_dhnn.progress import Update


class ProgressBar(tf.keras.callbacks.Callback):
    """Show the steps that are done, and the latest loss and validation mAP, in a progress bar.

    Args:
        update: function `update(done, note)`.
        steps: steps of an epoch.
    """

    # Logs may stay tensors: reading them at every step would wait for every step.
    _supports_tf_logs = True

    def __init__(self, update: Update, steps: int):
        super().__init__()
        self.update = update
        self.steps = steps
        self._done, self._note = 0, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._done = epoch * self.steps
        self.update(self._done, self._note)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.update(self._done + batch + 1, self._note)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        self._note = f"loss {float(logs['loss']):.3f}"
        if "val_map" in logs:
            self._note += f", validation mAP {logs['val_map']:.4f}"
        self.update(self._done + self.steps, self._note)
