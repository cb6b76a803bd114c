"""Write what TensorBoard shows of a run while it trains."""

import contextlib
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.codes import pack
from keras_dhnn.files import system_error
from keras_dhnn.metrics.code_health import CodeHealth, code_health
from keras_dhnn.training.callbacks.validation import ValidationMAP


class TensorBoardLog(tf.keras.callbacks.Callback):
    """Write scalars of every epoch (losses apart, validation mAP, learning rate, health of the codes), and histograms
    of the hash outputs.

    Args:
        folder: the run's folder of event files.
        validation: the phase's `ValidationMAP`, whose latest outputs the histograms show.
    """

    def __init__(self, folder: Path, validation: ValidationMAP):
        super().__init__()
        self.folder, self.validation = folder, validation
        self._writer: tf.summary.SummaryWriter = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        with self._naming():
            self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        with self._naming(), self._writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            if "val_map" in logs:
                for source, outputs in self.validation.outputs.items():
                    which = f"-{source}" if len(self.validation.outputs) > 1 else ""
                    tf.summary.histogram(f"hash_outputs{which}", outputs)
                    self._write_health(outputs, which)

    def _write_health(self, outputs, which):
        database = self.validation.database
        outputs, labels = outputs[database], self.validation.labels[database]
        labels = labels if labels.ndim == 1 else None
        write_health(code_health(pack(outputs), labels, outputs), which)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        with self._naming():
            self._writer.close()

    @contextlib.contextmanager
    def _naming(self):
        """Raise TensorFlow's errors in a block, as of a full disk, as the operating system's."""
        try:
            yield
        except tf.errors.OpError as error:
            raise system_error(error.message, self.folder) from error


def write_health(health: CodeHealth, which: str = "") -> None:
    """Write a `CodeHealth` as scalars, beside the figure of that name, to the default summary writer.

    Args:
        health: the `CodeHealth`.
        which: what follows "code-health" in their names, such as "-pan".
    """
    for name, value in health.scalars().items():
        if value is not None:
            tf.summary.scalar(f"code-health{which}/{name}", value)
