"""Say what an archive is and which files it consists of: two small JSON files, each replaced whole.

`archive.json` says whose codes these are and never changes. `parts.json` lists the Parquet files that count. A change
of any size (append, removal, compaction) writes new Parquet files first and then replaces `parts.json`; so it happened
or it did not, whenever the process is killed, and no reader ever sees half of it.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.archive.places import exists, file_name, is_address, local_copy, put
from keras_dhnn.config import BITS, Within
from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files import naming, read_arrays, read_json, refuse_links, write_arrays, write_json
from keras_dhnn.files.kinds import kind_of, what_it_is
from keras_dhnn.files.locks import lock

IDENTITY = "archive.json"
PARTS = "parts.json"
DATA = "data"
LEARNED = "encoder.npz"
_LOCK = ".lock"
_RESTORE = "Restore it from a copy."
_RESTORE_LEARNED = "Restore it from a copy, or search by ids."
_MOST_PARTS = 1 << 28
_NUMBERS = {
    "bits": BITS,
    "features": Within(low=0, high=1 << 16),
    # Files of no rows are never written.
    "rows": Within(low=1, high=1 << 40),
    "bytes": Within(low=1, high=1 << 60),
}
_DIGEST = re.compile(r"[0-9a-f]{64}|")
# Nothing that leads elsewhere.
_PART = re.compile(rf"{DATA}/source=[\w.-]+/[\w-][\w.-]*\.parquet", re.ASCII)


@dataclass(frozen=True)
class Identity:
    """Describe whose codes an archive holds.

    Attributes:
        model: fingerprint of what made them; codes of two fingerprints are never compared.
        bits: their length l.
        pipeline: what happens to an image before the network, in words.
        features: values of the int8 feature vectors beside the codes; 0: there are none.
        encoder: how to encode a query: `{"kind": "run" | "export" | "backbone" | "vectors", ...}`; where something was
            learned for it, `learned` is its `digest_of_arrays`.
    """

    model: str
    bits: int
    pipeline: str = ""
    features: int = 0
    encoder: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            SettingError: for the first that no archive can have.
        """
        _check_numbers(self)


@dataclass(frozen=True)
class Part:
    """Describe one Parquet file.

    Attributes:
        name: its path below the archive, `data/source=image/part-....parquet`.
        source: the image source of its rows.
        rows: how many.
        bytes: its size.
        first: the lowest of its ids.
        last: the highest.
        digest: SHA-256 of its bytes, by which `archive verify` knows that they are as they were written; "": it was
            written when none was kept.
    """

    name: str
    source: str
    rows: int
    bytes: int
    first: str = ""
    last: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        """Check the numbers; `SettingError` as of `Identity`."""
        _check_numbers(self)

    def file(self, root: Path) -> str:
        """Return the absolute name of the file."""
        return file_name(root / self.name)


def check_same_model(root: Path, found: Identity, expected: Identity) -> None:
    """Check that an archive holds the codes that somebody is about to put in or ask for.

    Args:
        root: Path of the archive.
        found: its `Identity`.
        expected: that of the codes.

    Raises:
        DataError: if it holds others.
    """
    if found.bits != expected.bits or found.model != expected.model:
        raise DataError(
            f"{root} holds codes of {found.bits} bits of the model {found.model[:12]}; these are {expected.bits} bits "
            f"of {expected.model[:12]}. Distances between codes of two models mean nothing: give another --archive, "
            "or encode these images with that model."
        )
    if found.features != expected.features:
        raise DataError(
            f"{root} keeps {found.features} features beside each code, these rows {expected.features}. Say --features "
            f"{found.features}."
        )


def write_new(root: Path, identity: Identity, learned: Mapping[str, np.ndarray] | None = None) -> None:
    """Write what a new archive is, what its encoder learned, and that it holds nothing; call it with the lock held.

    Args:
        root: Path of the archive.
        identity: its `Identity`, in which the digest of what was learned is kept.
        learned: `{name: array}`, or None where nothing was.

    Raises:
        DataError: if it holds something, of one that is not known any more.
    """
    if exists(root / PARTS) and read_parts(root):
        raise DataError(f"{root / IDENTITY} is missing, which says whose codes the archive holds. {_RESTORE}")
    write_parts(root, [])
    if learned:
        _save_arrays(root, learned)
        identity = replace(identity, encoder=identity.encoder | {"learned": digest_of_arrays(learned)})
    # Last, since this makes an archive of the folder.
    replace_json(root / IDENTITY, asdict(identity))


def check_place(root: Path) -> None:
    """Refuse a folder that is something else of ours as the place of an archive.

    Raises:
        DataError: if it is one.
    """
    kind = None if is_address(root) or exists(root / IDENTITY) else kind_of(root)
    if kind:
        raise DataError(f"{root} is {kind}. Expected an archive, or a folder that is empty or not there: --archive DIR")


def read_identity(root: Path) -> Identity:
    """Return the `Identity` of the archive in a folder.

    Raises:
        DataError: if there is no archive, or the file is damaged.
    """
    if not exists(root / IDENTITY):
        what = "" if is_address(root) else what_it_is(root)
        new = "ARCHIVE" if not is_address(root) and root.exists() else root
        raise DataError(
            f"There is no archive in {root}: expected {IDENTITY} there.{what} Make one: "
            f"keras-dhnn encode RUN IMAGES --archive {new}"
        )
    kinds = {"model": str, "bits": int, "pipeline": str, "features": int, "encoder": dict}
    value = _read_json(root / IDENTITY, kinds)
    return _made(Identity, root / IDENTITY, {name: value[name] for name in kinds})


def read_parts(root: Path) -> list[Part]:
    """Return the list of `Part` that counts now.

    Raises:
        DataError: if the list is damaged, or not there: files that no list names would be taken for leftovers.
    """
    if not exists(root / PARTS):
        raise DataError(f"{root / PARTS} is missing, which lists the files of the archive that count. {_RESTORE}")
    kinds = {"name": str, "source": str, "rows": int, "bytes": int, "first": str, "last": str}
    value = _read_json(root / PARTS, {"parts": [kinds]})
    kept = [*kinds, "digest"]
    parts = [_made(Part, root / PARTS, {name: one.get(name, "") for name in kept}) for one in value["parts"]]
    for part in parts:
        if not (isinstance(part.digest, str) and _DIGEST.fullmatch(part.digest)):
            raise DataError(f"{root / PARTS} is damaged: {part.digest!r} is no digest of a file. {_RESTORE}")
        if not _PART.fullmatch(part.name):
            raise DataError(f"{root / PARTS} is damaged: it names {part.name!r}, which is no file of data/. {_RESTORE}")
    return parts


def write_parts(root: Path, parts: list[Part]) -> None:
    """Replace the list of what counts; call it with the lock held, after the files themselves are on disk."""
    replace_json(root / PARTS, {"parts": [asdict(part) for part in parts]})


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the archive against other writers, and wait for them. The lock ends with the process, however that ends.

    A link in its place, or in that of a folder of its files, is refused: writing and removing would follow it.

    Object stores have no locks: there, whoever writes sees to it that nobody else does.

    Raises:
        DataError: if nothing can be written there, or there is such a link.
    """
    if is_address(root):
        yield
        return
    refuse_links(root, root / _LOCK, below=False)
    try:
        descriptor = os.open(root / _LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        raise DataError(
            f"The archive {root} cannot be changed: {error.strerror}. Check that you may write there, or copy it."
        ) from error
    try:
        lock(descriptor, wait=True)
        refuse_links(root, root / DATA, *(root / DATA).glob("*"), below=False)
        yield
    finally:
        os.close(descriptor)


def replace_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all, on disk when this returns."""
    if is_address(path):
        # Stores put an object whole or not at all.
        stored: Any = path
        stored.fs.pipe_file(stored.path, json.dumps(value).encode())
        return
    write_json(path, value)
    sync(path.parent)


def sync(path: Path) -> None:
    """See that a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_arrays(root: Path, identity: Identity) -> dict[str, np.ndarray]:
    """Return `{name: array}` that an archive's encoder learned.

    Raises:
        DataError: if the file is not there or damaged, or is another than the archive was made with.
    """
    with local_copy(root / LEARNED) as copy:
        arrays = read_arrays(copy, remedy=_RESTORE_LEARNED)
    made_with = identity.encoder.get("learned")  # not in archives of earlier days
    if made_with is not None and made_with != digest_of_arrays(arrays):
        raise DataError(
            f"{root / LEARNED} is another than the archive was made with: codes by it are near to none of its items. "
            f"{_RESTORE_LEARNED}"
        )
    return arrays


def digest_of_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """Return what changes with any of the arrays `{name: array}`, whatever their order."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _save_arrays(root, arrays):
    if is_address(root):
        with tempfile.TemporaryDirectory() as folder:
            write_arrays(Path(folder) / LEARNED, arrays)
            put(Path(folder) / LEARNED, root / LEARNED)
        return
    write_arrays(root / LEARNED, arrays)


def load_json(path: Path) -> dict[str, Any]:
    """Return the dictionary in a JSON file that may not be there; then it is empty.

    Raises:
        DataError: if it is damaged.
    """
    return _read_json(path, dict) if exists(path) else {}


def _check_numbers(described):
    for name, value in vars(described).items():
        if name in _NUMBERS and not _NUMBERS[name].allows(value):
            raise SettingError(invalid(f"{name!r} of an archive", f"a number that is {_NUMBERS[name]}", value))


def _made(kind, path, values):
    try:
        return kind(**values)
    except SettingError as error:
        raise DataError(f"{path} is damaged. {error}. {_RESTORE}") from error


def _read_json(path, kinds):
    with local_copy(path) as copy:
        return read_json(copy, kinds, remedy=_RESTORE, most_bytes=_MOST_PARTS)
