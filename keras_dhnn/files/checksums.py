"""List sizes and checksums of the files that we wrote into a folder, and notice changed bytes by them."""

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from keras_dhnn.errors import DataError
from keras_dhnn.files.names import is_inside
from keras_dhnn.files.reading import read_json
from keras_dhnn.files.writing import write_json

LIST = "files.json"
_CHUNK = 1 << 20
_REMEDY = "Remove it to go on without it: what it lists is then not checked."


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file's content, hexadecimal.

    Args:
        path: of the file.
        algorithm: one that `hashlib.new` knows.
    """
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def crc32(file: BinaryIO, nbytes: int) -> int:
    """Return the CRC-32 of the next bytes of an open file.

    Args:
        file: it stands behind them afterwards.
        nbytes: how many.
    """
    check = 0
    for first in range(0, nbytes, _CHUNK):
        check = zlib.crc32(file.read(min(_CHUNK, nbytes - first)), check)
    return check


def write_list(folder: Path, names: Iterable[str], place: str = LIST) -> None:
    """Write down size and checksum of some files of a folder, in place of what was written down before.

    Args:
        folder: where they are, and the list goes.
        names: of the files, relative to it.
        place: of the list, relative to it.
    """
    write_json(folder / place, {"files": {name: _entry(folder / name) for name in sorted(names)}})


@contextlib.contextmanager
def relisted(folder: Path, name: str) -> Iterator[None]:
    """Write down a file's size and checksum anew after the block, which replaces it.

    A kill in between leaves a file that is not listed, and so not checked, rather than one that seems to be damaged.
    """
    others = {other: entry for other, entry in read_list(folder).items() if other != name}
    write_json(folder / LIST, {"files": others})
    yield
    write_json(folder / LIST, {"files": {**others, name: _entry(folder / name)}})


def _entry(path):
    return {"bytes": path.stat().st_size, "sha256": checksum(path)}


def read_list(folder: Path, place: str = LIST) -> dict[str, dict[str, Any]]:
    """Return `{name: {"bytes", "sha256"}}` as `write_list` wrote it; empty if the folder has none.

    Raises:
        DataError: if the list itself is damaged.
    """
    if not (folder / place).exists():
        return {}
    listed = read_json(folder / place, {"files": {str: {"bytes": int, "sha256": str}}}, remedy=_REMEDY)["files"]
    foreign = next((name for name in listed if not is_inside(name)), None)
    if foreign is not None:
        raise DataError(
            f"{folder / place} is damaged: it lists {foreign[:40]!r}, which is no file of that folder. {_REMEDY}"
        )
    return listed


def damage(folder: Path, listed: dict[str, dict[str, Any]], *, content: bool = True) -> list[str]:
    """Return what is wrong with files of a folder, a sentence each; empty if they are as they were written.

    Args:
        folder: where they are.
        listed: of `read_list`, or a part of it.
        content: whether to read them; otherwise only sizes are compared.
    """
    found = []
    for name, entry in listed.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != entry["bytes"]:
            found.append(f"{name} has {path.stat().st_size:,} bytes instead of {entry['bytes']:,}")
        elif content and checksum(path) != entry["sha256"]:
            found.append(f"{name} has changed since it was written")
    return found
