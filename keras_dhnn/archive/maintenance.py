"""Take care of an archive: merge small files, find damaged ones, take items out, group alike ones."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_dhnn.archive import manifest
from keras_dhnn.archive.engine import read_error
from keras_dhnn.archive.manifest import Part
from keras_dhnn.archive.parts import check_bytes, read_listed_part, read_part, remove_orphans, write_part
from keras_dhnn.archive.places import Unreadable, is_address, is_gone
from keras_dhnn.archive.schema import make_schema, read_file_metadata
from keras_dhnn.archive.store import Archive
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import as_list, is_text

# Rows of a file after compaction: some 30 MB, which one process rewrites in a second or two.
PART_ROWS = 1_000_000
_SCATTERED = 24
_NAMED = 5


class Fault(NamedTuple):
    """Describe what is wrong with a file of an archive.

    Attributes:
        name: of the file, below the archive.
        rows: that it should hold.
        reason: what is wrong, as the end of a sentence that begins with its name.
        damaged: whether it was read and is wrong, or is surely gone; else it could not be looked at.
    """

    name: str
    rows: int
    reason: str
    damaged: bool = True

    def __str__(self) -> str:
        """Return the sentence that tells a user."""
        return f"{self.name} ({self.rows:,} items): {self.reason}"


def compact(archive: Archive, rows: int = PART_ROWS) -> tuple[int, int]:
    """Merge small files into few, sorted by id. Other writers wait for one merged file at a time.

    Files without a digest are written anew, whatever their size, and have one then.

    Args:
        archive: `Archive`.
        rows: files with at least half as many rows are not merged; so many are put together at most.

    Returns:
        (files before, files after).
    """
    archive.refresh()
    before = len(archive.parts)
    for _ in range(before):
        with manifest.locked(archive.root):
            parts = manifest.read_parts(archive.root)
            remove_orphans(archive.root, parts)
            groups = _groups(parts, rows)
            if not groups:
                break
            merged = pa.concat_tables([listed_rows(archive, part).replace_schema_metadata() for part in groups[0]])
            new = write_part(archive.root, archive.identity, merged, groups[0][0].source)
            left = [part for part in parts if part not in groups[0]] + [new]
            manifest.write_parts(archive.root, left)
            remove_orphans(archive.root, left, parts)
    archive.refresh()
    return before, len(archive.parts)


def compact_if_scattered(archive: Archive) -> None:
    """Compact an archive of many small files."""
    small = [part for part in archive.parts if part.rows < PART_ROWS / 16]
    if len(small) > _SCATTERED:
        compact(archive)


def verify(archive: Archive, drop_damaged: bool = False) -> list[Fault]:
    """Read every file: it must be there, whole, of this archive's model, and as it was written.

    Whether values have changed is not known of files that were written before digests were kept, see `Part.digest`.

    Args:
        archive: `Archive`.
        drop_damaged: whether damaged files are taken out of the archive; they stay on disk, as `NAME.damaged`. What
            could not be looked at, such as where a server does not answer, stays in the archive.

    Returns:
        List of `Fault`.
    """
    archive.refresh()
    faults = [fault for part in archive.parts if (fault := _fault(archive, part)) is not None]
    names = {fault.name for fault in faults if fault.damaged}
    if drop_damaged and names:
        with manifest.locked(archive.root):
            parts = manifest.read_parts(archive.root)
            manifest.write_parts(archive.root, [part for part in parts if part.name not in names])
            for name in names:
                path = archive.root / name
                if path.exists():
                    _set_aside(path)
        archive.refresh()
    return faults


def _set_aside(path):
    aside = path.with_name(f"{path.name}.damaged")
    if is_address(path):
        path.fs.mv(path.path, aside.path)
    else:
        path.rename(aside)


def remove(
    archive: Archive,
    ids: str | Sequence[str] | None = None,
    where: str | None = None,
    source: str | None = None,
    *,
    missing_ok: bool = False,
) -> int:
    """Take items out; only files that hold some are written anew.

    Args:
        archive: `Archive`.
        ids: an id, or several; or None.
        where: condition as of `Archive.search`, or None; items that meet it.
        source: the image source; may be left out where there is one.
        missing_ok: whether ids that are not there are passed over.

    Returns:
        Number of items taken out.

    Raises:
        SettingError: if neither ids nor condition is given, a condition is not as it should be, or ids are not there;
            nothing is taken out then.
    """
    if (ids is None) == (where is None):
        raise SettingError("Expected ids, or a condition by --where: which items are to be taken out.")
    source, condition = archive.source(source), archive.condition(where)
    gone = None if ids is None else as_list(ids)

    def check_there() -> None:
        if gone is not None and not missing_ok:
            _check_there(archive, gone, source)

    return rewrite(archive, source, lambda part: _rows_to_keep(archive, part, gone, condition), check_there)


def remove_outdated(archive: Archive, outdated: Mapping[str, Collection[int | None]], source: str) -> int:
    """Take out tiles of scenes that have become others: what is no tile any more would stay for ever.

    Args:
        archive: `Archive`.
        outdated: `{scene: contents}`: tiles of this scene with one of these contents go.
        source: the image source.

    Returns:
        Number of tiles taken out.
    """
    if not outdated:
        return 0
    first, last = min(f"{scene}#" for scene in outdated), max(f"{scene}$" for scene in outdated)

    def is_outdated(rows: pa.Table) -> pa.Array:
        found = pa.array(np.zeros(len(rows), bool))
        for scene, contents in outdated.items():
            values = pa.array(contents, pa.int64())
            found = pc.or_kleene(
                found, pc.and_(pc.equal(rows["scene"], scene), pc.is_in(rows["content"], value_set=values))
            )
        return found

    def rows_to_keep(part: Part) -> pa.Table | None:
        if part.last < first or last <= part.first:
            return None
        return _rows_without(archive, part, ["scene", "content"], is_outdated)

    return rewrite(archive, source, rows_to_keep)


def remove_files(archive: Archive, paths: Collection[str], source: str) -> int:
    """Take out all items of some files, such as of files that are gone.

    Args:
        archive: `Archive`.
        paths: of the files, as the column `path` has them.
        source: the image source.

    Returns:
        Number of items taken out.
    """
    if not paths:
        return 0
    values = pa.array(sorted(paths), pa.string())
    return rewrite(
        archive,
        source,
        lambda part: _rows_without(archive, part, ["path"], lambda rows: pc.is_in(rows["path"], value_set=values)),
    )


def _rows_without(archive, part, columns, is_gone):
    """Return the rows of a file but those of which `is_gone`, given some columns, says so; None if there are none."""
    gone = pc.fill_null(is_gone(read_listed_part(archive.root, part, columns)), False)
    return listed_rows(archive, part).filter(pc.invert(gone)) if pc.any(gone).as_py() else None


def rewrite(
    archive: Archive, source: str, new_rows: Callable[[Part], pa.Table | None], check: Callable[[], None] = lambda: None
) -> int:
    """Write files of an archive anew, while nobody else can change it; where none is another, nothing is written.

    Args:
        archive: `Archive`.
        source: the image source of the files.
        new_rows: function of a `Part` that gives the rows that it is to have, with all columns, or None to leave it.
        check: is called before, and may refuse by raising.

    Returns:
        How many rows are fewer.
    """
    removed = 0
    with manifest.locked(archive.root):
        archive.refresh()
        check()
        parts = manifest.read_parts(archive.root)
        remove_orphans(archive.root, parts)
        kept = []
        for part in parts:
            rows = new_rows(part) if part.source == source else None
            removed += 0 if rows is None else part.rows - len(rows)
            if rows is None:
                kept.append(part)
            elif len(rows):
                kept.append(write_part(archive.root, archive.identity, rows, source))
        if kept != parts:
            manifest.write_parts(archive.root, kept)
            remove_orphans(archive.root, kept, parts)
    archive.refresh()
    return removed


def _check_there(archive, ids, source):
    there = archive.known(ids, source)
    missing = [key for key in dict.fromkeys(ids) if key not in there]
    if missing:
        named = ", ".join(map(repr, missing[:_NAMED])) + (
            f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        )
        raise SettingError(
            f"The archive {archive.root} has no item {named} of source {source!r}. Nothing was taken out. Give ids as "
            "a search lists them."
        )


def _rows_to_keep(archive, part, ids, condition):
    """Return the rows of a file without those to be removed; None if there are none such."""
    if ids is not None and (not ids or part.last < min(ids) or max(ids) < part.first):
        return None
    rows = listed_rows(archive, part)
    connection = duckdb.connect(":memory:", config={"enable_external_access": "false"})
    connection.register("rows", rows)
    if ids is not None:
        connection.register("gone", pa.table({"id": pa.array(filter(is_text, ids), pa.string())}))
        condition = "id IN (SELECT id FROM gone)"
    try:
        kept = connection.sql(f"SELECT * FROM rows AS i WHERE ({condition}) IS NOT TRUE").to_arrow_table()
    except duckdb.Error as error:
        raise read_error(archive.root, error) from error
    return None if len(kept) == len(rows) else kept.cast(rows.schema)


def listed_rows(archive: Archive, part: Part) -> pa.Table:
    """Return the rows of a file, with all columns of the archive, for whoever holds it: see `rewrite`."""
    return read_listed_part(archive.root, part, make_schema(archive.identity.bits, archive.identity.features))


def _groups(parts, rows):
    """Return lists of files of the same source to be merged: two or more small ones, or one without a digest."""
    groups = []
    for source in sorted({part.source for part in parts}):
        group = []
        for part in (part for part in parts if part.source == source and part.rows < rows / 2):
            if sum(one.rows for one in group) + part.rows > rows:
                groups.append(group)
                group = []
            group.append(part)
        groups.append(group)
    groups += [[part] for part in parts if part.rows >= rows / 2]
    return [group for group in groups if len(group) > 1 or any(not part.digest for part in group)]


def _fault(archive, part):
    try:
        rows = read_part(archive.root, part, make_schema(archive.identity.bits, archive.identity.features))
        found = read_file_metadata(rows.schema)
        if found.get("model") != archive.identity.model or found.get("bits") != archive.identity.bits:
            return Fault(part.name, part.rows, f"holds codes of another model ({str(found.get('model'))[:12]})")
        check_bytes(archive.root, part)
    except FileNotFoundError:
        if is_gone(str(archive.root / part.name)):
            return Fault(part.name, part.rows, "is missing")
        reason = "is missing, and its whole folder is empty: mount the disk that it is on, or remove the archive"
        return Fault(part.name, part.rows, reason, damaged=False)
    except Unreadable as error:
        return Fault(part.name, part.rows, str(error), damaged=False)
    except DataError as error:
        return Fault(part.name, part.rows, str(error))
    return None
