"""Keep the split that an archive's authors publish beside its images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import read_arrays, write_arrays

PUBLISHED = "published"
FILE = "split.npz"
# What an archive calls its parts, and what becomes of them: `None` are images that the split leaves out.
_PARTS = ("train", "validation", "test")


def save_published(directory: Path, parts: Sequence[str | None]) -> None:
    """Write the part of each image of a data set, in the order of its items, whole or not at all.

    Args:
        directory: the data set's folder.
        parts: `(n,)` "train", "validation", "test", or None of an image in no part.
    """
    numbers = np.array([-1 if part is None else _PARTS.index(part) for part in parts], np.int8)
    write_arrays(directory / FILE, {"parts": numbers})


def load_published(directory: Path, count: int) -> dict[str, np.ndarray]:
    """Read which images search, by the archive's own split: those to test with search in those to train with.

    Args:
        directory: the data set's folder.
        count: its images.

    Returns:
        `{"queries", "database"}`, and "validation", a part of the database, where there is one: image numbers, int64.

    Raises:
        DataError: if the data set has no such split, or it is damaged, or of another number of images.
    """
    if not has_published(directory):
        raise DataError(
            f"{directory} has no split that was published with it. Give one by --split FILE, or none: --set "
            "data.split=none"
        )
    remedy = "Prepare the data set again, with --force."
    numbers = read_arrays(directory / FILE, {"parts": ("i", 1)}, remedy=remedy)["parts"]
    if len(numbers) != count or not np.isin(numbers, range(-1, len(_PARTS))).all():
        raise DataError(f"{directory / FILE} is damaged: it is not of {count:,} images. {remedy}")
    train, validation, test = (np.flatnonzero(numbers == part) for part in range(len(_PARTS)))
    found = {"queries": test, "database": np.union1d(train, validation)}
    return found | ({"validation": validation} if len(validation) else {})


def has_published(directory: Path) -> bool:
    """Return whether a data set has a split that was published with it."""
    return (directory / FILE).is_file()
