"""Write Parquet files of an archive whole, named so that nobody else's is overwritten."""

import collections
import contextlib
import secrets
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keras_dhnn.archive.manifest import DATA, PARTS, Identity, Part, sync
from keras_dhnn.archive.places import OpenedFile, Unreadable, is_address, local_copy, put, take_away
from keras_dhnn.archive.schema import FIRST_TIME, LAST_TIME, SOURCE, checked_schema, code_columns, file_metadata
from keras_dhnn.errors import DataError
from keras_dhnn.files import open_regular, whole
from keras_dhnn.files.checksums import checksum

# As DuckDB's own: what one thread reads at a time, and what a bounding box or a time prunes.
ROW_GROUP = 122_880
# Footers at an address that are waited for at a time.
_AT_ONCE = 16
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
    size, digest = _write(root / name, rows, identity, source)
    return Part(name, source, len(rows), size, first, last, digest)


def _write(path, rows, identity, source):
    """Write a file whole, at its place when this returns, and return its size and digest."""
    if is_address(path):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / path.name
            write_rows(local, rows, identity, source)
            put(local, path)
            return local.stat().st_size, checksum(local)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        write_rows(partial, rows, identity, source)
        sync(partial)
        digest = checksum(partial)
    sync(path.parent)
    return path.stat().st_size, digest


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
        write_page_checksum=True,
    )


def distinct(rows: pa.Table, bits: int) -> bool:
    """Return whether most codes are met once, so that a dictionary of them would cost more than it saves."""
    first = rows[code_columns(bits)[0]].to_numpy()[:ROW_GROUP]
    return len(np.unique(first)) > len(first) / 2


def read_part(root: Path, part: Part, columns: pa.Schema | Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a file.

    Args:
        root: Path of the archive.
        part: the file's `Part`.
        columns: names of those that are wanted, or the schema that they are to have; None: all of an archive's.

    Raises:
        Unreadable: if nothing can be said of it, such as where a server does not answer.
        DataError: if it is damaged or holds something else; the message names it.
        FileNotFoundError: if it is not there, as when another process has just replaced it.
    """
    # One file as it is: no other columns from the names of its folders.
    with (
        _as_listed(root, part),
        _opened(root / part.name) as opened,
        pq.ParquetFile(opened, page_checksum_verification=True) as file,
    ):
        schema = _checked(file, part, columns)
        rows = file.read(schema.names).select(schema.names).cast(schema)
        rows.validate(full=True)  # texts are UTF-8
        if "time" in schema.names:
            _check_times(end.as_py() for end in pc.min_max(rows["time"].cast(pa.int64())).values() if end.is_valid)
        return rows


def check_bytes(root: Path, part: Part) -> None:
    """Check that a file's bytes are those that were written; nothing is known of one without a digest.

    Raises:
        DataError, FileNotFoundError: as of `read_part`.
    """
    with _as_listed(root, part), local_copy(root / part.name) as copy:
        if part.digest and checksum(copy) != part.digest:
            raise ValueError("its bytes are not those that were written")


def check_parts(root: Path, parts: Sequence[Part], schema: pa.Schema) -> None:
    """Check by their footers what files hold, before another reader reads their rows; at an address several at a time.

    Args:
        root: Path of the archive.
        parts: list of `Part`.
        schema: of the archive.

    Raises:
        DataError, FileNotFoundError: as of `read_part`, for the first that is not as it was listed.
    """
    if not is_address(root):
        for part in parts:
            _check_part(root, part, schema)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        collections.deque(pool.map(lambda part: _check_part(root, part, schema), parts), maxlen=0)


def _check_part(root, part, schema):
    with _as_listed(root, part), _opened(root / part.name) as opened, pq.ParquetFile(opened) as file:
        _checked(file, part, schema)


def _checked(file, part, columns):
    """Return the schema to read an open file with; `ValueError` if it is not the one that was listed."""
    if file.metadata.num_rows != part.rows:
        raise ValueError(f"it holds {file.metadata.num_rows:,} rows; {PARTS} says {part.rows:,}")
    schema = checked_schema(file.schema_arrow, columns)
    if "time" in schema.names:
        place = [file.schema.column(number).path for number in range(len(file.schema))].index("time")
        groups = [file.metadata.row_group(number).column(place) for number in range(file.num_row_groups)]
        known = [group.statistics for group in groups if group.is_stats_set and group.statistics.has_min_max]
        _check_times([bound for one in known for bound in (one.min_raw, one.max_raw)])
    return schema


def _check_times(times):
    """Refuse milliseconds since 1970 that are no date: other readers end at them."""
    if not all(FIRST_TIME <= time <= LAST_TIME for time in times):
        raise ValueError("it holds times that are not of the years 1 to 9999")


@contextlib.contextmanager
def _as_listed(root, part):
    """Name a file in whatever is wrong with it."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(2, "No such file", str(root / part.name)) from error
    except Unreadable:
        raise
    except (pa.ArrowException, OSError, ValueError, DataError) as error:
        # Of what a file holds pyarrow raises OSError without a number; with one, it was not read.
        if getattr(error, "errno", None) is not None or isinstance(error, MemoryError):
            raise Unreadable(f"{root / part.name} cannot be read now ({error}).") from error
        raise DataError(
            f"{root / part.name} is damaged ({str(error).rstrip('.')}). Its items are lost to searches: take it out by "
            f"keras-dhnn archive verify {root} --drop-damaged, then encode its images again."
        ) from error


def read_listed_part(root: Path, part: Part, columns: pa.Schema | Sequence[str] | None = None) -> pa.Table:
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
    if is_address(path):
        return OpenedFile(path)
    open_regular(path).close()  # a pipe would be waited for
    return contextlib.nullcontext(path)


def remove_orphans(root: Path, parts: Sequence[Part], before: Sequence[Part] = ()) -> int:
    """Remove Parquet files that do not count: what a killed writer left. Call it with the archive's lock held.

    At an address, where nothing locks, only those go that counted before: another writer's may not be listed yet.

    Args:
        root: Path of the archive.
        parts: the list of `Part` that counts.
        before: the list that it has just replaced.

    Returns:
        Number of files removed.
    """
    if is_address(root):
        return sum(take_away(root / part.name) for part in before if part not in parts)
    counted = {root / part.name for part in parts}
    orphans = [path for path in Path(root, DATA).glob(f"{SOURCE}=*/*part-*") if path not in counted]
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)
