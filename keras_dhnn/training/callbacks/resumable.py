"""Training state on disk, so that a run killed at any moment continues to the same final weights."""

import json
import time

import numpy as np
import tensorflow as tf

from keras_dhnn.runs import write_json

# What `ValidationMAP` knows beside the best weights.
_BEST = ("best", "best_epoch", "improved_epoch")


class ResumableState(tf.keras.callbacks.Callback):
    """Writes weights, optimiser slots, history and the best epoch so far at the end of epochs.

    A state is whole or not there: `state.json`, replaced last, names the checkpoint that belongs to it. Restoring
    goes back to the end of that epoch; what came after it is done again, with the same result.

    Args:
        folder: where the phase's state is kept.
        validation: the phase's `ValidationMAP`, whose best weights are part of the state.
        seconds: least time between two states; the last epoch always writes one.
        writes: whether this process writes states; of several that train together only one does, and all restore.

    Attributes:
        history: `{name: [value of each epoch]}`; None where an epoch had none.
    """

    def __init__(self, folder, validation, seconds=20.0, writes=True):
        super().__init__()
        self.folder = folder
        self.validation = validation
        self.seconds = seconds
        self.writes = writes
        self.history = {}
        self._written = time.monotonic()

    def restore(self, model):
        """Brings a compiled model back to the state on disk.

        Returns:
            Number of the next epoch: 0 if there is no state, None if training had stopped early.
        """
        if not (self.folder / "state.json").is_file():
            return 0
        state = json.loads((self.folder / "state.json").read_text())
        _checkpoint(model).read(str(self.folder / state["checkpoint"])).assert_existing_objects_matched()
        self.history = state["history"]
        for name in _BEST:
            setattr(self.validation, name, state[name])
        if state["best_epoch"] >= 0:
            with np.load(self.folder / "best.npz", allow_pickle=False) as file:
                self.validation.best_weights = [file[name] for name in file.files]
        return None if state["stopped"] else state["epoch"] + 1

    def on_epoch_end(self, epoch, logs=None):
        for name, value in logs.items():
            self.history.setdefault(name, [None] * epoch).append(float(value))
        for values in self.history.values():
            values.extend([None] * (epoch + 1 - len(values)))
        stopped = self.model.stop_training
        due = stopped or epoch + 1 == self.params["epochs"] or time.monotonic() - self._written >= self.seconds
        if self.writes and due:
            self.write(epoch, stopped)

    def write(self, epoch, stopped=False):
        """Writes the state at the end of `epoch`, which may have stopped the training before its time.

        Raises:
            OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        validation, name = self.validation, f"epoch-{epoch}"
        try:
            _checkpoint(self.model).write(str(self.folder / name))
        except tf.errors.OpError as error:
            # Of a full disk it is a ResourceExhaustedError, which elsewhere means memory.
            raise OSError(f"{self.folder / name} cannot be written: {error.message}") from error
        if validation.best_weights is not None:
            partial = self.folder / ".best.npz"
            np.savez(partial, *validation.best_weights)
            partial.replace(self.folder / "best.npz")
        best = {name: getattr(validation, name) for name in _BEST}
        state = {"epoch": epoch, "stopped": stopped, "checkpoint": name, **best, "history": self.history}
        write_json(self.folder / "state.json", state)
        for old in self.folder.glob("epoch-*"):
            if old.stem != name:
                old.unlink()
        self._written = time.monotonic()


def _checkpoint(model):
    # Not the model's metrics, which start anew with every epoch: to read them, all processes must take part.
    bank = {} if model.bank is None else {"bank": model.bank}
    return tf.train.Checkpoint(**model.parts, optimizer=model.optimizer, **bank)
