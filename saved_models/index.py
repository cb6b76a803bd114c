"""Hold what an export searches among: packed codes, a key and a class for each item, and the model that made them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import read_arrays, write_arrays

UNKNOWN = -1
# What is kept of an index: kinds of the arrays and their numbers of axes.
_STORED = {"codes": ("u", 2), "ids": ("U", 1), "labels": ("i", 1), "model": ("U", 0), "source": ("U", 0)}


@dataclass(frozen=True, eq=False)
class Index:
    """Describe items that are searched, in the order in which equal distances are listed.

    Attributes:
        codes: `(n, l / 8)` uint8.
        ids: `(n,)` str, unique keys.
        labels: `(n,)` int32 class numbers; -1 where the class is not known.
        model: fingerprint of the model that made the codes, see `fingerprint.model_fingerprint`.
        source: the image source that they are codes of.

    Raises:
        SettingError: if these do not fit together, or a key comes twice.
    """

    codes: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    model: str
    source: str = "image"

    def __post_init__(self):
        count = len(self.codes)
        if self.codes.ndim != 2 or self.codes.dtype != np.uint8 or len(self.ids) != count or len(self.labels) != count:
            raise SettingError(
                "An index has codes (n, l / 8) uint8, n ids and n labels. Received: codes "
                f"{self.codes.shape} {self.codes.dtype}, {len(self.ids)} ids and {len(self.labels)} labels."
            )
        found, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise SettingError(
                f"Every item of an index has a key of its own. Received twice: {str(found[counts.argmax()])!r}"
            )

    @property
    def bits(self) -> int:
        """Return length l of the codes."""
        return 8 * self.codes.shape[1]

    def save(self, path: Path | str) -> None:
        """Write a NumPy file that `load` reads."""
        # NumPy keeps texts as 4 bytes a character, all as long as the longest.
        write_arrays(Path(path), {name: getattr(self, name) for name in _STORED}, compressed=True)

    @classmethod
    def load(cls, path: Path) -> "Index":
        """Read what `save` wrote.

        Raises:
            DataError: if the file is not there, damaged or not of this kind.
        """
        remedy = (
            "Expected a file of codes that keras-dhnn wrote, such as "
            "runs/RUN/export/NAME/VERSION/assets.extra/index.npz."
        )
        arrays = read_arrays(path, _STORED, remedy=remedy)
        values: dict[str, Any] = {
            name: arrays[name].item() if axes == 0 else arrays[name] for name, (_, axes) in _STORED.items()
        }
        try:
            return cls(**values)
        except SettingError as error:
            raise DataError(f"{path} is damaged: {error} {remedy}") from error

    def add(self, codes: np.ndarray, ids: ArrayLike, labels: ArrayLike) -> "Index":
        """Return a copy with more items at its end; arguments and errors as of the class."""
        return Index(
            np.concatenate([self.codes, codes]),
            np.concatenate([self.ids, np.asarray(ids, str)]),
            np.concatenate([self.labels, np.asarray(labels, np.int32)]),
            self.model,
            self.source,
        )

    def remove(self, ids: Collection[str]) -> "Index":
        """Return a copy without some items.

        Raises:
            SettingError: if a key is not there.
        """
        missing = sorted(set(ids) - set(self.ids.tolist()))
        if missing:
            raise SettingError(f"There is no item {missing[0]!r} in the index, which has {len(self.ids)} items.")
        kept = ~np.isin(self.ids, list(ids))
        return Index(self.codes[kept], self.ids[kept], self.labels[kept], self.model, self.source)
