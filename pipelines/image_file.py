"""One image file of any common format, as a data set's images are."""

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_dhnn.pipelines.errors import DataError
from keras_dhnn.pipelines.tiff import UnreadableTiff, decode_tiff

# Of the decoded image, before it is resized.
MOST_BYTES = 1 << 30


def read_image(path, spec):
    """Reads an image file and brings it to the size of a data set's images.

    Args:
        path: a TIFF file, or whatever Pillow reads (PNG, JPEG, WebP, ...).
        spec: `ImageSpec` of the data set's images.

    Returns:
        `(spec.height, spec.width, spec.channels)` array of the spec's type.

    Raises:
        DataError: if the file is not there or not an image, is too large, or has other bands or another type.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    image = _decode(path, content, spec)
    if image.shape[2] != spec.channels or image.dtype != spec.dtype:
        raise DataError(
            f"{path} has {image.shape[2]} bands of {image.dtype}; expected {spec.channels} of {spec.dtype}, as the data set's images."
        )
    return resize_stored(image, spec.height, spec.width)


def resize_stored(image, height, width):
    """Resizes an `(H, W, C)` uint8 image as at preparation: bicubic, without aliasing."""
    if image.shape[:2] == (height, width):
        return image
    # Pillow's resize widens the filter when it shrinks, so that nothing aliases.
    bands = [
        Image.fromarray(image[..., band]).resize((width, height), Image.Resampling.BICUBIC)
        for band in range(image.shape[2])
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def _decode(path, content, spec):
    try:
        if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            image = decode_tiff(content, most_bytes=MOST_BYTES)
            return image if image.ndim == 3 else image[..., None]
        with Image.open(path) as image:
            if image.width * image.height * 4 > MOST_BYTES:
                raise DataError(f"{path} has {image.width} x {image.height} pixels, more than {MOST_BYTES} bytes")
            pixels = np.asarray(image.convert("RGB") if spec.channels == 3 else image)
            return pixels if pixels.ndim == 3 else pixels[..., None]
    except (UnreadableTiff, UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error
