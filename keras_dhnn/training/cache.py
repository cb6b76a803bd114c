"""Keep what is computed once: activations of frozen layers beside their data set, converted networks for the user."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files import expanded, may_write, refuse_links, room, user_cache

# Environment variable: another folder than that of the data sets, which may not be writable.
PLACE = "KERAS_DHNN_CACHE"
# Environment variable: GiB that the activations of a data set may take.
LIMIT = "KERAS_DHNN_CACHE_GIB"
DEFAULT_LIMIT = 16.0
_NETWORKS = ".networks"
_SUFFIX = ".activations"


class Kept(NamedTuple):
    """Describe what is kept in one folder.

    Attributes:
        name: of the data set; "networks" of converted networks, which the user's data sets and archives share; or of
            what others keep.
        folder: where.
        files: how many.
        nbytes: what they take.
    """

    name: str
    folder: Path
    files: int
    nbytes: int


def activations_folder(directory: Path) -> Path:
    """Return where the activations of the data set in `directory` are kept.

    Raises:
        DataError: if a link stands there, or in it.
    """
    folder = _place(directory.parent) / f".{directory.name}{_SUFFIX}"
    refuse_links(folder.parent, folder)
    return folder


def networks_folder() -> Path | None:
    """Return where converted networks are kept, for all data sets and archives; None where the user has no home.

    They are the user's own, and not beside data sets or in archives, which may be a stranger's: runtimes believe what
    they read.
    """
    with contextlib.suppress(DataError):
        return (_wanted() or user_cache()) / _NETWORKS
    return None


def _place(data: Path) -> Path:
    """Return where caches go: where the user says, beside the data sets, or where nobody may write there, to `~`."""
    return _wanted() or (data if not data.exists() or may_write(data) else user_cache())


def _wanted():
    return expanded(os.environ[PLACE]) if os.environ.get(PLACE) else None


def limit() -> int:
    """Return the bytes that the activations of a data set may take.

    Raises:
        SettingError: if the environment says no number from 0.
    """
    text = os.environ.get(LIMIT, str(DEFAULT_LIMIT))
    try:
        gib = float(text)
    except ValueError:
        gib = -1.0
    if not gib >= 0:
        raise SettingError(invalid(f"environment variable {LIMIT}", "a number of GiB, from 0", text))
    return int(min(gib * 2**30, 2**62))


def make_room(folder: Path, nbytes: int, keep: Iterable[Path] = ()) -> bool:
    """Make room for activations within the limit; arguments and result as of `files.room.make_room`."""
    return room.make_room(folder, nbytes, limit(), keep)


def kept(data: Path, names: Iterable[str] = (), others: Mapping[str, Path] = MappingProxyType({})) -> list[Kept]:
    """Return what is kept for the data sets in a folder, of networks, and in other folders.

    Args:
        data: the folder.
        names: of data sets, "networks", or of others; none: all.
        others: `{name: folder}` of what else is kept, listed where it is there.

    Raises:
        SettingError: if nothing is kept for one of the names.
    """
    data, networks = _place(data), networks_folder()
    folders = {path.name[1 : -len(_SUFFIX)]: path for path in sorted(data.glob(f".*{_SUFFIX}"))}
    folders |= {name: path for name, path in {"networks": networks, **others}.items() if path and path.is_dir()}
    names = list(names)
    for name in names:
        if name not in folders:
            raise SettingError(
                f"Nothing is kept for {name!r} in {data}. Expected one of: {', '.join(folders) or 'nothing at all'}"
            )
    return [_measured(name, folders[name]) for name in names or folders]


def clear(data: Path, names: Iterable[str] = (), others: Mapping[str, Path] = MappingProxyType({})) -> list[Kept]:
    """Remove what `kept` returns, and return what it was.

    Raises:
        DataError: if one of the folders is a link; then nothing is removed.
        SettingError: as of `kept`.
    """
    found = kept(data, names, others)
    for one in found:
        refuse_links(one.folder.parent, one.folder, below=False)
    for one in found:
        shutil.rmtree(one.folder)
    return found


def _measured(name, folder):
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    sizes = [stat.st_size for one in folders for stat in room.files_in(one).values()]
    return Kept(name, folder, len(sizes), sum(sizes))
