"""Read image files, each one tile: in folders, or named in a list."""

import csv
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from keras_dhnn.archive.places import address, is_address, list_address, read_address
from keras_dhnn.archive.tiles.tile import Form, Known, Skipped, Tile, content_of
from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.files import is_text, read_bytes, read_lines, refuse_address
from keras_dhnn.pipelines.formats.image_file import MOST_BYTES, decode_image
from keras_dhnn.pipelines.formats.image_names import SUFFIXES, is_image, unreadable_folder, walk_images
from keras_dhnn.pipelines.formats.unreadable import EmptyImage, UnreadableImage
from keras_dhnn.pipelines.read_ahead import read_ahead

_STAY = "no item is taken out while it cannot"
# Files whose ids are looked up at a time.
_BATCH = 512


def list_images(
    inputs: Iterable[Path | str], *, links: list[Skipped] | None = None, unread: list[Skipped] | None = None
) -> list[str]:
    """Return the image files that a user named, in order.

    Args:
        inputs: paths or addresses of image files and of folders (searched to the bottom; hidden files are left out, and
            links to folders are not followed, but those that are named themselves); paths of text files `*.txt` or
            `*.csv` with a path or address a line, in a CSV file in its column `path`.
        links: list that gets a `Skipped` for each link to a folder that was met.
        unread: list that gets a `Skipped` for each folder that cannot be read; None: the first one is refused.

    Returns:
        List of paths, as texts, each once; those in a folder by name.

    Raises:
        DataError: if there is none of that name, no image in it, or it holds a folder that cannot be read.
    """
    found = []
    links = [] if links is None else links
    for text in inputs:
        given = Path(text)
        if is_address(text):
            found += _at_address(text)
        elif given.is_dir():
            found += _in_folder(given, links, unread)
        elif given.suffix.lower() in (".txt", ".csv"):
            found += _listed(given)
        elif given.exists():
            found.append(given.as_posix())
        else:
            refuse_address(given)
            raise DataError(f"There is no file or folder {given}. Name images, folders, or lists of images.")
    return list(dict.fromkeys(found))


def file_tiles(
    paths: Iterable[str],
    form: Form,
    known: Known,
    *,
    labels: Callable[[str], str | None] | None = None,
    skip_damaged: bool = False,
    skipped: list[Skipped] | None = None,
) -> Iterator[Tile | None]:
    """Read image files, several at a time, in the order of their paths; an image's id is its path as given.

    Args:
        paths: from `list_images`.
        form: `Form` of the images.
        known: function of a list of ids that gives `{id: content}` of those that need not be read again.
        labels: function of a path that gives a label or None.
        skip_damaged: whether files that are no such images are left out.
        skipped: list that gets a `Skipped` for each of them, and for images without a measurement, which are left out
            in any case.

    Yields:
        `Tile`, or None for a file that is known.

    Raises:
        DamagedFile: if a file is damaged and these are not left out.
    """
    for batch in _batches(paths):
        contents = known(batch)

        def read(path: str, contents: Mapping[str, int | None] = contents) -> Tile | DamagedFile | None:
            return _read(path, form, contents.get(path), labels)

        for path, tile in read_ahead(read, batch):
            if isinstance(tile, DamagedFile):
                if not (skip_damaged or isinstance(tile, EmptyImage)):
                    raise tile
                if skipped is not None:
                    skipped.append(Skipped(path, tile.reason))
                continue
            yield tile


def file_form(path: str) -> tuple[int, str]:
    """Return the number of bands and the type of an image file.

    Raises:
        DamagedFile: if it is none, or holds no measurement.
    """
    try:
        decoded = decode_image(_read_bytes(path))
    except OSError as error:
        raise DamagedFile(path, f"cannot be read ({error.strerror})") from error
    except (DataError, UnreadableImage) as error:
        raise DamagedFile(path, str(error)) from error
    if decoded.holds_nothing:
        raise EmptyImage(path)
    return decoded.bands.shape[2], decoded.bands.dtype.name


def _read(path, form, content, labels):
    """Return a `Tile`, None if it is known, or the DamagedFile to raise."""
    if not is_text(path):
        return DamagedFile(path, "has a name that is not UTF-8")
    try:
        data = _read_bytes(path)
        found = content_of(data)
        if found == content:
            return None
        decoded = decode_image(data)
        image = decoded.image(form.channels, form.dtype)
        if decoded.without_opacity(form.channels).holds_nothing:
            return EmptyImage(path)
        values = {
            "path": path if is_address(path) else os.path.abspath(path),
            "label": labels(path) if labels else None,
        }
        return Tile(path, found, form.fit(image, path), values)
    except OSError as error:
        return DamagedFile(path, f"cannot be read ({error.strerror})")
    except DamagedFile as error:
        return error
    except UnreadableImage as error:
        return DamagedFile(path, str(error), error.cure)
    except DataError as error:
        return DamagedFile(path, str(error))


def _read_bytes(path):
    return read_address(path, MOST_BYTES) if is_address(path) else read_bytes(path, MOST_BYTES)


def _at_address(path):
    """Return the addresses of the image that stands there, or of those below."""
    if is_image(address(path)):
        return [address(path)]
    found = [name for name in list_address(path) if is_image(name)]
    if not found:
        raise DataError(f"There is no image at {address(path)}. Expected files {', '.join(SUFFIXES)}.")
    return found


def _in_folder(folder, links, unread):
    """Return the paths of the images in a folder, by name; arguments as of `list_images`."""
    linked: list[str] = []
    refused: list[OSError] = []
    found = sorted(walk_images(folder.as_posix(), linked, refused))
    if refused and (unread is None or not found):
        raise unreadable_folder(refused[0])
    if not found:
        named = f" Links to folders are not followed: name {linked[0]} itself." if linked else ""
        raise DataError(f"There is no image in the folder {folder}. Expected files {', '.join(SUFFIXES)}.{named}")
    links += [Skipped(path, "is a link to a folder, which is not followed: name it itself") for path in linked]
    if unread is not None:
        unread += [Skipped(error.filename, f"cannot be read ({error.strerror}); {_STAY}") for error in refused]
    return found


def _listed(path):
    """Return the paths in a list; relative ones start where the list lies."""
    try:
        lines = [line for line in read_lines(path) if line.strip()]
    except (OSError, DataError) as error:
        raise DataError(f"The list {path} cannot be read ({error}). Expected UTF-8 text, a path a line.") from error
    if path.suffix.lower() == ".csv":
        lines = _paths_of_table(path, lines)
    lines = [line.strip() for line in lines]
    return [address(line) if is_address(line) else (path.parent / line).as_posix() for line in lines]


def _paths_of_table(path, lines):
    try:
        rows = csv.DictReader(lines)
        if "path" not in (rows.fieldnames or ()):
            raise DataError(f"The list {path} has no column `path`. It has: {', '.join(rows.fieldnames or ())}")
        found = [row["path"] for row in rows]
    except csv.Error as error:
        raise DataError(f"The list {path} cannot be read as CSV ({error}).") from error
    if not all(found):
        number = next(number for number, one in enumerate(found, 1) if not one)
        raise DataError(f"The list {path} has no path in its row {number} below the names of columns. Add it.")
    return found


def _batches(paths):
    paths = iter(paths)
    while batch := list(itertools.islice(paths, _BATCH)):
        yield batch
