"""Tell paths on this machine from addresses, such as s3://bucket/tiles, and read and write at these through fsspec.

A place is a `pathlib.Path`, or a `UPath` (universal_pathlib), which has the same methods. What is read at an address
has been named by the user; nothing else is ever fetched.
"""

import contextlib
import datetime
import functools
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_dhnn.errors import DataError, MissingPackage

_NOT_THERE = (404, 410)
_LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
# A path object has made one slash of the two; one letter is a drive.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
# What these name is on this machine.
_HERE = ("file", "local")
# These have no server that a third slash would leave out.
_WITHOUT_SERVER = ("memory",)
_WHOLE_FILES_ONLY = ("support range requests", "Cannot seek streaming HTTP file")


class Unreadable(DataError):
    """Report a place that cannot be read or written at the moment, which says nothing of what it holds."""


def is_address(path: Any) -> bool:
    """Return whether something names a place on another machine, or in one of fsspec's own file systems."""
    found = _ADDRESS.fullmatch(str(path))
    return found is not None and found[1].lower() not in _HERE


def address(path: Any) -> str:
    """Return an address as it is written, with the slash that a path object took from it; of a path its text.

    The third slash of hdfs:///tiles, which names no server, stays: a path object takes that too, so give a text.
    """
    found = _ADDRESS.fullmatch(str(path))
    if not found:
        return str(path)
    protocol = found[1].lower()
    if protocol in _HERE:
        return f"/{found[2]}"
    root = "/" if ":///" in str(path)[: found.start(2)] and protocol not in _WITHOUT_SERVER else ""
    return f"{protocol}://{root}{found[2]}"


def place(path: Any) -> Any:
    """Return a `Path`, or of an address a `UPath`.

    Raises:
        MissingPackage: for an address, if universal_pathlib or its protocol's own package is not installed.
        DataError: if there is no such protocol.
    """
    found = _ADDRESS.fullmatch(str(path))
    if found and found[1].lower() in _HERE:
        return Path(address(path))
    if not found:
        return path if hasattr(path, "fs") else Path(path)
    try:
        from upath import UPath
    except ImportError as error:
        raise MissingPackage(f"Reading {path} needs universal_pathlib: pip install 'keras-dhnn[remote]'") from error
    try:
        made = UPath(address(path))
        made.fs  # noqa: B018 - asks for the protocol's package now
        return made
    except ImportError as error:
        raise MissingPackage(f"Reading {address(path)} needs another package: {error}") from error
    except ValueError as error:
        raise DataError(f"{address(path)} cannot be reached: {error}") from error


def exists(path: Any) -> bool:
    """Return whether there is something at a place.

    Raises:
        DataError: if an address cannot be reached, such as without the right to.
    """
    if not is_address(path):
        return path.exists()
    with _told(path, "cannot be reached"):
        return path.fs.exists(path.path)


def is_gone(path: str) -> bool | None:
    """Return whether a file is not at its place any more; None where that cannot be known.

    It cannot be where nobody may look, where a server says anything else than that there is no such file, and where
    the folder that the file was in is empty, as it is where something is not mounted.
    """
    return _is_gone_at_address(path) if is_address(path) else _is_gone_here(path)


def _is_gone_here(path):
    try:
        os.lstat(path)
        return False
    except (FileNotFoundError, NotADirectoryError):
        return True if _holds_something(os.path.dirname(path)) else None
    except (OSError, ValueError):
        return None


def _holds_something(folder):
    """Return whether there is anything in a folder, or in the one around it that is left."""
    try:
        with os.scandir(folder) as inside:
            return any(True for _ in inside)
    except (FileNotFoundError, NotADirectoryError):
        above = os.path.dirname(folder)
        return above != folder and _holds_something(above)
    except OSError:
        return False


def _is_gone_at_address(path):
    try:
        opened = place(path)
        opened.fs.info(opened.path)
        return False
    except FileNotFoundError as error:
        # Of HTTP this is raised whatever the server answered.
        cause = error.__cause__
        return True if cause is None or getattr(cause, "status", None) in _NOT_THERE else None
    except Exception:  # each protocol's package has errors of its own
        return None


def file_name(path: Any) -> str:
    """Return the absolute name of a place, as databases that read it write it."""
    return path.fs.unstrip_protocol(path.path) if is_address(path) else str(path.absolute())


def readable_system(path: Any) -> Any:
    """Return the file system of an address as DuckDB reads it, which asks when a file was changed.

    Not all protocols say so; files that an archive lists are never changed.
    """
    from fsspec import AbstractFileSystem

    kind = type(path.fs)
    if kind.modified is not AbstractFileSystem.modified:
        return path.fs
    unchanging = type(kind.__name__, (kind,), {"modified": lambda *_: _LONG_AGO, "cachable": False})
    return unchanging(*path.fs.storage_args, **path.fs.storage_options)


@contextlib.contextmanager
def local_copy(path: Any) -> Iterator[Path]:
    """Yield a file of this machine with what stands at a place: the place itself if it is here.

    Raises:
        DataError: if it cannot be read.
    """
    if not is_address(path):
        yield Path(address(path))
        return
    with tempfile.TemporaryDirectory(prefix="keras-dhnn-") as folder:
        copy = Path(folder) / address(path).rstrip("/").rsplit("/", 1)[-1]
        _fetch(path, copy)
        yield copy


@contextlib.contextmanager
def in_parts(path: Any) -> Iterator[Any]:
    """Yield what a library opens to read parts of a file: its path, or an open file at an address.

    Where a server gives whole files only, it is a copy, which goes afterwards.

    Raises:
        DataError: if it cannot be read.
    """
    if not is_address(path):
        yield path
        return
    opened = place(path)
    with contextlib.ExitStack() as stack:
        with _told(path, "cannot be read"):
            file = stack.enter_context(opened.fs.open(opened.path, "rb"))
            try:
                file.seek(1)
                file.seek(0)
            except (OSError, ValueError):
                file = stack.enter_context(local_copy(path))
        yield file


@functools.cache
def kept_copy(path: str) -> Path:
    """Return a copy of what stands at an address, which goes when this process ends."""
    copy = Path(tempfile.mkdtemp(dir=_folder().name)) / path.rsplit("/", 1)[-1]
    _fetch(path, copy)
    return copy


class OpenedFile:
    """Hold a file at an address open for reading, as a context.

    Args:
        path: `UPath`.

    Raises:
        FileNotFoundError: if there is surely none, also when it is read.
        Unreadable: for whatever else the package of its protocol raises, which may be anything.
    """

    def __init__(self, path: Any):
        self._path = path
        with self._told():
            self._file = path.fs.open(path.path, "rb")

    def __enter__(self) -> "OpenedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Turn to a place in the file, and return it."""
        with self._told():
            return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes from where the file is at; -1: all that are left."""
        with self._told():
            return self._file.read(size)

    @contextlib.contextmanager
    def _told(self):
        try:
            with _told(self._path, "cannot be read"):
                yield
        except Unreadable as error:
            if isinstance(error.__cause__, FileNotFoundError) and is_gone(self._path):
                raise error.__cause__ from None
            raise


def take_away(path: Any) -> bool:
    """Remove a file at an address that nobody needs; returns whether that was possible."""
    try:
        path.fs.rm_file(path.path)
    except Exception:  # each protocol's package has errors of its own, and it may stay
        return False
    return True


def put(path: Path, target: Any) -> None:
    """Write a file of this machine to an address, whole or not at all.

    Raises:
        DataError: if it cannot be written.
    """
    with _told(target, "cannot be written"):
        target.fs.put_file(str(path), target.path)


def read_address(path: Any, most_bytes: int) -> bytes:
    """Return the bytes at an address.

    Raises:
        DataError: if there are more than a limit, or it cannot be read.
    """
    opened = place(path)
    with _told(path, "cannot be read"), opened.fs.open(opened.path, "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise DataError(f"{address(path)} has more than {most_bytes:,} bytes.")
    return data


def list_address(path: Any) -> list[str]:
    """Return the addresses of all files below one, in order of names, or itself if it is a file.

    Raises:
        DataError: if there is nothing.
    """
    opened = place(path)
    with _told(path, "cannot be listed"):
        found = [opened.path] if opened.fs.isfile(opened.path) else sorted(opened.fs.find(opened.path))
    if not found:
        raise DataError(f"There is nothing at {address(path)}.")
    return [_below(opened, address(path), name) for name in found]


def _below(opened, given, name):
    """Return the address of a file below one that was given, with the server, which some packages leave out."""
    folder = opened.path.rstrip("/")
    if name == folder or name.startswith(f"{folder}/"):
        return given.rstrip("/") + name.removeprefix(folder)
    return address(opened.fs.unstrip_protocol(name))


def _fetch(path, copy):
    opened = place(path)
    with _told(path, "cannot be read"):
        opened.fs.get_file(opened.path, str(copy))


@contextlib.contextmanager
def _told(path, what):
    """Tell whatever the package of a protocol raises, each has errors of its own, in one line."""
    try:
        yield
    except Exception as error:
        if gives_whole_files(str(error)):
            raise Unreadable(whole_files_only(path)) from error
        raise Unreadable(f"{address(path)} {what} ({type(error).__name__}: {error}).") from error


def gives_whole_files(reason: str) -> bool:
    """Return whether fsspec failed because a server of HTTP knows no ranges."""
    return any(text in reason for text in _WHOLE_FILES_ONLY)


def whole_files_only(path: Any) -> str:
    """Return what a user is told then."""
    return (
        f"{address(path)} cannot be read in parts: its server gives whole files only. Put the archive on a server that "
        "answers requests for ranges of bytes, or copy it to this machine."
    )


@functools.lru_cache(maxsize=1)
def _folder():
    return tempfile.TemporaryDirectory(prefix="keras-dhnn-")
