"""Say which label the images of an archive get: of their folders, or of a table."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from keras_dhnn.archive.labels import join_labels
from keras_dhnn.archive.tiles import Scene
from keras_dhnn.files import read_bytes, unguarded
from keras_dhnn.pipelines.label_file import parquet_rows, read_labels
from keras_dhnn.pipelines.labels import UNLABELLED

FOLDER_LABELS = "folder"
_MOST_BYTES = 4 << 30
# A tile's id: the name of its scene, its side, and where it begins.
_TILE = re.compile(r"(.+)#\d+/\d+/\d+")


def image_labels(
    labels: Path | str | Mapping[str, str] | None, scenes: Sequence[Scene], files: Sequence[str]
) -> Mapping[str, str] | None:
    """Return `{name: label}` of scenes and image files; those without a label are left out.

    Args:
        labels: "folder" (the name of the folder that a file lies in, but "unlabelled"), path of a table (see
            `read_labels`), what this function returned, or None.
        scenes: list of `Scene`; a table may call those of a STAC catalogue by the id of their item, or the whole path
            of their file, and any tile of a scene by its whole id.
        files: paths of image files.

    Returns:
        `{name: label}`, several labels with `|` between them; None of None. A tile's own label, by its id, goes before
        its scene's.

    Raises:
        DataError: if the table cannot be used, or a row of it names no image.
    """
    if labels is None or isinstance(labels, Mapping):
        return labels
    if labels == FOLDER_LABELS:
        paths = {scene.name: scene.path for scene in scenes} | {path: path for path in files}
        folders = {name: Path(path).parent.name for name, path in paths.items()}
        return {name: folder for name, folder in folders.items() if folder not in ("", UNLABELLED)}
    wholes = _named_wholly(labels, scenes) if scenes else {}
    names = [*(scene.name for scene in scenes), *files, *wholes.values()]
    found = read_labels(labels, [*map(_called, scenes), *files, *wholes])
    own = (join_labels(found.names_of(row)) for row in found.sets)
    return {name: label for name, label in zip(names, own, strict=True) if label}


def is_of_catalogue(scene: Scene) -> bool:
    """Return whether a catalogue named a scene, which else is called by its path."""
    return scene.name != Scene.of(scene.path).name


def names_tile(name: str) -> bool:
    """Return whether a label is of one tile of a scene."""
    return _TILE.fullmatch(name) is not None


def _called(scene):
    """Return a scene's name in tables: without the asset, which is that of all items of a catalogue."""
    return str(PurePosixPath(scene.name).parent) if is_of_catalogue(scene) else scene.name


def _named_wholly(table, scenes):
    """Return `{cell: what it names}` of the cells of a table that are the whole id of a tile, or path of a scene."""
    names, places = {scene.name for scene in scenes}, {scene.place: scene.name for scene in scenes}
    found = {}
    for cell in _cells(Path(table).expanduser()) - names:
        if cell in places:
            found[cell] = places[cell]
        elif (tile := _TILE.fullmatch(cell)) and tile[1] in names:
            found[cell] = cell
    return found


def _cells(path):
    """Return the texts of a table, whichever its columns; what is wrong with it `read_labels` says."""
    if path.suffix.lower() in (".parquet", ".pq"):
        return {cell for _, row in parquet_rows(path)[1] for cell in row if isinstance(cell, str)}
    try:
        text = read_bytes(path, _MOST_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return set()
    return {unguarded(part.strip()) for part in re.split(r'[,;\t\r\n"]', text)}
