"""Check what the items of a data set have in common, and compute the checksum over what they are."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.example import Block, Example, ImageSpec


class Content:
    """Take in items, check that each fits the others, and add up their checksum.

    The checksum is over id, label and pixels of one item after the other; how many come at once changes nothing.

    Args:
        classes: class names.

    Attributes:
        images: {source: ImageSpec}, sorted by source; None before the first item.
        ids, labels, true_labels: of all items so far, lists; `true_labels` is empty where there are none.
    """

    def __init__(self, classes: Iterable[str]) -> None:
        self.classes = tuple(classes)
        self.images: dict[str, ImageSpec] | None = None
        self.ids: list[str] = []
        self.labels: list[int] = []
        self.true_labels: list[int] = []
        self._seen: set[str] = set()
        self._digest = hashlib.sha256()

    def add(self, example: Example) -> dict[str, bytes]:
        """Take in one Example, and return {source: pixels as little-endian bytes}."""
        images = {source: image[None] for source, image in example.images.items()}
        rows = self.add_block(Block([example.id], np.array([example.label]), images))
        return {source: pixels.tobytes() for source, pixels in rows.items()}

    def add_block(self, block: Block) -> dict[str, np.ndarray]:
        """Take in a Block of n items, and return {source: (n, bytes) uint8}, the pixels as little-endian bytes."""
        if self.images is None:
            self.images = {source: ImageSpec.of(images[0]) for source, images in sorted(block.images.items())}
        self._check(block)
        self.ids += block.ids
        self.labels += np.asarray(block.labels).tolist()
        if block.true_labels is not None:
            self.true_labels += np.asarray(block.true_labels).tolist()
        pixels = {source: _bytes(block.images[source], spec) for source, spec in self.images.items()}
        for i, (name, label) in enumerate(zip(block.ids, self.labels[-len(block.ids) :], strict=True)):
            self._digest.update(f"{len(name)}:{name}:{label}:".encode())
            for rows in pixels.values():
                self._digest.update(rows[i])
        return pixels

    def _check(self, block):
        first = block.ids[0]
        if block.images.keys() != self.images.keys():
            raise DataError(f"{first}: expected the sources {sorted(self.images)}. Found: {sorted(block.images)}.")
        for source, spec in self.images.items():
            images = block.images[source]
            if images.shape != (len(block.ids), *spec.shape) or images.dtype != spec.dtype:
                raise DataError(
                    f"{first}: expected {source!r} of {spec}, as the images before it. "
                    f"Found: {images.shape[1:]}, {images.dtype}."
                )
        for labels in (block.labels, *([] if block.true_labels is None else [block.true_labels])):
            wrong = np.flatnonzero((np.asarray(labels) < 0) | (np.asarray(labels) >= len(self.classes)))
            if len(wrong):
                raise DataError(
                    f"{block.ids[wrong[0]]}: expected a label from 0 to {len(self.classes) - 1}. "
                    f"Found: {labels[wrong[0]]}."
                )
        if self.ids and bool(self.true_labels) != (block.true_labels is not None):
            raise DataError(f"{first}: expected true labels for all items or for none.")
        for name in block.ids:
            if name in self._seen:
                raise DataError(f"{name}: this id comes twice; ids must be unique.")
            self._seen.add(name)

    def items(self) -> dict[str, np.ndarray]:
        """Return {name: array} of what is kept of each item: `labels` and `ids`, and `true_labels` where there are
        some.
        """
        items = {"labels": np.array(self.labels, np.int32), "ids": np.array(self.ids)}
        return items | ({"true_labels": np.array(self.true_labels, np.int32)} if self.true_labels else {})

    def fields(self) -> dict[str, Any]:
        """Return dict of the DatasetInfo fields `images`, `count`, `class_counts` and `checksum`.

        Raises:
            DataError: if there was no item.
        """
        if self.images is None:
            raise DataError("The source holds no image.")
        digest = self._digest.copy()
        digest.update(repr((self.classes, list(self.images.items()))).encode())
        if self.true_labels:
            digest.update(np.array(self.true_labels, "<i4").tobytes())
        return {
            "images": self.images,
            "count": len(self.ids),
            "class_counts": tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist()),
            "checksum": digest.hexdigest(),
        }


def _bytes(images, spec):
    """Return (n, ...) images as (n, bytes) uint8."""
    return np.ascontiguousarray(images, spec.stored_dtype).reshape(len(images), -1).view(np.uint8)
