"""Give items of an archive other labels; their codes stay."""

from collections.abc import Mapping

import pyarrow as pa

from keras_dhnn.archive.maintenance import listed_rows, rewrite
from keras_dhnn.archive.manifest import Part
from keras_dhnn.archive.parts import read_listed_part
from keras_dhnn.archive.store import Archive


def relabel(archive: Archive, labels: Mapping[str, str], source: str = "image") -> int:
    """Give items the labels that they should have; only files of an archive that hold others are written anew.

    Args:
        archive: `Archive`.
        labels: `{id: label}`, or of the other tiles of a scene `{scene: label}`; what is not named stays as it is.
        source: the image source of the items.

    Returns:
        Number of items that got another label.
    """
    if not labels:
        return 0
    first, last, names, changed = min(labels), max(labels), tuple(labels), 0

    def new_rows(part: Part) -> pa.Table | None:
        nonlocal changed
        # A tile's id begins with the name of its scene.
        if part.last < first or (part.first > last and not part.first.startswith(names)):
            return None
        held = read_listed_part(archive.root, part, ["id", "scene", "label"]).to_pylist()
        new = [labels.get(row["id"], labels.get(row["scene"], row["label"])) for row in held]
        others = sum(one != row["label"] for one, row in zip(new, held, strict=True))
        if not others:
            return None
        changed += others
        rows = listed_rows(archive, part)
        place = rows.schema.get_field_index("label")
        return rows.set_column(place, rows.schema.field(place), pa.array(new, pa.string()))

    rewrite(archive, source, new_rows)
    return changed
