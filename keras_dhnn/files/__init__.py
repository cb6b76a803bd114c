"""Files and folders that are there whole or not at all, and files that are read within bounds, trusting nothing."""

import contextlib
import fcntl
import hashlib
import itertools
import json
import math
import os
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError, SettingError

_MOST_JSON = 64 << 20
_MOST_ARRAYS = 16 << 30
_CHUNK = 1 << 20
_DEFLATE = 1032  # bytes that deflate packs into one at most
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# What is a folder's end, or means something to a shell, an URL or other systems.
_SIGNS = set("/\\:;&|<>$`\"'*?")
_MOST_NAME = 200  # bytes; with what we put before and behind it, less than the 255 that file systems take
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


@contextlib.contextmanager
def atomic_folder(place):
    """Gives an empty hidden folder beside `place`, which takes that place when the block ends well.

    If the block fails, the hidden folder is removed. If the process is killed, it is left, and emptied by the next
    run. What was in `place` stays there until the new folder is whole and on disk.

    Args:
        place: Path of the folder to make or replace.

    Raises:
        DataError: if another process is making the same folder, or a link stands where the hidden one belongs.
        OSError: if it cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    hidden, replaced = (place.with_name(f".{place.name}.{state}") for state in ("preparing", "replaced"))
    with contextlib.suppress(FileExistsError):
        hidden.mkdir()
    lock = _own_folder(hidden)
    try:
        _lock(lock, hidden, place)
        if replaced.exists() and not place.exists() and not replaced.is_symlink():
            replaced.rename(place)  # a run was killed between the two steps of _move
        try:
            _empty(hidden)
            yield hidden
            _move(hidden, place, replaced)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _own_folder(hidden):
    """A descriptor of the hidden folder itself: whoever plants a link in its place names what would be emptied."""
    try:
        return os.open(hidden, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError as error:
        raise DataError(
            f"{hidden} is a link or a file, where a folder of ours is expected. Look where it comes from, and remove "
            "it by hand."
        ) from error


def _lock(lock, hidden, place):
    """Takes the folder for this process; the lock ends with the process, however that ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(lock), os.lstat(hidden))
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise DataError(f"Another process is preparing {place}. Wait until it has finished.")


def _empty(folder):
    for left in folder.iterdir():
        # Of a link only itself goes; rmtree refuses links, also one that is put there this moment.
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _move(hidden, place, replaced):
    for path in (*hidden.rglob("*"), hidden):
        _sync(path)
    _remove(replaced)
    if place.exists():
        place.rename(replaced)
    hidden.rename(place)
    _sync(place.parent)
    _remove(replaced)


def _remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole(path, *, shared=False):
    """Give a hidden place beside `path` for a file or a folder, which becomes `path` when the block ends well.

    If the block fails, what is in the hidden place is removed. What another one of its name was, such as a link that
    somebody put there, is not written to.

    Args:
        path: Path of the file to make or replace, or of a folder that is not there.
        shared: whether other processes may make the same at the same time. Each then has a hidden place of its own,
            which is left if it is killed; otherwise the next call removes what a killed one has left.

    Raises:
        OSError: if it cannot be written; its `filename` is set.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial" if shared else f".{path.name}.partial")
    try:
        _remove(partial)
        yield partial
        os.replace(partial, path)
    except BaseException as error:  # Ctrl-C as well
        with contextlib.suppress(OSError):
            _remove(partial)
        if isinstance(error, OSError):  # of a full disk the system names no file
            error.filename = error.filename or str(path)
        raise


@contextlib.contextmanager
def whole_file(path, *, shared=False):
    """Give a file, open for writing bytes, that becomes `path` when the block ends well and is on disk then.

    Args:
        path: Path of the file to make or replace.
        shared: see `whole`.

    Raises:
        OSError: see `whole`.
    """
    with whole(path, shared=shared) as partial, open(partial, "xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_text(path, text):
    """Write a text file, UTF-8, whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode())


def write_json(path, value):
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_arrays(path, arrays, *, compressed=False):
    """Write `{name: array}` as a NumPy file that `read_arrays` reads, whole or not at all."""
    with whole_file(path) as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def free_name(folder, base):
    """Return the first of `base`, `base-2`, `base-3` that is not in a folder."""
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (folder / name).exists())


def checksum(path, algorithm="sha256"):
    """Return the checksum of a file's content, in hexadecimal digits.

    Args:
        path: of the file.
        algorithm: one that `hashlib.new` knows.
    """
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_regular(path):
    """Open a file for reading bytes, if it is one: not a device that never ends, nor a pipe that never begins.

    Raises:
        DataError: if it is something else.
        OSError: if there is none, or it cannot be read.
    """
    # Opening a pipe waits for somebody to write to it, but not so.
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    file.close()
    raise DataError(f"{path} is {_KINDS.get(stat.S_IFMT(mode), 'a device')}. Expected a file.")


def _at_once(name, flags):
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path, most_bytes):
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


def read_json(path, kind=dict, *, remedy, most_bytes=_MOST_JSON):
    """Read a JSON file that keras-dhnn wrote.

    Args:
        path: of the file, UTF-8.
        kind: of its content, see `check_kind`.
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
        check_kind(value, kind)
        return value


def check_kind(value, kind, place="its content"):
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
        types = kind if isinstance(kind, tuple) else (kind,)
        types += (int,) if float in types else ()
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            expected = " or ".join(one.__name__ for one in types)
            raise ValueError(f"{place} is {type(value).__name__}; expected {expected}")


def read_arrays(path, kinds=None, *, remedy, most_bytes=_MOST_ARRAYS):
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


def _read_array(archive, member):
    """One array; its header, the directory's length and the bytes themselves must agree."""
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
def _named(path, remedy):
    """Every error of the block as a DataError that names the file."""
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


def check_name(name, what):
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


def _fault(name):
    foreign = sorted({sign for sign in name if not sign.isprintable() or sign in _SIGNS})
    if not name or name != name.strip():
        return "is empty" if not name.strip() else "begins or ends with a space"
    if name[0] in ".-~":
        return f"begins with {name[0]}"
    if foreign:
        return f"has {foreign[0]!r}"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    return f"is longer than {_MOST_NAME} bytes" if size > _MOST_NAME else None


def new_folder(parent, base):
    """Make the first of the folders `base`, `base-2`, `base-3`, ... that is not there; no other process gets the same.

    Returns:
        Its path.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for name in itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2))):
        with contextlib.suppress(FileExistsError):
            (parent / name).mkdir()
            return parent / name


def expanded(path):
    """A path that the user named, `~` being their home."""
    return Path(path).expanduser()
