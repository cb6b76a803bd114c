"""Keep what is computed once: activations of frozen layers beside their data set, converted networks for the user."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files import may_write, user_cache

# Environment variable: another folder than that of the data sets, which may not be writable.
PLACE = "KERAS_DHNN_CACHE"
# Environment variable: GiB that the activations of a data set may take.
LIMIT = "KERAS_DHNN_CACHE_GIB"
DEFAULT_LIMIT = 16.0
# Bytes that are left free on a disk.
_SPARE = 1 << 30
_NETWORKS = ".networks"
_SUFFIX = ".activations"


class Kept(NamedTuple):
    """Describe what is kept in one folder.

    Attributes:
        name: of the data set; "networks" of converted networks, which the user's data sets and archives share.
        folder: where.
        files: how many.
        nbytes: what they take.
    """

    name: str
    folder: Path
    files: int
    nbytes: int


def activations_folder(directory: Path) -> Path:
    """Return where the activations of the data set in `directory` are kept."""
    return _place(directory.parent) / f".{directory.name}{_SUFFIX}"


def networks_folder() -> Path | None:
    """Return where converted networks are kept, for all data sets and archives; None where the user has no home.

    They are the user's own, and not beside data sets or in archives, which may be a stranger's: runtimes believe what
    they read.
    """
    if os.environ.get(PLACE):
        return Path(os.environ[PLACE]).expanduser() / _NETWORKS
    with contextlib.suppress(DataError):
        return user_cache() / _NETWORKS
    return None


def _place(data: Path) -> Path:
    """Return where caches go: where the user says, beside the data sets, or where nobody may write there, to `~`."""
    if os.environ.get(PLACE):
        return Path(os.environ[PLACE]).expanduser()
    if not data.exists() or may_write(data):
        return data
    return user_cache()


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
    """Remove what was not used for longest until so many bytes more are within the limit.

    A process that has a removed file open can use it to its end.

    Args:
        folder: of activations.
        nbytes: to be written.
        keep: files that are to stay.

    Returns:
        Whether there is room, by the limit and on the disk; if not, nothing is removed.
    """
    keep, most = set(keep), limit()
    files = sorted((path for path in _files(folder) if path not in keep), key=lambda path: path.stat().st_mtime)
    kept = sum(path.stat().st_size for path in keep if path.is_file())
    sizes = [path.stat().st_size for path in files]
    free = shutil.disk_usage(_existing(folder)).free + sum(sizes) - _SPARE
    if nbytes + kept > most or nbytes > free:
        return False
    total = kept + sum(sizes)
    for path, size in zip(files, sizes, strict=True):
        if total + nbytes <= most and nbytes <= shutil.disk_usage(folder).free - _SPARE:
            break
        path.unlink(missing_ok=True)
        total -= size
    return True


def kept(data: Path, names: Iterable[str] = ()) -> list[Kept]:
    """Return what is kept for the data sets in a folder, and of networks.

    Args:
        data: the folder.
        names: of data sets, or "networks"; none: all.

    Raises:
        SettingError: if nothing is kept for one of the names.
    """
    data, networks = _place(data), networks_folder()
    folders = {path.name[1 : -len(_SUFFIX)]: path for path in sorted(data.glob(f".*{_SUFFIX}"))}
    if networks is not None and networks.is_dir():
        folders["networks"] = networks
    names = list(names)
    for name in names:
        if name not in folders:
            raise SettingError(
                f"Nothing is kept for {name!r} in {data}. Expected one of: {', '.join(folders) or 'nothing at all'}"
            )
    return [_measured(name, folders[name]) for name in names or folders]


def clear(data: Path, names: Iterable[str] = ()) -> list[Kept]:
    """Remove what `kept` returns, and return what it was."""
    found = kept(data, names)
    for one in found:
        shutil.rmtree(one.folder)
    return found


def _measured(name, folder):
    files = _files(folder)
    return Kept(name, folder, len(files), sum(path.stat().st_size for path in files))


def _files(folder):
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _existing(folder):
    return folder if folder.is_dir() else _existing(folder.parent)
