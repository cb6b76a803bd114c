"""Keep which images must stay on one side of a split, as a file that `fit --set data.groups=FILE` takes."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from keras_dhnn.errors import DataError
from keras_dhnn.files import read_arrays, write_arrays


def merge_groups(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return groups `(n,)` int64 of what either of two groupings `(n,)` keeps together, directly or through others."""
    _, one = np.unique(one, return_inverse=True)
    _, other = np.unique(other, return_inverse=True)
    count = one.max() + other.max() + 2  # a node for each group of both; an image connects its two
    links = coo_array((np.ones(len(one), bool), (one, one.max() + 1 + other)), shape=(count, count))
    return connected_components(links, directed=False)[1][one].astype(np.int64)


def save_groups(path: Path | str, groups: np.ndarray, info: Any) -> None:
    """Write groups `(n,)` of the images of a data set to a file (.npz, no pickle), whole or not at all.

    Raises:
        DataError: if it cannot be written.
    """
    path = Path(path)
    try:
        write_arrays(path, {"groups": groups, "checksum": info.checksum}, compressed=True)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another place.") from error


def load_groups(path: Path, info: Any) -> np.ndarray:
    """Return the groups `(n,)` int64 that `save_groups` wrote.

    Raises:
        DataError: if there is no such file, or it is of other images.
    """
    remedy = f"Write it: keras-dhnn audit {shlex.quote(str(info.directory))} --write-groups {shlex.quote(str(path))}"
    found = read_arrays(path, {"groups": ("iu", 1), "checksum": ("U", 0)}, remedy=remedy)
    groups, checksum = found["groups"].astype(np.int64), found["checksum"].item()
    if checksum != info.checksum or groups.shape != (info.count,):
        raise DataError(
            f"The groups in {path} are of other images than those in {info.directory} (checksum {checksum[:12]} there, "
            f"{info.checksum[:12]} here). {remedy}"
        )
    return groups
