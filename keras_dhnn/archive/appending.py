"""Append rows to an archive: all or none, once each, whoever else is writing."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_dhnn.archive import manifest
from keras_dhnn.archive.manifest import Identity, Part
from keras_dhnn.archive.parts import read_listed_part, read_part, remove_orphans, write_part
from keras_dhnn.archive.schema import make_schema
from keras_dhnn.errors import SettingError


class Appended(NamedTuple):
    """Describe what became of rows that were appended.

    Attributes:
        added: rows whose id was new.
        replaced: rows whose id was there with other content, which they replace.
        known: rows that were there with the same content, left as they are.
    """

    added: int
    replaced: int
    known: int


def append_rows(root: Path, identity: Identity, rows: pa.Table, source: str) -> Appended:
    """Append rows to an archive; arguments, result and errors as of `Archive.append`.

    Args:
        root: Path of the archive.
        identity: its `Identity`.
        rows: `pyarrow.Table`.
        source: the image source.
    """
    _check_rows(identity, rows, source)
    with manifest.locked(root):
        parts = manifest.read_parts(root)
        remove_orphans(root, parts)
        known = content_of_ids(root, parts, rows["id"], source, read_listed_part)
        stays = np.array([key in known and known[key] == content for key, content in _keys(rows)], bool)
        fresh = rows.filter(pa.array(~stays))
        replaced = [key for key in fresh["id"].to_pylist() if key in known]
        if len(fresh):
            kept = _without(root, identity, parts, source, replaced) if replaced else parts
            after = [*kept, write_part(root, identity, fresh, source)]
            manifest.write_parts(root, after)
            remove_orphans(root, after, parts)
    return Appended(len(fresh) - len(replaced), len(replaced), int(stays.sum()))


def content_of_ids(
    root: Path,
    parts: list[Part],
    ids: pa.Array | pa.ChunkedArray,
    source: str,
    read: Callable[..., pa.Table] = read_part,
    column: str = "content",
) -> dict[str, Any]:
    """Return `{id: content}` of those ids that are in some files; only files that may hold one are read.

    Args:
        root: Path of the archive.
        parts: list of `Part`.
        ids: Arrow array of texts.
        source: the image source.
        read: what reads a file, `read_part` or `read_listed_part`.
        column: another one that is wanted instead of the content.
    """
    found: dict[str, Any] = {}
    for part in _parts_with(parts, ids, source):
        rows = read(root, part, ["id", column])
        found.update(_keys(rows.filter(pc.is_in(rows["id"], value_set=_one_chunk(ids))), column))
    return found


def contents_of_scene(root: Path, parts: list[Part], scene: str, source: str) -> set[tuple[int | None, str | None]]:
    """Return (content, path) of all tiles of a scene; only files that may hold one are read.

    Args:
        root: Path of the archive.
        parts: list of `Part`.
        scene: its name, with which and `#` the ids of its tiles begin.
        source: the image source.
    """
    found: set[tuple[int | None, str | None]] = set()
    for part in parts:
        if part.source == source and part.first < f"{scene}$" and f"{scene}#" <= part.last:
            rows = read_part(root, part, ["scene", "content", "path"])
            rows = rows.filter(pc.equal(rows["scene"], scene))
            found.update(zip(rows["content"].to_pylist(), rows["path"].to_pylist(), strict=True))
    return found


def _without(root, identity, parts, source, ids):
    """Return the list of parts after those that hold some ids are written anew without them."""
    values, kept = pa.array(ids, pa.string()), []
    touched = _parts_with(parts, values, source)
    for part in parts:
        gone = pc.is_in(read_listed_part(root, part, ["id"])["id"], value_set=values) if part in touched else None
        if gone is None or not pc.any(gone).as_py():
            kept.append(part)
        elif not pc.all(gone).as_py():
            kept.append(write_part(root, identity, read_listed_part(root, part).filter(pc.invert(gone)), source))
    return kept


def _parts_with(parts, ids, source):
    """Return those parts in whose range of ids some lie."""
    if not len(ids):
        return []
    low, high = (bound.as_py() for bound in pc.min_max(_one_chunk(ids)).values())
    return [part for part in parts if part.source == source and part.first <= high and low <= part.last]


def _one_chunk(ids):
    return ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids


def _keys(rows, column="content"):
    return zip(rows["id"].to_pylist(), rows[column].to_pylist(), strict=True)


def _check_rows(identity, rows, source):
    schema = make_schema(identity.bits, identity.features)
    if not rows.schema.equals(schema):
        raise SettingError(
            f"Expected rows of {identity.bits} bits and {identity.features} features, as schema.make_rows makes them. "
            f"Received columns: {', '.join(rows.schema.names)}"
        )
    if not re.fullmatch(r"\w[\w.-]*", source, re.ASCII):
        raise SettingError(f"An image source is letters, digits and - _ . Received: {source!r}")
    if rows["id"].null_count or len(pc.unique(rows["id"])) < len(rows):
        raise SettingError("Every row has an id of its own. Received an id twice, or none.")
