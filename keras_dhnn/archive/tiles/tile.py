"""Describe one tile: its pixels, as the network is given them, and what an archive keeps of it."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DamagedFile
from keras_dhnn.files import open_regular
from keras_dhnn.pipelines.formats.image_file import resize_stored

_CHUNK = 1 << 22
# Of some ids, `{id: content}` of those that need not be read again.
Known = Callable[[list[str]], Mapping[str, int | None]]


@dataclass(frozen=True)
class Form:
    """Describe what a network takes.

    Attributes:
        height: of the images, in pixels; tiles of another size are resized.
        width: likewise.
        channels: number of bands.
        dtype: "uint8", "uint16", "int16" or "float32".
    """

    height: int
    width: int
    channels: int
    dtype: str

    def misfit(self, channels: int, dtype: str) -> str | None:
        """Return what is wrong with images of so many bands of a type; None if nothing is."""
        if (channels, dtype) == (self.channels, self.dtype):
            return None
        return (
            f"has {channels} band(s) of {dtype}; expected {self.channels} of {self.dtype}, as the model was made with "
            "(--bands chooses among a scene's)"
        )

    def fit(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return an image `(H, W, C)` as `(height, width, channels)`.

        Raises:
            DamagedFile: if it has other bands or another type.
        """
        wrong = self.misfit(image.shape[2], image.dtype.name)
        if wrong:
            raise DamagedFile(name, wrong)
        return resize_stored(image, self.height, self.width)


@dataclass(frozen=True, eq=False)
class Tile:
    """Describe one tile.

    Attributes:
        id: its key.
        content: number that changes when the pixels do.
        image: `(H, W, C)`; None once it is encoded.
        values: `{column: value}` of other columns of the archive; what is missing is null.
        corners: `(4, 2)` longitude and latitude, or None where it is at no known place.
    """

    id: str
    content: int
    image: np.ndarray | None
    values: dict = field(default_factory=dict)
    corners: np.ndarray | None = None


@dataclass(frozen=True)
class Skipped:
    """Describe a file that was left out.

    Attributes:
        name: the file.
        reason: what is wrong with it.
    """

    name: str
    reason: str


def content_of(*parts: bytes) -> int:
    """Return a number of 64 bits that stands for some bytes, as int64."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), "little", signed=True)


def content_of_files(paths: Iterable[Path | str]) -> Callable[[bytes], int]:
    """Return a function that gives `content_of` all files, of any size, and more bytes; of what is no file, its name.

    Raises:
        OSError: if a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        if not os.path.isfile(path):
            digest.update(os.fsencode(path))
            continue
        with open_regular(path) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)

    def content(more: bytes) -> int:
        whole = digest.copy()
        whole.update(more)
        return int.from_bytes(whole.digest(), "little", signed=True)

    return content
