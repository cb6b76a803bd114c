"""Summarise what an archive holds, in figures."""

from collections.abc import Sequence
from typing import Any

from keras_dhnn.archive.schema import code_columns
from keras_dhnn.archive.store import Archive


def empty_columns(archive: Archive, names: Sequence[str], source: str | None = None) -> list[str]:
    """Return which of some columns no item has a value in."""
    if not names:
        return []
    counted = ", ".join(f"count({name})" for name in names)
    (counts,) = archive.sql(lambda items: f"SELECT {counted} FROM {items}", source)
    return [name for name, count in zip(names, counts, strict=True) if not count]


def describe(archive: Archive, most_labels: int = 30) -> dict[str, Any]:
    """Return a dictionary for JSON: items, labels, how many have none, distinct codes, places, model, files and bytes.

    Args:
        archive: `Archive`.
        most_labels: labels that are listed at most, the most frequent ones.
    """
    info = archive.info
    words = ", ".join(code_columns(info.bits))
    distinct, labels, unlabelled, placed = {}, {}, {}, {}
    for source in info.sources:
        made = archive.sql(
            lambda items: (
                f"SELECT (SELECT count(*) FROM (SELECT DISTINCT {words} FROM {items})), "
                f"(SELECT count(*) FROM {items} WHERE bbox IS NOT NULL)"
            ),
            source,
        )
        distinct[source], placed[source] = made[0]
        counted = archive.labels(source)
        unlabelled[source] = counted.pop(None, 0)
        labels[source] = dict(list(counted.items())[:most_labels])
    return {
        "archive": str(info.path),
        "model": info.model,
        "encoder": info.encoder.get("path") or info.encoder.get("name") or info.encoder.get("kind", ""),
        "pipeline": info.pipeline,
        "bits": info.bits,
        "features": info.features,
        "items": info.sources,
        "distinct codes": distinct,
        "georeferenced": placed,
        "labels": labels,
        "without label": unlabelled,
        "files": info.files,
        "bytes": info.bytes,
        "bytes an item": round(info.bytes / max(info.rows, 1), 1),
    }
