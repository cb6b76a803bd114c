"""Tell what is known of the images' classes: of each one label, several, or none."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import read_arrays, write_arrays

# The class of images that have no label: a folder of this name, or a row without one.
UNLABELLED = "unlabelled"
_KINDS = {"classes": ("U", 1), "sets": ("b", 2)}


@dataclass(frozen=True, eq=False)
class Labels:
    """Describe the labels of a data set's images.

    Attributes:
        classes: `(c,)` names.
        sets: `(n, c)` bool, which labels each image has; none where it has no label.
    """

    classes: tuple
    sets: np.ndarray

    @classmethod
    def of_names(cls, classes: Sequence[str], names: Iterable[Sequence[str]]) -> "Labels":
        """Make the labels of images of which the names of theirs are known.

        Args:
            classes: all names.
            names: those of each image, none where it has no label.
        """
        places, rows = {name: place for place, name in enumerate(classes)}, list(names)
        sets = np.zeros((len(rows), len(places)), bool)
        for row, own in zip(sets, rows, strict=True):
            row[[places[name] for name in own]] = True
        return cls(tuple(classes), sets)

    @property
    def known(self) -> np.ndarray:
        """Return `(n,)` bool, which images have a label."""
        return self.sets.any(axis=1)

    @property
    def several(self) -> bool:
        """Return whether an image has more than one label."""
        return bool((self.sets.sum(axis=1) > 1).any())

    @property
    def digest(self) -> str:
        """Return 12 hexadecimal digits of the SHA-256 of classes and sets."""
        classes = json.dumps([*self.classes, len(self.sets)]).encode()
        return hashlib.sha256(classes + np.packbits(self.sets).tobytes()).hexdigest()[:12]

    def check_learnable(self, whose: Path | str, without: str = "leave the labels out") -> None:
        """Check that the images with labels are of two classes at least: from one, nothing can be learned.

        Args:
            whose: the table, or whatever the labels are of, for the message.
            without: how the images are taken without labels, for the message.

        Raises:
            DataError: if all images that have labels have the same.
        """
        sets = np.unique(self.sets[self.known], axis=0)
        if len(sets) == 1:
            raise DataError(
                f"{whose}: {self.known.sum()} images have labels, all the same: {self._name(sets[0])!r}. Nothing is "
                "learned from one class: two at least are needed. Give some other images another label, such as "
                f"'not {self._name(sets[0])}' (on the page of keras-dhnn browse, mark some as wrong, and export the "
                f"labels again), or {without}."
            )

    def save(self, path: Path) -> None:
        """Write the labels as a NumPy file, whole or not at all."""
        write_arrays(path, {"classes": np.array(self.classes, str), "sets": self.sets}, compressed=True)

    @classmethod
    def load(cls, path: Path) -> "Labels":
        """Read the labels that `save` wrote.

        Raises:
            DataError: if there is no such file, or it is damaged.
        """
        values = read_arrays(path, _KINDS, remedy="Give the labels again, by --labels FILE.")
        return cls(tuple(values["classes"].tolist()), values["sets"])

    def as_classes(self) -> tuple[tuple, np.ndarray]:
        """Return the distinct sets of labels as classes, "beach" or "beach + sea", and each image's number among them.

        Returns:
            `(names, numbers)`: the sets of one label in the order of `classes`, then the others, then `UNLABELLED` if
            an image has no label; and `(n,)` int32.
        """
        sets, numbers = np.unique(self.sets, axis=0, return_inverse=True)
        rows = self.distinct
        places = {tuple(row): place for place, row in enumerate(rows.tolist())}
        of_sets = np.array([places[tuple(row)] for row in sets.tolist()], np.int32)
        return tuple(map(self._name, rows)), of_sets[numbers.ravel()]

    @property
    def distinct(self) -> np.ndarray:
        """Return `(s, c)` bool, which labels are in each set that `as_classes` makes a class."""
        sets = np.unique(self.sets, axis=0)
        alone = np.eye(len(self.classes), dtype=bool)
        rows = np.unique(np.concatenate([sets[sets.sum(axis=1) > 1], alone]), axis=0)
        # By number of labels, then in the order of classes.
        ordered = sorted(map(tuple, rows.tolist()), key=lambda row: (sum(row), [not one for one in row]))
        if not self.known.all():
            ordered.append((False,) * len(self.classes))
        return np.array(ordered, bool)

    def names_of(self, row: np.ndarray) -> tuple[str, ...]:
        """Return the names of the labels in a set `(c,)`."""
        return tuple(name for name, has in zip(self.classes, row, strict=True) if has)

    def _name(self, row):
        return " + ".join(self.names_of(row)) or UNLABELLED
