"""Group images that must stay on one side of a split by their names: tiles of one scene, frames of one flight."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

import numpy as np

from keras_dhnn.errors import DataError, SettingError


def groups_by_name(ids: Iterable[str], folders: Iterable[str], pattern: str) -> np.ndarray:
    """Return group numbers for `splits.make_split`, from a pattern in the names.

    Args:
        ids: `(n,)` names, such as "forest/scene12_tile3.tif".
        folders: `(n,)` folders that are their images' classes, such as "forest"; "" where a folder is no class.
        pattern: regular expression that is looked for in the name without folder and suffix, such as "scene[0-9]+".
            Images belong together whose first match is the same, whatever folder they lie in, but in folders of
            different classes: what is in parentheses, if the pattern has any, else all of it.

    Returns:
        `(n,)` int64.

    Raises:
        SettingError: if it is no regular expression.
        DataError: if a name does not match, or all images of the set are one group.
    """
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise SettingError(
            f"Expected a regular expression such as scene[0-9]+. Received: {pattern!r} ({error})"
        ) from error
    keys = []
    for name, folder in zip(ids, folders, strict=True):
        match = found.search(PurePosixPath(str(name)).stem)
        if match is None:
            raise DataError(
                f"The name {str(name)!r} does not match the pattern {pattern!r}. Every name has to: "
                "'^[^_]+' groups by whatever stands before the first underscore."
            )
        keys.append((str(folder), *(match.groups() or (match.group(),))))
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    if len(numbers) < 2:
        raise DataError(f"All images match the pattern {pattern!r} with the same text {keys[0][1:]}: one group.")
    return np.array([numbers[key] for key in keys], np.int64)
