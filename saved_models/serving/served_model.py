"""Hold the latest version of an exported model in memory, and follow as new ones appear."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import DataError, RunError, SettingError
from keras_dhnn.saved_models.serving.rest import ServingError
from keras_dhnn.saved_models.version.exporter import EXTRA, read_signatures, version_damage
from keras_dhnn.saved_models.version.versions import list_versions
from keras_dhnn.saved_models.version.warmup import FILE, read_warmup

POLL_SECONDS = 1.0
# After which a version that failed is tried again though its files are the same; twice as long each time.
RETRY_SECONDS = 5.0
# HTTP statuses of TensorFlow's error codes, as in TensorFlow Serving; others are 500.
_STATUS = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 14: 503, 16: 401}
# Lines of an error's message that say where in the graph, or that nobody knows where in Python.
_NOISE = ("Graph execution error", "Detected at node", "<stack traces")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Version:
    number: int
    loaded: Any
    signatures: dict


class _Attempt:
    """Say when a version that could not be loaded is tried again."""

    def __init__(self) -> None:
        self._tried: list[tuple[str, int, int]] | None = None
        self._seen: list[tuple[str, int, int]] | None = None
        self._again, self._pause = 0.0, 0.0

    def due(self, contents: list[tuple[str, int, int]]) -> bool:
        """Return whether its files are another than those that failed and stay as they are, or it has been a while."""
        settled, self._seen = contents == self._seen, contents
        return settled and (contents != self._tried or time.monotonic() >= self._again)

    def begin(self, contents: list[tuple[str, int, int]]) -> None:
        self._tried = self._seen = contents

    def failed(self) -> None:
        self._pause = min(max(2 * self._pause, RETRY_SECONDS), 60 * RETRY_SECONDS)
        self._again = time.monotonic() + self._pause


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

    def __init__(self, base: Path | str) -> None:
        self.base = Path(base)
        self.states: dict[int, tuple[str, str]] = {}
        self._current: _Version | None = None
        self._attempts: dict[int, _Attempt] = {}
        self._said: set[str] = set()
        self._stop = threading.Event()
        if not list_versions(self.base):
            raise SettingError(
                f"{base} holds no version of a model. Expected numbered folders, as in RUN/export/NAME after "
                "keras-dhnn export RUN."
            )
        self.name = self.base.resolve().name
        self._take(list_versions(self.base)[-1])
        if self._current is None:
            ((number, (_, message)),) = self.states.items()
            raise RunError(f"Version {number} in {base} cannot be loaded: {message}")

    def refresh(self) -> None:
        """Load the latest version, if it is another one and whole; until then, what is served stays as it is.

        A version may be copied in slowly, in any order: it is tried once its files stay the same from one look to the
        next, or are those that it lists; and if that fails, again when they change, or after a while.
        """
        found = list_versions(self.base)
        latest = found[-1] if found else None
        if latest is None or (self._current and latest == self._current.number):
            return
        attempt = self._attempts.setdefault(latest, _Attempt())
        if attempt.due(_contents(self.base / str(latest))) and not self._copying(latest):
            self._take(latest)

    def _copying(self, number):
        """Return whether a version lacks files that it lists, or parts of them."""
        try:
            missing = version_damage(self.base / str(number), content=False)
        except DataError as error:  # of the list itself there is a part
            missing = [str(error)]
        if missing:
            self.states[number] = ("LOADING", missing[0])
        return bool(missing)

    def _take(self, number):
        folder = self.base / str(number)
        attempt = self._attempts.setdefault(number, _Attempt())
        attempt.begin(_contents(folder))
        self.states[number] = ("LOADING", "")
        try:
            version = _load(folder, number)
        except Exception as error:  # Damaged files surface as almost anything.
            attempt.failed()
            self._say(f"Version {number} of {self.name} cannot be loaded: {error}")
            self.states[number] = ("END", str(error) or repr(error))
            return
        previous, self._current = self._current, version
        self.states[number] = ("AVAILABLE", "")
        if previous:
            self.states[previous.number] = ("END", "")

    def _say(self, text):
        """Write a line, once: what fails every second needs not be read every second."""
        if text not in self._said:
            self._said.add(text)
            _LOG.warning("%s", text)

    def follow(self, seconds: float = POLL_SECONDS) -> None:
        """Look for new versions every so many seconds, in a thread, until `close`."""

        def watch() -> None:
            while not self._stop.wait(seconds):
                try:
                    self.refresh()
                except Exception as error:  # No descriptors, a disk that is away: the next look may find it again.
                    self._say(f"New versions of {self.name} cannot be looked for: {error}")

        threading.Thread(target=watch, daemon=True, name="versions").start()

    def close(self) -> None:
        """End the thread of `follow`."""
        self._stop.set()

    def version(self, number: int | None = None) -> _Version:
        """Return the version that is served.

        Raises:
            ServingError: 404, if `number` is given and it is another.
        """
        current = self._current
        if current is None or number not in (None, current.number):
            raise ServingError(404, f"Servable not found for request: Specific({self.name}, {number})")
        return current


def predict(version: _Version, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a signature of a version on `{input: array}`, and return `{output: array}`.

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


def _contents(folder):
    """Return what of a folder's files changes while they are copied: names, sizes and times."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _load(folder, number):
    found = version_damage(folder)
    if found:
        raise DataError(f"{folder} is damaged: {'; '.join(found)}.")
    version = _Version(number, tf.saved_model.load(str(folder)), read_signatures(folder))
    warmup = folder / EXTRA / FILE
    for signature, inputs in read_warmup(warmup) if warmup.is_file() else ():
        predict(version, signature, {name: np.asarray(value) for name, value in inputs.items()})
    return version
