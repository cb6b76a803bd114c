"""Find images whose pixels are equal, up to the 8 symmetries of the square."""

import numpy as np

from keras_dhnn.evaluation.leakage.symmetries import COUNT, turned
from keras_dhnn.metrics.groups import group, words
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import read_images


def find_copies(info: DatasetInfo, contents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of the images that show the same pixels, for each image.

    Args:
        info: `DatasetInfo`.
        contents: `(n, 16)` uint8, see `Fingerprints`; only images for which it is equal are read.

    Returns:
        (first, symmetries): `(n,)` int64, itself for an image that is no copy, and `(n,)` uint8: image `first[i]` looks
        like image i under this symmetry.
    """
    first, symmetries = np.arange(len(contents)), np.zeros(len(contents), np.uint8)
    groups = group(*words(contents))
    for number in np.flatnonzero(groups.sizes > 1):
        originals: list[tuple[int, np.ndarray]] = []
        for index, image in read_images(info, groups.members(np.array([number]))):
            match = next(((i, s) for i, original in originals for s in _equal(original, image)), None)
            if match is None:
                originals.append((index, image))
            else:
                first[index], symmetries[index] = match
    return first, symmetries


def _equal(original, image):
    """Return the symmetries under which `image` equals `original`."""
    return [s for s in range(COUNT) if np.array_equal(original, turned(image, s), equal_nan=image.dtype.kind == "f")]
