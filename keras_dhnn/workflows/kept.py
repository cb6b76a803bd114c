"""See and remove what all verbs keep so that it is computed once."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.files import user_cache
from keras_dhnn.training import cache

# Below the user's cache: archives of folders that were searched, and what the demonstration draws.
FOLDERS, DEMO = "folders", "demo-1"


def kept(data: Path, names: Iterable[str] = ()) -> list[cache.Kept]:
    """Return what is kept: for data sets, of networks, of folders that were searched, and of the demonstration.

    Args:
        data: folder of the data sets.
        names: of data sets, or "networks", "folders" or "demo"; none: all.

    Raises:
        SettingError: if nothing is kept for one of the names.
    """
    return cache.kept(data, names, _others())


def clear(data: Path, names: Iterable[str] = ()) -> list[cache.Kept]:
    """Remove what `kept` returns, and return what it was.

    Raises:
        DataError: if one of the folders is a link; then nothing is removed.
        SettingError: as of `kept`.
    """
    return cache.clear(data, names, _others())


def _others():
    with contextlib.suppress(DataError):  # a user without a home, for whom nothing is kept
        return {"folders": user_cache() / FOLDERS, "demo": user_cache() / DEMO}
    return {}
