"""Check and find names of files and folders."""

import contextlib
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from keras_dhnn.errors import DataError, SettingError

# What is a folder's end, or means something to a shell, an URL or other systems.
_SIGNS = set("/\\:;&|<>$`\"'*?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_NAME = 200  # bytes; with what we put before and behind it, less than the 255 that file systems take
_LONGEST = 255  # of what we list, folders included


def check_name(name: str, what: str) -> str:
    """Return a name that becomes a folder, if it is one.

    Args:
        name: letters and digits of any script, spaces and most signs.
        what: it is of, for the message, such as "a run".

    Raises:
        SettingError: if it is empty, leads elsewhere (`/`, `..`), cannot be typed or seen (control characters,
            spaces at an end), is hidden or looks like an option (begins with . or -), or means something to a shell.
    """
    reason = _fault(name)
    if reason:
        raise SettingError(
            f"Expected as the name of {what} letters, digits, spaces and signs such as _ . - +, the first not . or -. "
            f"Received: {name!r}, which {reason}."
        )
    return name


def _fault(name: str) -> str | None:
    foreign = sorted({sign for sign in name if not sign.isprintable() or sign in _SIGNS})
    if not name or name != name.strip():
        return "is empty" if not name.strip() else "begins or ends with a space"
    if name[0] in ".-~":
        return f"begins with {name[0]}"
    if foreign:
        return f"has {foreign[0]!r}"
    if not is_text(name):
        return "is not UTF-8"
    return f"is longer than {_MOST_NAME} bytes" if len(name.encode()) > _MOST_NAME else None


def is_text(name: str) -> bool:
    """Return whether UTF-8 holds a name, which it does not if that is of a file whose bytes are something else."""
    return _SURROGATE.search(name) is None


def is_inside(name: str) -> bool:
    """Return whether a name, with slashes or not, is of something below the folder that it is relative to, and one that
    file systems take.
    """
    if not is_text(name) or "\0" in name or len(name.encode()) > _LONGEST:
        return False
    path = PurePosixPath(name)
    return path.parts != () and not path.is_absolute() and ".." not in path.parts


def new_folder(parent: Path, base: str) -> Path:
    """Make the first of the folders `base`, `base-2`, `base-3`, ... that is not there; no other process gets the same.

    Returns:
        Its path.
    """
    parent.mkdir(parents=True, exist_ok=True)
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    while True:
        folder = parent / next(names)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder


def refuse_address(path: Path | str) -> None:
    """Refuse an address that stands where a path is expected; a path object has made one slash of its two.

    Raises:
        DataError: if it is one, saying what to do.
    """
    address = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", str(path))
    if address:
        cure = "leave out file://" if address[1].lower() == "file" else "download it first, for example with curl -O"
        raise DataError(f"{path} is an address. Expected a path on this machine: {cure}.")


def as_list(given: Any) -> list[Any]:
    """Return a list of what a caller gave where several may be given: a single text, path or number is a list of one.

    A text is a sequence too, of letters, which nobody means.

    Args:
        given: one, or an iterable of them; None is none.
    """
    if given is None:
        return []
    return [given] if isinstance(given, str | bytes) or not isinstance(given, Iterable) else list(given)


def expanded(path: Path | str) -> Path:
    """Return a path that the user named, `~` being their home."""
    return Path(path).expanduser()


def user_cache() -> Path:
    """Return the folder of what we keep for this user and can make again: below `XDG_CACHE_HOME`, or `~/.cache`.

    Raises:
        DataError: if the user has no home, as some in containers.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "keras-dhnn"
    except RuntimeError as error:
        raise DataError(
            "This user has no home folder, below which caches are kept. Set the environment variable XDG_CACHE_HOME to "
            "a folder that can be written."
        ) from error
