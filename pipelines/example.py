"""Describe what a reader of an archive hands over: items, the form that a source's images share, the archive itself."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_dhnn.errors import DataError

DTYPES = ("uint8", "uint16", "int16", "float32")


@dataclass(frozen=True, eq=False)
class Example:
    """Describe one item: an image for each source, all of the same ground, and its class.

    Attributes:
        id: unique name in its archive, such as "beach/beach07.tif".
        label: class number, from 0.
        images: `{source: (H, W, C) array}` of uint8, uint16, int16 or float32, in the archive's units. UCMD has
            `image`, SAT-4 `image`, DSRSID `pan` and `mul`.
    """

    id: str
    label: int
    images: dict


@dataclass(frozen=True, eq=False)
class Block:
    """Describe many items at once, for archives of small images, where an Example each would take longer than its
    image.

    Attributes:
        ids: (n,) unique names.
        labels: (n,) class numbers, from 0.
        images: `{source: (n, H, W, C) array}`, see Example.
        true_labels: (n,) class numbers to score by, where some of `labels` are known to be wrong; else None.
    """

    ids: Sequence[str]
    labels: np.ndarray
    images: dict
    true_labels: np.ndarray | None = None


@dataclass(frozen=True)
class ImageSpec:
    """Describe size and type of every image of one source."""

    height: int
    width: int
    channels: int
    dtype: str

    @classmethod
    def of(cls, image: np.ndarray) -> "ImageSpec":
        """Return the spec of one (H, W, C) image.

        Raises:
            DataError: if it has no three dimensions, an empty one, or a type that is not stored.
        """
        if image.ndim != 3 or 0 in image.shape or image.dtype.name not in DTYPES:
            raise DataError(
                f"Expected an image (height, width, channels) of {', '.join(DTYPES)}. "
                f"Found: shape {image.shape}, {image.dtype.name}."
            )
        height, width, channels = image.shape
        return cls(height, width, channels, image.dtype.name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def stored_dtype(self) -> np.dtype:
        """Return NumPy type of the stored bytes: little-endian on every machine."""
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def nbytes(self) -> int:
        """Return bytes of one image."""
        return self.height * self.width * self.channels * np.dtype(self.dtype).itemsize

    def __str__(self):
        return f"{self.height} x {self.width} x {self.channels} {self.dtype}"


@dataclass(frozen=True)
class Annotations:
    """Describe what an archive says of its images in a file of its own: several labels each, a published split.

    Attributes:
        classes: names of the labels, in the archive's order.
        labels: `{id: names}`; an image that is not in it has no label.
        parts: `{id: "train", "validation" or "test"}`.
    """

    classes: tuple[str, ...]
    labels: Mapping[str, Sequence[str]]
    parts: Mapping[str, str]


@dataclass(frozen=True)
class Archive:
    """Describe a data set's archive, listed and checked, ready to be read by `prepare`.

    Attributes:
        classes: class names; an Example's label is a position here.
        count: items that will be read if none is skipped.
        origin: where it came from: `kind`, `path` and `fingerprint`, which changes when the origin does, or how it is
            read. Where options decide that, they are in it too, and `files`, the fingerprint of the origin alone.
        read: `read(skipped)` iterates over the Examples, in an order that depends on the content only, and appends
            to the list `skipped` a (name, reason) for each file that it leaves out. Whatever is wrong with the origin
            is a DataError: an OSError would be taken for one of the folder that `prepare` writes to.
        blocks: `blocks()` iterates over the same items as Blocks of any size; None where `read` is fast enough. It
            decides how the data set is stored: see `DatasetInfo.items_per_record`.
        annotations: what it says of its images beside them; the only class is then `labels.UNLABELLED`. None where each
            image has one class, its Example's.
    """

    classes: tuple
    count: int
    origin: dict
    read: Callable[[list], Iterator[Example]]
    blocks: Callable[[], Iterator[Block]] | None = None
    annotations: Annotations | None = None


def fingerprint_of(facts: object) -> str:
    """Return the SHA-256 of what is known of an archive, which has a `repr` of its own, in hexadecimal digits."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()
