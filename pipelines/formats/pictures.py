"""Open image files with Pillow, without its bound on pixels: ours are others, and are checked before decoding."""

import io
import threading
from collections.abc import Iterable

from PIL import Image

_BOUND = threading.Lock()  # Pillow's is a variable of its module


def open_picture(content: bytes, formats: Iterable[str], page: int = 0) -> Image.Image:
    """Read the header of an image file; no pixels yet.

    Args:
        content: the file's bytes.
        formats: Pillow's names of those that it may be of.
        page: which of its images, from 0.

    Raises:
        PIL.UnidentifiedImageError: if it is none of them.
        OSError, SyntaxError, EOFError and others: if it is damaged.
    """
    with _BOUND:
        most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(io.BytesIO(content), formats=tuple(formats))
            if page:
                image.seek(page)
            return image
        finally:
            Image.MAX_IMAGE_PIXELS = most
