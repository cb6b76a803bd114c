"""Hold the latest version of an exported model in memory, and follow as new ones appear."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.saved_models.serving.rest import ServingError
from keras_dhnn.saved_models.version.exporter import EXTRA, read_signatures
from keras_dhnn.saved_models.version.versions import list_versions
from keras_dhnn.saved_models.version.warmup import FILE, read_warmup

POLL_SECONDS = 1.0
# HTTP statuses of TensorFlow's error codes, as in TensorFlow Serving; others are 500.
_STATUS = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 14: 503, 16: 401}
# Lines of an error's message that say where in the graph, or that nobody knows where in Python.
_NOISE = ("Graph execution error", "Detected at node", "<stack traces")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Version:
    number: int
    loaded: object
    signatures: dict


class ServedModel:
    """Serve a model's folder, `<version>/saved_model.pb` in it, as TensorFlow Serving with its policy "latest" does.

    Args:
        base: the folder; its name is the model's.

    Attributes:
        name: of the model.
        states: `{version: (state, message)}` of all versions that were seen, such as "AVAILABLE".

    Raises:
        SettingError: if there is no version in it, or the latest cannot be loaded.
    """

    def __init__(self, base):
        self.base = Path(base)
        self.name, self.states, self._current = self.base.resolve().name, {}, None
        self._stop = threading.Event()
        if not list_versions(self.base):
            raise SettingError(
                f"{base} holds no version of a model. Expected numbered folders, as in RUN/export/NAME after "
                "keras-dhnn export RUN."
            )
        self.refresh()
        if self._current is None:
            ((number, (_, message)),) = self.states.items()
            raise SettingError(f"Version {number} in {base} cannot be loaded: {message}")

    def refresh(self):
        """Load the latest version, if it is another one; a broken one leaves what is served as it is."""
        found = list_versions(self.base)
        latest = found[-1] if found else None
        if latest is None or (self._current and latest == self._current.number) or self._failed(latest):
            return
        self.states[latest] = ("LOADING", "")
        try:
            version = _load(self.base / str(latest), latest)
        except Exception as error:  # Damaged files surface as almost anything.
            _LOG.warning("Version %s of %s cannot be loaded: %s", latest, self.name, error)
            self.states[latest] = ("END", str(error) or repr(error))
            return
        previous, self._current = self._current, version
        self.states[latest] = ("AVAILABLE", "")
        if previous:
            self.states[previous.number] = ("END", "")

    def _failed(self, number):
        state, message = self.states.get(number, ("", ""))
        return state == "END" and bool(message)

    def follow(self, seconds=POLL_SECONDS):
        """Look for new versions every so many seconds, in a thread, until `close`."""

        def watch():
            while not self._stop.wait(seconds):
                self.refresh()

        threading.Thread(target=watch, daemon=True, name="versions").start()

    def close(self):
        """End the thread of `follow`."""
        self._stop.set()

    def version(self, number=None):
        """Return the version that is served.

        Raises:
            ServingError: 404, if `number` is given and it is another.
        """
        current = self._current
        if number not in (None, current.number):
            raise ServingError(404, f"Servable not found for request: Specific({self.name}, {number})")
        return current


def predict(version, signature, inputs):
    """Run a signature of a version on `{input: array}`; gives `{output: array}`.

    Raises:
        ServingError: with the status that TensorFlow Serving gives to the error.
    """
    try:
        outputs = version.loaded.signatures[signature](**{name: tf.constant(v) for name, v in inputs.items()})
    except tf.errors.OpError as error:
        raise ServingError(_STATUS.get(error.error_code, 500), _first_line(error.message)) from error
    return {name: value.numpy() for name, value in outputs.items()}


def _first_line(message):
    """Return what went wrong, without where in the graph."""
    lines = [line.strip() for line in message.splitlines() if line.strip() and "{{node" not in line]
    lines = [line for line in lines if not line.startswith(_NOISE)]
    return (lines[0] if lines else message.strip()).removesuffix(".") + "."


def _load(folder, number):
    version = _Version(number, tf.saved_model.load(str(folder)), read_signatures(folder))
    warmup = folder / EXTRA / FILE
    for signature, inputs in read_warmup(warmup) if warmup.is_file() else ():
        predict(version, signature, {name: np.asarray(value) for name, value in inputs.items()})
    return version
