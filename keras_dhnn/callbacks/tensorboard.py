"""What TensorBoard shows of a run while it trains."""

import tensorflow as tf


class TensorBoardLog(tf.keras.callbacks.Callback):
    """Scalars of every epoch (losses apart, validation mAP, learning rate) and histograms of the hash outputs.

    Args:
        folder: the run's folder of event files.
        validation: the phase's `ValidationMAP`, whose latest outputs the histograms show.
    """

    def __init__(self, folder, validation):
        super().__init__()
        self.folder, self.validation = folder, validation
        self._writer = None

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch, logs=None):
        with self._writer.as_default(step=epoch + 1):
            for name, value in logs.items():
                tf.summary.scalar(name, value)
            if "val_map" in logs:
                tf.summary.histogram("hash_outputs", self.validation.outputs)

    def on_train_end(self, logs=None):
        self._writer.close()
