"""Find corners in an image, and give each a key of what is seen there, which crops of the same ground share."""

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

MOST = 192  # corners of an image; in UC Merced 256 find no more than that
RADIUS = 16  # pixels: of what is seen around a corner, which has a pixel in its middle
_APART = 9  # pixels
_KEY_BITS = 32
_SIDE = 8  # cosines along each side of a patch
_PIXELS = np.arange(2 * RADIUS + 1) + 0.5
# `_COSINES @ patch @ _COSINES.T` is the low corner of a patch's cosine transform, but for factors.
_COSINES = np.cos(np.pi / len(_PIXELS) * np.arange(_SIDE)[:, None] * _PIXELS).astype(np.float32)
# Cosines from low to high frequencies, without the mean.
_ORDER = sorted(((u, v) for u in range(_SIDE) for v in range(_SIDE) if u or v), key=lambda uv: (sum(uv), uv))


def find_corners(grey: np.ndarray) -> np.ndarray:
    """Return the strongest corners of an image, by the smaller eigenvalue of its structure tensor.

    Args:
        grey: `(H, W)` float32.

    Returns:
        `(n, 2)` int64, rows and columns, `n <= MOST`; at least `RADIUS` from the border and 5 pixels from each other.
        Constant images have none.
    """
    down, right = np.gradient(grey)
    a, b, c = (gaussian_filter(product, 2, truncate=3) for product in (down * down, right * right, down * right))
    strength = (a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c * c)
    peaks = (maximum_filter(strength, _APART) == strength) & (strength > 1e-3)
    inside = np.zeros_like(peaks)
    inside[RADIUS:-RADIUS, RADIUS:-RADIUS] = True
    places = np.argwhere(peaks & inside)
    return places[np.argsort(-strength[tuple(places.T)], kind="stable")[:MOST]]


def corner_keys(grey: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return keys of the patches around corners: signs of their low cosines, as in a perceptual hash.

    Patches are first brought to one of their 8 symmetries, so that a turned copy has the same key.

    Args:
        grey: `(H, W)` float32.
        corners: `(n, 2)`, as of `find_corners`.

    Returns:
        (keys, symmetries): `(n,)` uint32, and `(n,)` uint8, the symmetry that each patch was brought to.
    """
    if not len(corners):
        return np.empty(0, np.uint32), np.empty(0, np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(grey, (2 * RADIUS + 1, 2 * RADIUS + 1))
    cosines = _COSINES @ windows[tuple(corners.T - RADIUS)] @ _COSINES.T
    # Mirroring a patch changes the signs of its odd cosines.
    up, left = cosines[:, 1, 0] < 0, cosines[:, 0, 1] < 0
    odd = np.where(np.arange(_SIDE) % 2, -1, 1)
    cosines = cosines * np.where(up[:, None, None], odd[:, None], 1) * np.where(left[:, None, None], odd, 1)
    swapped = cosines[:, 1, 0] > cosines[:, 0, 1]
    cosines[swapped] = cosines[swapped].swapaxes(1, 2)
    bits = np.stack([cosines[:, u, v] > 0 for u, v in _ORDER[:_KEY_BITS]], axis=1)
    keys = np.packbits(bits, axis=1).view(np.uint32)[:, 0]
    return keys, (up + 2 * left + 4 * swapped).astype(np.uint8)
