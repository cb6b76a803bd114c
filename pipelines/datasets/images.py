"""Read anybody's own images without classes: any tree of images, of any depth; labels may come later, or never.

Images are read as those of `folder` are. Each has the class "unlabelled" until a table of labels says otherwise.
"""

import collections
import hashlib
from pathlib import PurePosixPath

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets.collection import LIMITS, survey_collection
from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.datasets.folder import SOURCE
from keras_dhnn.pipelines.datasets.folder_listing import Listing, check_names, is_image, no_images
from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.formats.trees import open_tree
from keras_dhnn.pipelines.labels import UNLABELLED
from keras_dhnn.pipelines.read_ahead import read_ahead

NAME = "images"
# Fewer have no neighbours to learn from.
LEAST_IMAGES = 20


def open_archive(source, *, skip_damaged=False, **options):
    """List a tree of images and looks at up to 512 of them, drawn at random.

    Args:
        source: the folder, or a zip of it. Hidden files and folders are left out.
        skip_damaged: leave out what cannot be read or differs from most images in its bands or type.
        **options: `image_size`, `percentiles`, `scale`, `rgb_bands` and `seed`, see `folder.open_archive`.

    Returns:
        Archive, for `prepare`.

    Raises:
        DataError: if there are too few images, a sample of them is of several kinds, or a setting does not fit it.
    """
    listing = _list(source)
    collection = survey_collection(listing, skip_damaged=skip_damaged, **options)

    def read(skipped):
        skipped += listing.left_out
        return _examples(source, collection, skipped if skip_damaged else None)

    made_by = {
        "layout": NAME,
        "image_size": collection.side,
        "scaling": collection.scaling and {SOURCE: collection.scaling},
        "rgb_bands": collection.rgb_bands,
    }
    tree = listing.tree.origin
    fingerprint = hashlib.sha256(repr((tree["fingerprint"], sorted(made_by.items()))).encode()).hexdigest()
    return Archive(
        classes=listing.classes,
        count=len(listing.images),
        origin={**tree, "fingerprint": fingerprint, **made_by, "notes": collection.notes},
        read=read,
    )


def _list(source):
    tree = open_tree(source, (), LIMITS, deep=True)
    images = [name for name in tree.files if is_image(name) and not _hidden(name)]
    check_names(source, images)
    if len(images) < LEAST_IMAGES:
        raise DataError(
            f"Expected {LEAST_IMAGES} images or more in {source}, at any depth: fewer have too few neighbours to learn "
            f"from. Found {len(images)} among {len(tree.files)} files."
        )
    others = {name for name in tree.files if not is_image(name)}
    return Listing(tree, (UNLABELLED,), images, [*no_images(others), *_links(tree)])


def _hidden(name):
    return any(part.startswith(".") for part in PurePosixPath(name).parts)


def _links(tree):
    count = collections.Counter("link" for name in tree.misplaced if not name.endswith("/"))["link"]
    return [(f"{count} links to folders", "are not followed")] if count else []


def _examples(source, collection, skipped):
    """Yield the Examples; an image that cannot be used is appended to `skipped`, or raised if that is None."""
    count = 0
    for name, outcome in read_ahead(collection.image, collection.listing.images):
        if isinstance(outcome, DamagedFile):
            if skipped is None:
                raise outcome
            skipped.append((name, outcome.reason))
            continue
        count += 1
        yield Example(name, 0, {SOURCE: outcome})
    if count < LEAST_IMAGES:
        raise DataError(f"Expected {LEAST_IMAGES} readable images or more in {source}. Found {count}.")


DATASET = Dataset(open_archive, options=("skip_damaged", "image_size", "percentiles", "scale", "rgb_bands"))
