"""What an archive is and which files it consists of: two small JSON files, each replaced whole.

`archive.json` says whose codes these are and never changes. `parts.json` lists the Parquet files that count. A change
of any size (append, removal, compaction) writes new Parquet files first and then replaces `parts.json`; so it happened
or it did not, whenever the process is killed, and no reader ever sees half of it.
"""

import contextlib
import fcntl
import json
import os
import zipfile
from dataclasses import asdict, dataclass, field

import numpy as np

from keras_dhnn.errors import DataError

IDENTITY = "archive.json"
PARTS = "parts.json"
DATA = "data"
LEARNED = "encoder.npz"
_LOCK = ".lock"


@dataclass(frozen=True)
class Identity:
    """Whose codes an archive holds.

    Attributes:
        model: fingerprint of what made them; codes of two fingerprints are never compared.
        bits: their length l.
        pipeline: what happens to an image before the network, in words.
        features: values of the int8 feature vectors beside the codes; 0: there are none.
        encoder: how to encode a query: `{"kind": "run" | "export" | "backbone" | "vectors", ...}`.
    """

    model: str
    bits: int
    pipeline: str = ""
    features: int = 0
    encoder: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One Parquet file.

    Attributes:
        name: its path below the archive, `data/source=image/part-....parquet`.
        source: the image source of its rows.
        rows: how many.
        bytes: its size.
        first: the lowest of its ids.
        last: the highest.
    """

    name: str
    source: str
    rows: int
    bytes: int
    first: str = ""
    last: str = ""


def write_identity(root, identity):
    """Write what a new archive is."""
    replace_json(root / IDENTITY, asdict(identity))


def read_identity(root):
    """Return the `Identity` of the archive in a folder.

    Raises:
        DataError: if there is no archive.
    """
    value = read_json(root / IDENTITY)
    if value is None:
        raise DataError(
            f"There is no archive in {root}: expected {IDENTITY} there. Make one: "
            f"keras-dhnn encode RUN IMAGES --archive {root}"
        )
    try:
        return Identity(**value)
    except TypeError as error:
        raise DataError(f"{root / IDENTITY} is not what this version of keras-dhnn writes ({error}).") from error


def read_parts(root):
    """Return the list of `Part` that counts now."""
    return [Part(**one) for one in (read_json(root / PARTS) or {"parts": []})["parts"]]


def write_parts(root, parts):
    """Replace the list of what counts; call it with the lock held, after the files themselves are on disk."""
    replace_json(root / PARTS, {"parts": [asdict(part) for part in parts]})


@contextlib.contextmanager
def locked(root):
    """Hold the archive against other writers; waits for them. The lock ends with the process, however that ends.

    Raises:
        DataError: if nothing can be written there.
    """
    try:
        descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise DataError(
            f"The archive {root} cannot be changed: {error.strerror}. Check that you may write there, or copy it."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_json(path, value):
    """Write a JSON file whole or not at all, on disk when this returns."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    sync(path.parent)


def save_arrays(root, arrays):
    """Write what an archive's encoder learned, whole or not at all."""
    partial = root / f".{LEARNED}.partial"
    with open(partial, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, root / LEARNED)


def load_arrays(root):
    """Return `{name: array}` as `save_arrays` wrote it.

    Raises:
        DataError: if the file is not there or damaged.
    """
    try:
        with np.load(root / LEARNED, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{root / LEARNED}, by which this archive's queries are encoded, cannot be read ({error}). Restore it, or "
            "search by ids."
        ) from error


def sync(path):
    """See that a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path):
    """Return what a JSON file holds, None if there is none.

    Raises:
        DataError: if it is damaged.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged ({error}). Restore it from a copy.") from error
