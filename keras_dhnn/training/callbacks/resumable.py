"""Keep training state on disk, so that a run killed at any moment continues to the same final weights."""

import shutil
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.backend import KERAS
from keras_dhnn.errors import RunError
from keras_dhnn.files import atomic_folder, read_arrays, read_json, system_error, write_arrays, write_json
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.training.callbacks.validation import ValidationMAP

# The Pythons that have a Keras of this number.
_PYTHONS = {2: "3.10 or 3.11 (TensorFlow 2.15)", 3: "3.12 or later (the newest TensorFlow)"}
# What `ValidationMAP` knows beside the best weights.
_BEST = ("best", "best_epoch", "improved_epoch")
_STATE = "state.json"
_KINDS = {
    **{name: (int, float) for name in _BEST},
    **{"epoch": int, "stopped": bool, "checkpoint": str, "history": {str: list}},
}
_REMEDY = "Remove that folder to train this phase from its start"


class ResumableState(tf.keras.callbacks.Callback):
    """Write weights, optimiser slots, history and the best epoch so far at the end of epochs.

    A state is whole or not there: a folder `epoch-N`, and `state.json`, replaced last, which names the checkpoint in
    it. Restoring goes back to the end of that epoch; what came after it is done again, with the same result. What
    else a kill or a full disk left there, at whatever moment, is never looked at, and is gone with the next write.

    Args:
        folder: where the phase's state is kept.
        validation: the phase's `ValidationMAP`, whose best weights are part of the state.
        seconds: least time between two states; the last epoch always writes one.
        writes: whether this process writes states; of several that train together only one does, and all restore.

    Attributes:
        history: `{name: [value of each epoch]}`; None where an epoch had none.
    """

    def __init__(self, folder: Path, validation: ValidationMAP, seconds: float = 20.0, writes: bool = True):
        super().__init__()
        self.folder = folder
        self.validation = validation
        self.seconds = seconds
        self.writes = writes
        self.history: dict[str, list[float | None]] = {}
        self._written = time.monotonic()

    def restore(self, model: DHNN | SIDHCNN) -> int | None:
        """Bring a compiled model back to the state on disk.

        Returns:
            Number of the next epoch: 0 if there is no state, None if training had stopped early.

        Raises:
            RunError: if the state's files are not those that were written, or of another network.
        """
        state = self._read()
        if state is None:
            return 0
        self._check_lane(state)
        try:
            self._restore(model, state)
        except Exception as error:  # TensorFlow gives IndexError, AssertionError and errors of its own.
            raise RunError(
                f"The training state in {self.folder} is damaged, or of another network ({error}). {_REMEDY}"
            ) from error
        return None if state["stopped"] else state["epoch"] + 1

    def _check_lane(self, state):
        """Refuse the other lane: random numbers and the last digits of a step differ between Keras 2 and 3."""
        written = state.get("keras", 2)
        if written != KERAS:
            raise RunError(
                f"The training in {self.folder} was begun with Keras {written}, this is Keras {KERAS}: it would not go "
                f"on to the same weights. Continue it with Python {_PYTHONS[written]}, or train anew."
            )

    def _restore(self, model, state):
        checkpoint = self.folder / state["checkpoint"]
        tf.train.Checkpoint(**model.training_state()).read(str(checkpoint)).assert_existing_objects_matched()
        self.history = state["history"]
        for name in _BEST:
            setattr(self.validation, name, state[name])
        if state["best_epoch"] >= 0:
            best = read_arrays(checkpoint.with_name("best.npz"), remedy="")
            self.validation.best_weights = list(best.values())

    def _read(self):
        """Return the state that was written last, or None."""
        path = self.folder / _STATE
        return read_json(path, _KINDS, remedy=f"{_REMEDY}: {self.folder}") if path.is_file() else None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        for name, value in logs.items():
            self.history.setdefault(name, [None] * epoch).append(float(value))
        for values in self.history.values():
            values.extend([None] * (epoch + 1 - len(values)))
        stopped = self.model.stop_training
        due = stopped or epoch + 1 == self.params["epochs"] or time.monotonic() - self._written >= self.seconds
        if self.writes and due:
            self.write(epoch, stopped)

    def write(self, epoch: int, stopped: bool = False) -> None:
        """Write the state at the end of `epoch`, which may have stopped the training before its time.

        Raises:
            OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"epoch-{epoch}"
        # Before it is written, so that a disk that was full has room again.
        self._tidy()
        with atomic_folder(self.folder / name) as place:
            self._write_weights(place)
        best = {name: getattr(self.validation, name) for name in _BEST}
        state = {"epoch": epoch, "stopped": stopped, "checkpoint": f"{name}/weights", **best, "history": self.history}
        state["keras"] = KERAS
        write_json(self.folder / _STATE, state)
        self._tidy()
        self._written = time.monotonic()

    def _write_weights(self, place):
        try:
            tf.train.Checkpoint(**self.model.training_state()).write(str(place / "weights"))
        except tf.errors.OpError as error:
            # Of a full disk it is a ResourceExhaustedError, which elsewhere means memory.
            raise system_error(error.message, self.folder) from error
        if self.validation.best_weights is not None:
            # As `np.savez` names arrays that have no names.
            weights = {f"arr_{number}": array for number, array in enumerate(self.validation.best_weights)}
            write_arrays(place / "best.npz", weights)

    def _tidy(self):
        """Remove all weights but those that `state.json` names, also what a write that was killed has left."""
        state = self._read()
        kept = None if state is None else state["checkpoint"].partition("/")[0]
        for path in self.folder.glob("*epoch-*"):
            # Runs of before had no folders, but files `epoch-N.index` and the like.
            if path.stem != kept:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
