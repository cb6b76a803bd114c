"""Open image files with Pillow, without its bound on pixels: ours are others, and are checked before decoding."""

import contextlib
import io
import threading
from collections.abc import Iterable, Iterator

from PIL import Image


class _Bound:
    """Hold Pillow's bound, a variable of its module, while threads decode without it; the last one puts it back."""

    def __init__(self) -> None:
        self._lock, self._threads = threading.Lock(), 0
        self._most: int | None = None

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        with self._lock:
            if not self._threads:
                self._most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._threads += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    Image.MAX_IMAGE_PIXELS = self._most


_BOUND = _Bound()


@contextlib.contextmanager
def open_picture(content: bytes, formats: Iterable[str], page: int = 0) -> Iterator[Image.Image]:
    """Give an image whose header is read, and whose pixels can be in the block.

    Args:
        content: the file's bytes.
        formats: Pillow's names of those that it may be of.
        page: which of its images, from 0.

    Raises:
        PIL.UnidentifiedImageError: if it is none of them.
        OSError, SyntaxError, EOFError and others: if it is damaged.
    """
    with _BOUND.lifted(), Image.open(io.BytesIO(content), formats=tuple(formats)) as image:
        if page:
            image.seek(page)
        yield image
