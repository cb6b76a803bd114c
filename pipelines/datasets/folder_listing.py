"""List the files of a collection that has a folder a class: which are its images, and what else lies there."""

import collections
import os
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from keras_dhnn.errors import DataError
from keras_dhnn.files import open_regular
from keras_dhnn.pipelines.datasets.class_folders import check_classes
from keras_dhnn.pipelines.formats.image_names import SUFFIXES, is_image
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.trees import FolderTree, ZipTree, open_tree
from keras_dhnn.pipelines.formats.zip_names import member_names

LAYOUT = f"<class>/<image> ({', '.join(suffix[1:] for suffix in SUFFIXES)})"


class Listing(NamedTuple):
    """Describe what a collection holds.

    Attributes:
        tree: FolderTree or ZipTree, which reads the files.
        classes: names of the folders, sorted.
        images: names of the images, `<class>/<file>`, sorted.
        left_out: (name, reason) of what is no image by its name, or lies elsewhere.
    """

    tree: FolderTree | ZipTree
    classes: tuple
    images: list
    left_out: list


def list_collection(
    source: Path | str, limits: Limits, *, skip_damaged: bool, zip_encoding: str | None = None
) -> Listing:
    """List a folder or zip; arguments as of `folder.open_archive`.

    Raises:
        DataError: if it is not laid out so, or holds images elsewhere.
    """
    tree = open_tree(source, _inside(source, zip_encoding), limits, zip_encoding)
    classes = tuple(name for name in tree.folders if name[0] != ".")
    images = [name for name in tree.files if is_image(name) and name[0] != "."]
    check_names(source, [*classes, *images])
    misplaced = [name for name in tree.misplaced if is_image(name) or "/" in name]
    if misplaced and not (skip_damaged and images):
        raise DataError(_describe_misplaced(source, classes, images, misplaced))
    check_classes(source, classes, images, LAYOUT)
    left_out = [(name, "lies elsewhere; expected <class>/<image>") for name in misplaced]
    return Listing(tree, classes, images, [*left_out, *no_images({*tree.files, *tree.misplaced} - {*misplaced})])


def _inside(source, zip_encoding):
    """Return the folder in the source that holds the classes, as `open_tree` takes it; () if that is the source itself.

    Folders that hold only the next one are looked through: zips are often packed so. What is wrong with the source is
    left for `open_tree` to say.
    """
    path = Path(source).expanduser()
    try:
        inside = _inside_folder(path) if path.is_dir() else _inside_zip(path, zip_encoding)
    except (OSError, ValueError, DataError, zipfile.BadZipFile, NotImplementedError):
        return ()
    return (inside,) if inside not in ("", ".") else ()


def _inside_folder(path):
    inside = path
    while len(children := _visible(inside)) == 1 and any(child.is_dir() for child in _visible(children[0])):
        inside = children[0]
    return str(inside.relative_to(path))


def _visible(folder):
    """Return the folders in a folder, and its images."""
    children = folder.iterdir() if folder.is_dir() else ()
    return [child for child in children if child.name[0] != "." and (is_image(child.name) or child.is_dir())]


def _inside_zip(path, zip_encoding):
    with open_regular(path) as opened, zipfile.ZipFile(opened) as file:
        names = member_names(path, file.infolist(), zip_encoding)
    folders = {os.path.dirname(name) for name in names if is_image(name) and "__MACOSX" not in name}
    return os.path.commonpath(folders) if len(folders) > 1 and "" not in folders else ""


def check_names(source: Path | str, names: Iterable[str]) -> None:
    """Raise DataError for a name that cannot be stored."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{source} holds a name that is not UTF-8: {name!r}. Rename it.") from error
        # Line ends of any kind, and what cannot be seen: lists of names are read by people and programs.
        if any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") for sign in name):
            raise DataError(f"{source} holds a name with a line end or control character: {name!r}. Rename it.")


def _describe_misplaced(source, classes, images, misplaced, shown=5):
    lines = [f"Expected {LAYOUT} in {source}, each image in the folder of its class and nowhere else. Found:"]
    lines += [f"  {name}" for name in misplaced[:shown]]
    lines += [f"  and {len(misplaced) - shown} more"] * (len(misplaced) > shown)
    if classes and not images and all("/" in name for name in misplaced):
        lines.append(f"Are the classes one folder deeper? Then give that folder by --source, such as {classes[0]}.")
    elif not classes:
        lines.append(
            "If they have no classes, or those are in a table: --layout images takes them as they lie. If they have, "
            "move them into the folders of their classes."
        )
    else:
        lines.append("Move them into the folders of their classes, or leave them out with --skip-damaged.")
    return "\n".join(lines)


def no_images(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, reason) of files that are no images, an entry for all of a suffix: sidecar files come by the
    thousand.
    """
    names = sorted(name for name in names if not is_image(name))
    suffixes = collections.Counter(PurePosixPath(name).suffix for name in names)
    for suffix, count in sorted(suffixes.items()):
        first = next(name for name in names if PurePosixPath(name).suffix == suffix)
        yield first if count == 1 else f"{count} files *{suffix}", "is no image by its name"
