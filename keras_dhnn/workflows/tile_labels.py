"""Say which label the images of an archive get: of their folders, or of a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from keras_dhnn.archive.labels import join_labels
from keras_dhnn.archive.tiles import Scene
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.labels import UNLABELLED

FOLDER_LABELS = "folder"


def image_labels(
    labels: Path | str | Mapping[str, str] | None, scenes: Sequence[Scene], files: Sequence[str]
) -> Mapping[str, str] | None:
    """Return `{name: label}` of scenes and image files; those without a label are left out.

    Args:
        labels: "folder" (the name of the folder that a file lies in, but "unlabelled"), path of a table (see
            `read_labels`), what this function returned, or None.
        scenes: list of `Scene`; a table may call those of a STAC catalogue by the id of their item.
        files: paths of image files.

    Returns:
        `{name: label}`, several labels with `|` between them; None of None.

    Raises:
        DataError: if the table cannot be used, or a row of it names no image.
    """
    if labels is None or isinstance(labels, Mapping):
        return labels
    if labels == FOLDER_LABELS:
        paths = {scene.name: scene.path for scene in scenes} | {path: path for path in files}
        folders = {name: Path(path).parent.name for name, path in paths.items()}
        return {name: folder for name, folder in folders.items() if folder not in ("", UNLABELLED)}
    names = [scene.name for scene in scenes] + list(files)
    found = read_labels(labels, [*map(_called, scenes), *files])
    chosen = ([name for name, has in zip(found.classes, row, strict=True) if has] for row in found.sets)
    return {name: label for name, own in zip(names, chosen, strict=True) if (label := join_labels(own))}


def is_of_catalogue(scene: Scene) -> bool:
    """Return whether a catalogue named a scene, which else is called by its path."""
    return scene.name != Scene.of(scene.path).name


def _called(scene):
    """Return a scene's name in tables: without the asset, which is that of all items of a catalogue."""
    return str(PurePosixPath(scene.name).parent) if is_of_catalogue(scene) else scene.name
