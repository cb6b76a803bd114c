"""Read anybody's own images without classes: any tree of images, of any depth; labels may come later, or never.

Images are read as those of `folder` are. Each has the class "unlabelled" until a table of labels says otherwise.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets.collection import LIMITS
from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.datasets.folder import OPTIONS, archive_of
from keras_dhnn.pipelines.datasets.folder_listing import Listing, check_names, no_images
from keras_dhnn.pipelines.example import Archive
from keras_dhnn.pipelines.formats.image_names import is_image
from keras_dhnn.pipelines.formats.trees import open_tree
from keras_dhnn.pipelines.labels import UNLABELLED

NAME = "images"
# Fewer have no neighbours to learn from.
LEAST_IMAGES = 20


def open_archive(
    source: Path | str, *, skip_damaged: bool = False, zip_encoding: str | None = None, **options: Any
) -> Archive:
    """List a tree of images; look at up to 512 of them, drawn at random.

    Args:
        source: the folder, or a zip of it. Hidden files and folders are left out, links to folders not followed.
        skip_damaged: leave out what cannot be read or differs from most images in its bands or type.
        zip_encoding: of names in a zip that do not say it; see `zip_names`.
        **options: as of `folder.open_archive`.

    Returns:
        Archive, for `prepare`.

    Raises:
        DataError: if there are too few images, a sample of them is of several kinds, or a setting does not fit it.
    """
    listing = _list(source, zip_encoding)

    def check(read: Sequence[str]) -> None:
        if len(read) < LEAST_IMAGES:
            raise DataError(f"Expected {LEAST_IMAGES} readable images or more in {source}. Found {len(read)}.")

    return archive_of(listing, NAME, lambda name: 0, check, skip_damaged=skip_damaged, **options)


def _list(source, zip_encoding):
    tree = open_tree(source, (), LIMITS, zip_encoding, deep=True)
    images = [name for name in tree.files if is_image(name) and not _hidden(name)]
    check_names(source, images)
    if len(images) < LEAST_IMAGES:
        raise DataError(
            f"Expected {LEAST_IMAGES} images or more in {source}, at any depth: fewer have too few neighbours to learn "
            f"from. Found {len(images)} among {len(tree.files)} files."
        )
    left_out = no_images({name for name in tree.files if not is_image(name)})
    return Listing(tree, (UNLABELLED,), images, [*left_out, *((name, "is no file") for name in tree.misplaced)])


def _hidden(name):
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


DATASET = Dataset(open_archive, options=OPTIONS)
