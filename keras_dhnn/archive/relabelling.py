"""Give items of an archive other labels; their codes stay."""

from collections.abc import Mapping

import pyarrow as pa

from keras_dhnn.archive import manifest
from keras_dhnn.archive.parts import read_listed_part, remove_orphans, write_part
from keras_dhnn.archive.schema import make_schema
from keras_dhnn.archive.store import Archive


def relabel(archive: Archive, labels: Mapping[str, str], source: str = "image") -> int:
    """Give items the labels that they should have; only files of an archive that hold others are written anew.

    Args:
        archive: `Archive`.
        labels: `{id: label}`, or of the tiles of a scene `{scene: label}`; what is not named stays as it is.
        source: the image source of the items.

    Returns:
        Number of items that got another label.
    """
    if not labels:
        return 0
    first, last = min(labels), max(labels)
    changed, schema = 0, make_schema(archive.identity.bits, archive.identity.features)
    with manifest.locked(archive.root):
        parts = manifest.read_parts(archive.root)
        remove_orphans(archive.root, parts)
        kept = []
        for part in parts:
            # A tile's id begins with the name of its scene.
            apart = (
                part.source != source or part.last < first or (part.first > last and not part.first.startswith(last))
            )
            found = None if apart else _relabelled(archive, part, labels)
            if found is None:
                kept.append(part)
                continue
            rows, count = found
            rows = rows.select(schema.names).replace_schema_metadata().cast(schema)
            kept.append(write_part(archive.root, archive.identity, rows, source))
            changed += count
        if changed:
            manifest.write_parts(archive.root, kept)
            remove_orphans(archive.root, kept)
    archive.refresh()
    return changed


def _relabelled(archive, part, labels):
    """Return (rows of a file with other labels, how many are others); None if none is."""
    held = read_listed_part(archive.root, part, ["id", "scene", "label"]).to_pylist()
    new = [labels.get(row["id"] if row["scene"] is None else row["scene"], row["label"]) for row in held]
    count = sum(one != row["label"] for one, row in zip(new, held, strict=True))
    if not count:
        return None
    rows = read_listed_part(archive.root, part)
    return rows.set_column(rows.schema.get_field_index("label"), "label", pa.array(new, pa.string())), count
