"""Open what encodes queries when it is first needed, and say how far that is: a network takes seconds to load."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_dhnn.archive import Queries
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.errors import KerasDhnnError

# Gives the `archive.encoding.Encoder` of a source, or raises one of our errors that says why there is none.
Opener = Callable[[str], Any]


class Encoders:
    """Hold one encoder for each image source.

    Args:
        opener: function of a source that gives its encoder.
    """

    def __init__(self, opener: Opener):
        self._opener, self._guard = opener, threading.Lock()
        self._opened: dict[str, Any] = {}
        self._failed: dict[str, str] = {}

    def state(self, source: str) -> tuple[str, str]:
        """Return ("ready", ""), ("loading", "") or ("no", the reason in words)."""
        if source in self._failed:
            return "no", self._failed[source]
        return ("ready" if source in self._opened else "loading"), ""

    def warm_up(self, source: str) -> None:
        """Open an encoder in a thread of its own, so that the first upload need not wait for it."""

        def open_quietly() -> None:
            with contextlib.suppress(Refusal):  # `state` says it
                self.of(source)

        threading.Thread(target=open_quietly, daemon=True, name="encoder").start()

    def of(self, source: str) -> Any:
        """Return the encoder of a source.

        Raises:
            Refusal: 422 if it cannot be opened.
        """
        with self._guard:
            if source not in self._opened and source not in self._failed:
                try:
                    self._opened[source] = self._opener(source)
                except KerasDhnnError as error:
                    self._failed[source] = str(error)
            if source in self._failed:
                raise Refusal(422, "no_encoder", self._failed[source])
            return self._opened[source]

    def encode(self, source: str, images: np.ndarray) -> Queries:
        """Return the `Queries` of images `(b, H, W, C)` of the encoder's form, one caller after the other."""
        encoder = self.of(source)
        with self._guard:
            return encoder.encode(images)
