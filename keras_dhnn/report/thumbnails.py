"""Make small pictures of stored images."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from keras_dhnn.pipelines.store.stored_images import in_colour

SIDE = 64


def thumbnail(image: np.ndarray, bands: Sequence[int]) -> bytes:
    """Return a PNG file of at most 64 pixels on a side; pixels of other types than uint8 are stretched.

    Args:
        image: `(H, W, C)` in the stored type.
        bands: numbers, from 1, of red, green and blue.

    Returns:
        Bytes.
    """
    shown = in_colour(image, bands)
    if shown.dtype != np.uint8:
        low, high = np.percentile(shown, (1, 99))
        shown = np.clip(255 * (shown - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    picture = Image.fromarray(shown if shown.shape[2] == 3 else shown[..., 0])
    picture.thumbnail((SIDE, SIDE))
    picture.save(file, "PNG")
    return file.getvalue()
