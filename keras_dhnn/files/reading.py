"""Read files within bounds, trusting nothing that they say of themselves."""

import contextlib
import json
import math
import os
import stat
import types
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files.names import refuse_address

_MOST_JSON = 64 << 20
_MOST_TEXT = 1 << 30
_MOST_ARRAYS = 16 << 30
_CHUNK = 1 << 20
_DEFLATE = 1032  # bytes that deflate packs into one at most
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def open_regular(path: Path | str) -> BinaryIO:
    """Open a file for reading bytes, if it is one: not a device that never ends, nor a pipe that never begins.

    Raises:
        DataError: if it is something else, or an address.
        OSError: if there is none, or it cannot be read.
    """
    # Opening a pipe waits for somebody to write to it, but not so.
    try:
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115
    except FileNotFoundError:
        refuse_address(path)
        raise
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    file.close()
    raise DataError(f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'a device')}. Expected a file.")


def _at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: Path | str, most_bytes: int) -> bytes:
    """Read a regular file.

    Args:
        path: of the file.
        most_bytes: larger ones are refused before they are read.

    Raises:
        DataError: if it is larger, or no regular file.
        OSError: if there is none, or it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise DataError(f"{path} has {size:,} bytes. Expected at most {most_bytes:,}.")
        # Not the limit: Python takes as much memory as it is asked to read.
        return file.read(size)


def read_lines(path: Path | str, most_bytes: int = _MOST_TEXT) -> list[str]:
    """Return the lines of a text file that a user wrote, in UTF-8, with a byte order mark or not.

    Lines end with a new line, as on Windows or not, and with nothing else that Unicode may call so.

    Args:
        path: of the file.
        most_bytes: larger ones are refused before they are read.

    Raises:
        DataError: if it is not UTF-8, larger, or no regular file.
        OSError: if there is none, or it cannot be read.
    """
    try:
        text = read_bytes(path, most_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 ({error}). Save it in that encoding.") from error
    return text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []


def read_json(path: Path | str, kind: Any = dict, *, remedy: str, most_bytes: int = _MOST_JSON) -> Any:
    """Read a JSON file that keras-dhnn wrote.

    Args:
        path: of the file, UTF-8.
        kind: of its content, see `check_kind`; or a function of a dictionary that returns it, where what stands there
            depends on what else does.
        remedy: a sentence that says what to do if it is not what it should be.
        most_bytes: larger files are refused.

    Raises:
        DataError: naming the file, if there is none, it is damaged, or holds something else.
    """
    with _named(path, remedy):
        content = read_bytes(path, most_bytes)
        if content.startswith(_BYTE_ORDER_MARKS):
            raise ValueError("it begins with a byte order mark; expected UTF-8 without one")
        value = json.loads(content.decode())
        if isinstance(kind, types.FunctionType):
            check_kind(value, dict)
            kind = kind(value)
        check_kind(value, kind)
        return value


def check_kind(value: Any, kind: Any, place: str = "its content") -> None:
    """Check that a value from JSON is of a kind.

    Args:
        value: what was read.
        kind: a type or a tuple of such (a whole number will do for float); `[kind]` is a list of such; `{str: kind}`
            a dictionary of such, `{"name": kind, ...}` one with these keys at least.
        place: what to call the value in messages.

    Raises:
        ValueError: naming the first part that is of another.
    """
    if isinstance(kind, list):
        check_kind(value, list, place)
        for number, part in enumerate(value):
            check_kind(part, kind[0], f"{place}[{number}]")
    elif isinstance(kind, dict):
        check_kind(value, dict, place)
        for name in value if str in kind else kind:
            if name not in value:
                raise ValueError(f"{place} lacks {name!r}")
            check_kind(value[name], kind[str] if str in kind else kind[name], f"{place}[{name!r}]")
    else:
        allowed = kind if isinstance(kind, tuple) else (kind,)
        allowed += (int,) if float in allowed else ()
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            expected = " or ".join(one.__name__ for one in allowed)
            raise ValueError(f"{place} is {type(value).__name__}; expected {expected}")


def read_arrays(
    path: Path, kinds: Mapping[str, tuple[str, int]] | None = None, *, remedy: str, most_bytes: int = _MOST_ARRAYS
) -> dict[str, np.ndarray]:
    """Read a NumPy file (.npz) that keras-dhnn wrote. No array is made before its bytes are seen to be there.

    Args:
        path: of the file.
        kinds: `{name: (kinds, axes)}` of the arrays that must be in it: letters as of `numpy.dtype.kind`, and how
            many axes. Others are read too.
        remedy: a sentence that says what to do if it is not what it should be.
        most_bytes: files whose arrays take more are refused.

    Returns:
        `{name: array}`.

    Raises:
        DataError: naming the file, if there is none, it is damaged, or holds something else.
    """
    with _named(path, remedy), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        for member in members.values():
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{member.filename} is compressed in a way that NumPy does not use")
        if sum(member.file_size for member in members.values()) > most_bytes:
            raise ValueError(f"its arrays claim more than {most_bytes:,} bytes")
        arrays = {name: _read_array(archive, member) for name, member in members.items()}
        for name, (letters, axes) in (kinds or {}).items():
            if name not in arrays:
                raise ValueError(f"it lacks the array {name!r}")
            if arrays[name].dtype.kind not in letters or arrays[name].ndim != axes:
                raise ValueError(f"its array {name!r} has shape {arrays[name].shape} and type {arrays[name].dtype}")
        return arrays


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Return one array; its header, the directory's length and the bytes themselves must agree."""
    if member.file_size > _DEFLATE * member.compress_size + _CHUNK:
        raise ValueError(f"{member.filename} claims {member.file_size:,} bytes in {member.compress_size:,}")
    with archive.open(member) as stream:
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
        count, left = math.prod(shape), member.file_size - stream.tell()
        if dtype.kind not in "biufUS" or min(shape, default=0) < 0 or count * dtype.itemsize != left:
            raise ValueError(f"{member.filename} claims shape {shape} of {dtype} and has {left:,} bytes")
        content = np.empty(left, np.uint8)
        for first in range(0, left, _CHUNK):
            piece = stream.read(min(_CHUNK, left - first))
            content[first : first + len(piece)] = np.frombuffer(piece, np.uint8)
            if len(piece) != min(_CHUNK, left - first):
                raise ValueError(f"{member.filename} is cut short")
        stream.read(1)  # where zipfile compares the checksum
    array = content.view(dtype) if dtype.itemsize else np.zeros(count, dtype)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)


@contextlib.contextmanager
def _named(path: Path | str, remedy: str) -> Iterator[None]:
    """Raise every error of the block as a DataError that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}. {remedy}") from error
    except DataError as error:
        raise DataError(f"{error} {remedy}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. {remedy}") from error
    except Exception as error:  # Damaged files surface as struct.error, KeyError, RecursionError and a dozen more.
        raise DataError(f"{path} is damaged: {error or type(error).__name__}. {remedy}") from error
