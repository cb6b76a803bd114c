"""Gather what images are compared by, in one pass over a data set."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from keras_dhnn.evaluation.leakage.corners import corner_keys, find_corners
from keras_dhnn.evaluation.leakage.symmetries import COUNT, turned
from keras_dhnn.machine import cores
from keras_dhnn.pipelines.display import displayable
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import colours, read_images

HASH_BITS = 256
SMALLEST_FOR_CORNERS = 64  # pixels
_HASH_SIDE = 16
_THUMBNAIL = 64  # pixels: the side that imagehash's own cosine transform takes for this hash


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Hold fingerprints of n images, with p corners in all.

    Attributes:
        contents: `(n, 16)` uint8, digest of the sorted pixels of each band: equal for an image and its turned copies.
        hashes: `(n, 8, 32)` uint8, perceptual hashes of 256 bits, packed, of the image under each symmetry.
        corner_images: `(p,)` int64, the image of each corner, ascending.
        corner_places: `(p, 2)` int64, row and column.
        corner_keys: `(p,)` uint32.
        corner_symmetries: `(p,)` uint8; see `corners.corner_keys`.
    """

    contents: np.ndarray
    hashes: np.ndarray
    corner_images: np.ndarray
    corner_places: np.ndarray
    corner_keys: np.ndarray
    corner_symmetries: np.ndarray


def take_fingerprints(info: DatasetInfo, progress: Callable[[int], None] | None = None) -> Fingerprints:
    """Return fingerprints of all images of a data set.

    Args:
        info: `DatasetInfo`.
        progress: called with the number of images done.

    Returns:
        `Fingerprints`.
    """
    threads = cores()
    parts, images, waiting = [], read_images(info, np.arange(info.count)), []
    with ThreadPoolExecutor(threads) as pool:
        for _, image in images:
            waiting.append(pool.submit(_of_image, image, info))
            if len(waiting) > 2 * threads:
                parts.append(waiting.pop(0).result())
                if progress is not None:
                    progress(len(parts))
        parts += [one.result() for one in waiting]
    if progress is not None:
        progress(len(parts))
    contents, hashes, places, keys, symmetries = zip(*parts, strict=True)
    return Fingerprints(
        contents=np.stack(contents),
        hashes=np.stack(hashes),
        corner_images=np.repeat(np.arange(info.count), [len(part) for part in keys]),
        corner_places=np.concatenate(places),
        corner_keys=np.concatenate(keys),
        corner_symmetries=np.concatenate(symmetries),
    )


def grey(image: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """Return the brightness of any image, slightly smoothed: `(H, W, C)` -> `(H, W)` float32, 0 to 255."""
    return _smooth(_brightness(image, info))


def _smooth(brightness):
    return gaussian_filter(np.asarray(brightness, np.float32), 1)


def _brightness(image, info):
    return Image.fromarray(displayable(colours(image, info))).convert("L")


def _of_image(image, info):
    brightness = _brightness(image, info)
    smooth = _smooth(brightness)
    corners = find_corners(smooth) if min(smooth.shape) >= SMALLEST_FOR_CORNERS else np.empty((0, 2), np.int64)
    return _content(image), _hashes(brightness), corners, *corner_keys(smooth, corners)


def _content(image):
    bands = np.sort(image.reshape(-1, image.shape[2]).T, axis=1, kind="stable")
    return np.frombuffer(hashlib.blake2b(np.ascontiguousarray(bands), digest_size=16).digest(), np.uint8)


def _hashes(brightness):
    small = np.asarray(brightness.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX))
    views = (Image.fromarray(np.ascontiguousarray(turned(small, symmetry))) for symmetry in range(COUNT))
    return np.stack([np.packbits(imagehash.phash(view, _HASH_SIDE).hash) for view in views])
