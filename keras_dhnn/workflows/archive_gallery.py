"""Draw what a search found as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.archive.rasters import Box, read_window
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.store import Archive
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.pipelines.formats.image_file import read_image_file
from keras_dhnn.report.figures.gallery import GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.workflows.search_archive import Asked

RANKS = 10
# Pixels on a side that a tile of a scene is shown with.
_MOST_SIDE = 512


def draw_gallery(archive: Archive, asked: Asked, results: Results, path: Path | str) -> None:
    """Draw each query and its nearest items, `RANKS` at most, into a PNG file.

    Args:
        archive: `Archive`, in which queries that are ids are looked up.
        asked: `Asked`.
        results: `Results` with the columns label, path, row, col and size.
        path: of the file.
    """
    columns, files = ["id", "label", "path", "row", "col", "size"], asked.images
    own = {
        name: read_tile(archive.get([name], columns, results.source).to_pylist()[0])
        for name in asked.names
        if name not in files and not asked.rerank
    }
    found = [row for row in results.to_list() if row["rank"] <= RANKS]
    rows = []
    for number, name in enumerate(asked.names):
        of_query = {
            row["rank"]: Retrieved(read_tile(row), row["label"] or _place(row), row["distance"])
            for row in found
            if row["query"] == number
        }
        rows.append(GalleryRow((files | own).get(name, _blank()), Path(name).name, of_query))
    figure = gallery_figure(rows, ranks=tuple(range(1, RANKS + 1)))
    save_figure(figure, path, dpi=120)


def read_tile(row: Mapping[str, Any]) -> np.ndarray:
    """Return the pixels `(H, W, C)` of an item by its columns path, row, col and size, grey where they cannot be read.

    Args:
        row: dictionary of the item's columns.
    """
    try:
        if row.get("row") is not None:
            box = Box(row["row"], row["col"], row["size"], row["size"])
            return read_window(row["path"], box, most=_MOST_SIDE)[0]
        return read_image_file(row["path"]).bands
    except (TypeError, DataError, SettingError):
        return _blank()


def _place(row):
    """Return what stands below a picture without a label: where in its scene, or the file's name."""
    return Path(row["id"]).name if row.get("row") is None else f"{row['row']}, {row['col']}"


def _blank():
    return np.full((8, 8, 3), 128, np.uint8)
