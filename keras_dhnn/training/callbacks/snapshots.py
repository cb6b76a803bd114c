"""Keep hash outputs of some items at a few epochs, to see how they part while training."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.files import read_arrays, write_arrays


class Snapshots(tf.keras.callbacks.Callback):
    """Write `epoch-<T>.npz`, `{source: (n, l)}` and `items`, after T = 0, 10, 20 and 30 epochs (SIDHCNN Fig. 5).

    Args:
        folder: where to.
        encode: function of no arguments that returns the hash outputs `{source: (n, l)}` of the items.
        items: `(n,)` item numbers.
    """

    EPOCHS = (0, 10, 20, 30)

    def __init__(self, folder: Path, encode: Callable[[], Mapping[str, np.ndarray]], items: np.ndarray):
        super().__init__()
        self.folder, self.encode, self.items = folder, encode, items

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self._path(0).exists():
            self._write(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch + 1 in self.EPOCHS:
            self._write(epoch + 1)

    def _write(self, epochs):
        self.folder.mkdir(parents=True, exist_ok=True)
        write_arrays(self._path(epochs), {"items": self.items, **self.encode()})

    def _path(self, epochs):
        return self.folder / f"epoch-{epochs}.npz"


def load_snapshots(folder: Path) -> dict[int, tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Return `{epochs: (items, {source: (n, l)})}` as `Snapshots` wrote them, by rising epochs; empty if there are
    none.
    """
    found = {}
    for epochs in Snapshots.EPOCHS:
        path = folder / f"epoch-{epochs}.npz"
        if path.is_file():
            arrays = read_arrays(path, {"items": ("i", 1)}, remedy="Remove it: then it is left out of the figure.")
            found[epochs] = arrays.pop("items"), arrays
    return found
