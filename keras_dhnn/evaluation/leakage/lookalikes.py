"""Find images that look the same as a whole, by perceptual hashes."""

from collections.abc import Callable

import numpy as np

from keras_dhnn.evaluation.leakage.symmetries import COUNT
from keras_dhnn.metrics.distances import distance_blocks

_ROWS = 1024


def find_lookalikes(
    hashes: np.ndarray, threshold: int, progress: Callable[[int], None] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of images whose perceptual hashes are near, under any symmetry of one of them.

    Args:
        hashes: `(n, 8, b)` uint8, packed hashes of each image under each symmetry.
        threshold: largest distance in bits.
        progress: called with the number of images that were compared with all after them.

    Returns:
        (pairs, distances, symmetries): `(p, 2)` int64 with `pairs[:, 0] < pairs[:, 1]`, `(p,)` int64, and `(p,)` uint8:
        the first looks like the second under this symmetry, the nearest one.
    """
    blocks = [np.empty((0, 4), np.int64)]
    for start in range(0, len(hashes), _ROWS):
        queries, others = hashes[start : start + _ROWS, 0], hashes[start:].reshape(-1, hashes.shape[2])
        for row, distances in distance_blocks(queries, others):
            first, place = np.nonzero(distances <= threshold)
            second, symmetry = np.divmod(place, COUNT)
            first += row
            one = np.stack([first + start, second + start, distances[first - row, place], symmetry], axis=1)
            blocks.append(one[first < second])
        if progress is not None:
            progress(min(start + _ROWS, len(hashes)))
    found = np.concatenate(blocks)
    found = found[np.lexsort(found.T[[3, 2, 1, 0]])]  # by pair, the nearest symmetry first
    _, nearest = np.unique(found[:, :2], axis=0, return_index=True)
    return found[nearest, :2], found[nearest, 2], found[nearest, 3].astype(np.uint8)
