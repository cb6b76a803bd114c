"""Find the image files that a user names: one by one, by their folder, or in a list."""

from collections.abc import Iterable
from pathlib import Path

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import as_list, read_lines
from keras_dhnn.pipelines.formats.image_names import SUFFIXES, unreadable_folder, walk_images


def image_paths(given: Path | str | Iterable[Path | str]) -> list[Path]:
    """Return files as they are given, and of folders all images in them and below, by name.

    Args:
        given: files, and folders. Of folders hidden files are left out, hidden folders, and links to folders.

    Raises:
        DataError: if one is not there, a folder has no image, or one in it cannot be read.
    """
    found: list[Path] = []
    for path in map(Path, as_list(given)):
        found += _below(path) if path.is_dir() else [path]
    return found


def _below(folder):
    refused: list[OSError] = []
    paths = sorted(map(Path, walk_images(folder.as_posix(), [], refused)))
    if refused:
        raise unreadable_folder(refused[0])
    if not paths:
        raise DataError(f"There is no image in {folder}. Expected files that end in {', '.join(SUFFIXES)}.")
    return paths


def read_path_list(path: Path) -> list[Path]:
    """Return the paths in a text file, one a line; relative ones are from where the command is given.

    Raises:
        SettingError: if there is no such file, or it names nothing.
        DataError: if it is not UTF-8.
    """
    try:
        paths = [Path(line) for line in read_lines(path) if line.strip()]
    except FileNotFoundError as error:
        raise SettingError(f"There is no file {path}. Expected a list of image files, a path a line.") from error
    if not paths:
        raise SettingError(f"{path} names no file. Expected a list of image files, a path a line.")
    return paths
