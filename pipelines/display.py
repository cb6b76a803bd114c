"""Turn any image into one that a screen can show."""

import numpy as np

from keras_dhnn.errors import invalid


def displayable(image: np.ndarray) -> np.ndarray:
    """Return any image as one that a screen can show: its first three bands, or its only one (or first of two) as grey.

    uint8 stays as it is; other types are stretched from the 2nd to the 98th percentile of the image.

    Args:
        image: `(H, W, C)` or `(H, W)`, any number type. Values that are not finite are shown black.

    Returns:
        `(H, W, 3)` uint8.

    Raises:
        ValueError: if it is no image.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or 0 in image.shape:
        raise ValueError(invalid("argument `image`", "shape (H, W, C) or (H, W)", image.shape))
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    return image if image.dtype == np.uint8 else _stretched(image.astype(np.float64))


def _stretched(image):
    finite = np.isfinite(image)
    low, high = np.percentile(image[finite], [2, 98]) if finite.any() else (0, 1)
    share = (np.where(finite, image, low) - low) / max(high - low, np.finfo(float).tiny)
    return (255 * np.clip(share, 0, 1) + 0.5).astype(np.uint8)
