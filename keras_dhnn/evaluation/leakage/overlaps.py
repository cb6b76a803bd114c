"""Find crops that share ground: a corner of one is found in the other, at one and the same shift."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from keras_dhnn.evaluation.leakage.fingerprints import Fingerprints, grey
from keras_dhnn.evaluation.leakage.symmetries import BETWEEN, MATRICES, turned
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import read_images

LEAST_CORNERS = 2  # that agree
LEAST_CORRELATION = 0.9
_TOLERANCE = 3  # pixels
_MOST_ALIKE = 50  # corners with one key: more are a texture, which tells no place
_WIDE = 8  # pixels: what is smoother is left out of the correlation


@dataclass(frozen=True)
class Overlap:
    """Describe two images that show the same ground.

    Attributes:
        first: number of an image.
        second: number of the other, larger.
        symmetry: the first looks like the second under this one.
        shift: (rows, columns) by which the second, so turned, is to be moved onto the first.
        share: of the first image's area, what both show.
        correlation: of the pixels there, without what is smooth.
    """

    first: int
    second: int
    symmetry: int
    shift: tuple
    share: float
    correlation: float


def find_overlaps(
    info: DatasetInfo, prints: Fingerprints, images: np.ndarray, progress: Callable[[int], None] | None = None
) -> list[Overlap]:
    """Return pairs of images with corners that agree, whose pixels then agree too.

    Args:
        info: `DatasetInfo`; of two sources the one with the finest pixels is looked at, as by `read_images`.
        prints: its `Fingerprints`.
        images: `(m,)` numbers of the images to compare.
        progress: called with the number of candidates that were looked at.

    Returns:
        List of `Overlap`, by pair.
    """
    candidates, overlaps = _candidates(prints, images, info.images[sources_of(info)[0]].shape[:2]), []
    for done, (first, second, symmetry, shift) in enumerate(candidates, 1):
        (_, one), (_, other) = read_images(info, np.array([first, second]))
        share, correlation, shift = _compare(_rough(one, info), turned(_rough(other, info), symmetry), shift)
        if correlation >= LEAST_CORRELATION:
            overlaps.append(Overlap(first, second, symmetry, shift, share, correlation))
        if progress is not None:
            progress(done)
    return overlaps


def _candidates(prints, images, shape):
    """Return `(first, second, symmetry, shift)` of each pair of `images` in which enough corners agree."""
    of_images = np.flatnonzero(np.isin(prints.corner_images, images))
    one, other = of_images[_equal_pairs(prints.corner_keys[of_images])]
    differ = prints.corner_images[one] != prints.corner_images[other]
    one, other = one[differ], other[differ]
    symmetries = BETWEEN[prints.corner_symmetries[one], prints.corner_symmetries[other]]
    shifts = _shifts(prints.corner_places[one], prints.corner_places[other], symmetries, shape)
    votes = np.stack([prints.corner_images[one], prints.corner_images[other], symmetries], axis=1)
    pairs, numbers, sizes = np.unique(votes, axis=0, return_inverse=True, return_counts=True)
    by_pair, starts, best = np.argsort(numbers.ravel(), kind="stable"), np.cumsum(sizes) - sizes, {}
    for pair in np.flatnonzero(sizes >= LEAST_CORNERS):
        first, second, symmetry = pairs[pair].tolist()
        count, shift = _agreed(shifts[by_pair[starts[pair] : starts[pair] + sizes[pair]]])
        if count >= max(LEAST_CORNERS, best.get((first, second), (0,))[0]):
            best[first, second] = count, symmetry, shift
    return [(*pair, symmetry, shift) for pair, (_, symmetry, shift) in best.items()]


def _agreed(shifts):
    """Return the shift that most of `(n, 2)` shifts are near to, in whole pixels, and how many are."""
    near = np.abs(shifts[:, None] - shifts[None]).max(axis=2) <= _TOLERANCE
    most = near[near.sum(axis=1).argmax()]
    return int(most.sum()), tuple(np.median(shifts[most], axis=0).round().astype(int).tolist())


def _equal_pairs(keys):
    """Return all pairs of positions with equal keys, the smaller first: two `(p,)` arrays; common keys are left out."""
    _, numbers, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    kept = np.flatnonzero((sizes[numbers] > 1) & (sizes[numbers] <= _MOST_ALIKE))
    order = kept[np.argsort(numbers[kept], kind="stable")]
    ordered, found = numbers[order], [np.empty((0, 2), np.int64)]
    for step in range(1, _MOST_ALIKE):
        equal = np.flatnonzero(ordered[step:] == ordered[:-step])
        found.append(np.stack([order[equal], order[equal + step]], axis=1))
    return np.concatenate(found).T


def _shifts(one, other, symmetries, shape):
    """Return how far the other image, turned, is to be moved onto the one, so that two corners meet: `(p, 2)`."""
    middle = (np.array(shape) - 1) / 2
    turned_to = (MATRICES[symmetries] @ (other - middle)[..., None])[..., 0]
    # Swapping rows and columns moves the middle of an image that is not square.
    middles = np.where((symmetries & 4)[:, None] > 0, middle[::-1], middle)
    return one - turned_to - middles


def _rough(image, info):
    """Return what is neither noise nor smooth: `(H, W)` float32."""
    brightness = grey(image, info)
    return brightness - gaussian_filter(brightness, _WIDE, truncate=2)


def _compare(one, other, shift):
    """Return `(share, correlation, shift)` where two images overlap best, within a pixel of the shift."""
    best = (0.0, -1.0, shift)
    for rows in range(shift[0] - 1, shift[0] + 2):
        for columns in range(shift[1] - 1, shift[1] + 2):
            a, b = _shared(one, other, rows, columns)
            correlation = float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))
            if correlation > best[1]:
                best = a.size / one.size, correlation, (rows, columns)
    return best


def _shared(one, other, rows, columns):
    """Return the part of each image that both show, if the other is moved by so many rows and columns."""
    top, left = max(rows, 0), max(columns, 0)
    bottom, right = min(one.shape[0], other.shape[0] + rows), min(one.shape[1], other.shape[1] + columns)
    return one[top:bottom, left:right], other[top - rows : bottom - rows, left - columns : right - columns]
