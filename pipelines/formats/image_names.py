"""Tell images by their names, in a folder and below it."""

import os
from collections.abc import Iterator

from keras_dhnn.errors import DataError

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".bmp", ".jp2")


def is_image(name: str) -> bool:
    """Return whether a file is an image by its name."""
    return name.lower().endswith(SUFFIXES)


def walk_images(folder: str, links: list[str], refused: list[OSError]) -> Iterator[str]:
    """Find the images in a folder and below, in no order; what is hidden is left out, files and folders.

    Args:
        folder: path with "/" between; what is found begins with it, but for ".".
        links: list that gets the path of each link to a folder, which is not followed.
        refused: list that gets the error of each folder or link that cannot be read, `filename` its path.

    Yields:
        Paths.
    """
    try:
        with os.scandir(folder) as inside:
            entries = [entry for entry in inside if not entry.name.startswith(".")]
    except OSError as error:
        refused.append(error)
        return
    for entry in entries:
        path = f"{folder.rstrip('/')}/{entry.name}" if folder != "." else entry.name
        try:
            is_folder = entry.is_dir()
            is_link = is_folder and entry.is_symlink()
        except OSError as error:
            refused.append(error)
            continue
        if is_link:
            links.append(path)
        elif is_folder:
            yield from walk_images(path, links, refused)
        elif is_image(entry.name):
            yield path


def unreadable_folder(error: OSError) -> DataError:
    """Return the DataError that names a folder of `walk_images` that cannot be read."""
    return DataError(f"Cannot read {error.filename}: {error.strerror}.")
