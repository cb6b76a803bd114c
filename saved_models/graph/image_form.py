"""Say what an export has to know of a data set's images, which the data set itself describes."""

from typing import Protocol


class ImageForm(Protocol):
    """Describe the images of one source, as stored; `ImageSpec` does."""

    @property
    def height(self) -> int:
        """Return it in pixels."""

    @property
    def width(self) -> int:
        """Return it in pixels."""

    @property
    def channels(self) -> int:
        """Return the number of bands."""

    @property
    def dtype(self) -> str:
        """Return the name of NumPy's type."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (height, width, channels)."""
