"""Write Parquet files of an archive whole, named so that nobody else's is overwritten."""

import contextlib
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from keras_dhnn.archive.manifest import DATA, Identity, Part, sync
from keras_dhnn.archive.places import is_address, put
from keras_dhnn.archive.schema import SOURCE, code_columns, file_metadata
from keras_dhnn.errors import DataError
from keras_dhnn.files import whole

# As DuckDB's own: what one thread reads at a time, and what a bounding box or a time prunes.
ROW_GROUP = 122_880
# Columns whose values repeat, so that a number for each is smaller than the value.
_REPEATING = ["label", "path", "scene", "crs", "time", "row", "col", "size", "content"]
# High bytes of neighbouring coordinates are alike: laid out byte by byte they cost nothing.
_BOX_COLUMNS = [f"bbox.{name}" for name in ("xmin", "ymin", "xmax", "ymax")]


def write_part(root: Path, identity: Identity, rows: pa.Table, source: str) -> Part:
    """Write rows into a new file of an archive, in order of id.

    The file counts only once it is in the list of `manifest.write_parts`.

    Args:
        root: Path of the archive.
        identity: its `Identity`.
        rows: `pyarrow.Table` of its schema.
        source: their image source, the name of a folder.

    Returns:
        `Part`.

    Raises:
        OSError: if the disk is full or not writable; nothing is left then.
    """
    rows = rows.sort_by("id")
    name = f"{DATA}/{SOURCE}={source}/part-{identity.model[:12]}-{secrets.token_hex(8)}.parquet"
    first, last = (rows["id"][at].as_py() for at in (0, len(rows) - 1))
    return Part(name, source, len(rows), _write(root / name, rows, identity, source), first, last)


def _write(path, rows, identity, source):
    """Write a file whole, at its place when this returns, and return its size."""
    if is_address(path):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / path.name
            write_rows(local, rows, identity, source)
            put(local, path)
            return local.stat().st_size
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        write_rows(partial, rows, identity, source)
        sync(partial)
    sync(path.parent)
    return path.stat().st_size


def write_rows(path: Path, rows: pa.Table, identity: Identity, source: str) -> None:
    """Write one Parquet file with the encodings that suit the columns, and the metadata of `file_metadata`."""
    repeating = _REPEATING if distinct(rows, identity.bits) else [*_REPEATING, *code_columns(identity.bits)]
    rows = rows.replace_schema_metadata(file_metadata(rows, identity, source))
    pq.write_table(
        rows,
        path,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=6,
        use_dictionary=repeating,
        column_encoding=dict.fromkeys(_BOX_COLUMNS, "BYTE_STREAM_SPLIT"),
        store_schema=True,
    )


def distinct(rows: pa.Table, bits: int) -> bool:
    """Return whether most codes are met once, so that a dictionary of them would cost more than it saves."""
    first = rows[code_columns(bits)[0]].to_numpy()[:ROW_GROUP]
    return len(np.unique(first)) > len(first) / 2


def read_part(root: Path, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a file.

    Raises:
        DataError: if it is damaged; the message names it.
        FileNotFoundError: if it is not there, as when another process has just replaced it.
    """
    try:
        # One file as it is: no other columns from the names of its folders.
        with _opened(root / part.name) as opened, pq.ParquetFile(opened) as file:
            return file.read(columns)
    except FileNotFoundError as error:
        raise FileNotFoundError(2, "No such file", str(root / part.name)) from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{root / part.name} is damaged ({error}). Its items are lost to searches: take it out by "
            f"keras-dhnn archive verify {root} --drop-damaged, then encode its images again."
        ) from error


def read_listed_part(root: Path, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a file while the archive's lock is held, so that nobody can have replaced it.

    Raises:
        DataError: if it is damaged or missing.
    """
    try:
        return read_part(root, part, columns)
    except FileNotFoundError as error:
        raise DataError(
            f"{error.filename} is missing from the archive {root}. Restore it, or take it out: "
            f"keras-dhnn archive verify {root} --drop-damaged"
        ) from error


def _opened(path):
    """Return a context of what pyarrow reads a file by."""
    return path.fs.open(path.path, "rb") if is_address(path) else contextlib.nullcontext(path)


def remove_orphans(root: Path, parts: list[Part]) -> int:
    """Remove Parquet files that do not count: what a killed writer left. Call it with the archive's lock held.

    At an address, where nothing locks, they stay.

    Args:
        root: Path of the archive.
        parts: the list of `Part` that counts.

    Returns:
        Number of files removed.
    """
    if is_address(root):
        return 0
    counted = {root / part.name for part in parts}
    orphans = [path for path in Path(root, DATA).glob(f"{SOURCE}=*/*part-*") if path not in counted]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)
