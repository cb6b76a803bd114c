"""Take a selection away: as CSV, GeoJSON, GeoParquet, or a zip of pictures."""

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from PIL import Image

from keras_dhnn.archive import Archive, Results
from keras_dhnn.archive.wanted import DEFAULT_COLUMNS
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.files import guarded

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
    "geoparquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
MOST_TAKEN, MOST_PICTURES = 10_000, 2000
_COLUMNS = ("rank", "id", "label", "distance", "score", "mark", "time", "scene", "row", "col", "size", "path", "bbox")


def write_table(
    archive: Archive, source: str, ids: Sequence[str], ranked: dict[str, dict[str, Any]], kind: str
) -> bytes:
    """Return a file of items' columns, bytes.

    Args:
        archive: `Archive`.
        source: the image source of the items.
        ids: of the items, in order.
        ranked: `{id: {"rank": ..., "distance": ..., "score": ..., "mark": ...}}` where these are known.
        kind: "csv", "geojson" or "geoparquet".
    """
    columns = ["id", *DEFAULT_COLUMNS, *([] if kind == "csv" else ["geometry"])]
    table = archive.get(list(ids), columns, source)
    known = {"rank": pa.int32(), "distance": pa.int32(), "score": pa.float64(), "mark": pa.string()}
    for name, dtype in known.items():
        values = [ranked.get(key, {}).get(name) for key in ids]
        if any(value is not None for value in values):
            table = table.append_column(name, pa.array(values, dtype))
    results = Results(table, source)
    if kind == "geojson":
        return (json.dumps(results.to_geojson()) + "\n").encode()
    if kind == "csv":
        return _csv(results.to_list(), table.column_names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        results.write_geoparquet(path)
        return path.read_bytes()


def write_zip(ids: Sequence[str], table: bytes, pixels: Callable[[str], np.ndarray]) -> BinaryIO:
    """Return a file that holds a zip: `items.csv`, and the items' pictures in `tiles/`; whoever takes it closes it.

    Args:
        ids: of the items, in order.
        table: what `write_table` made of them.
        pixels: function of an id that gives its picture `(H, W, C)`; what it refuses is named in `missing.txt`.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115
    missing = []
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("items.csv", table)
        for place, key in enumerate(ids, 1):
            try:
                content, suffix = _picture(pixels(key))
            except Refusal as refusal:
                missing.append(f"{key}: {refusal}\n")
                continue
            archive.writestr(f"tiles/{place:05d}_{_safe(key)}{suffix}", content)
        if missing:
            archive.writestr("missing.txt", "".join(missing))
    file.seek(0)
    return file


def labels_csv(marks: dict[str, str], right: str, wrong: str | None) -> bytes:
    """Return marks as a table `path,label` for `--labels` of `encode` and, where they are of whole files, of `prepare`.

    What a spreadsheet would take for a formula has an apostrophe before it, which both take off.

    Args:
        marks: `{name: "right" or "wrong"}`, see `Catalogue.table_names`.
        right: the class of what is right.
        wrong: the class of what is wrong; None: "not" and that of what is right, since one class teaches nothing.
    """
    names = {"right": right, "wrong": wrong or f"not {right}"}
    rows = [(key, names[mark]) for key, mark in marks.items()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label"))
    writer.writerows(map(guarded, row) for row in rows)
    return text.getvalue().encode()


def _csv(rows, names):
    columns = [name for name in _COLUMNS if name in names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return text.getvalue().encode()


def _cell(value):
    if isinstance(value, dict):
        return " ".join(str(value[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
    return guarded(value)


def _picture(pixels):
    """Return `(bytes, suffix)`: PNG where that holds the values as they are, else TIFF."""
    file = io.BytesIO()
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3):
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "PNG")
        return file.getvalue(), ".png"
    import tifffile

    tifffile.imwrite(file, pixels, photometric="minisblack", planarconfig="contig", metadata=None)
    return file.getvalue(), ".tif"


def _safe(key):
    """Return the end of an id as a file's name, without its suffix."""
    last = re.sub(r"\.(tiff?|png|jpe?g|webp|bmp|jp2)$", "", key, flags=re.IGNORECASE)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", last).strip("_")[-80:]
