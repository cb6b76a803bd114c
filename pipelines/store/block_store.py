"""Read images from shards whose records hold many items."""

import os
import sys
import weakref
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.graph_errors import in_graph

_ITEMS = 1 << 16


class StreamedBlocks:
    """Read images one by one, at any place: an item's pixels lie together in its record, and no other is read."""

    def __init__(self, info: DatasetInfo) -> None:
        self._images, self._shards, self._pixels = info.images, info.places[:, 0], info.pixels
        self._checks = info.checks
        self._names = [info.directory / shard.file for shard in info.shards]
        self._files = [os.open(name, os.O_RDONLY) for name in self._names]
        weakref.finalize(self, _close, self._files)

    def gather(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return {source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        return {source: self._gather(index, source) for source in sorted(self._images)}

    def _gather(self, index, source):
        spec = self._images[source]

        def read(index: np.ndarray) -> np.ndarray:
            images = np.empty((len(index), *spec.shape), spec.dtype)
            self._read(source, index, images)
            return images

        if tf.executing_eagerly():  # whose errors come as they are
            return tf.constant(read(np.asarray(index)))
        images = tf.numpy_function(in_graph(read), [index], spec.dtype, stateful=False)
        return tf.ensure_shape(images, [*index.shape, *spec.shape])

    def load(self, images: Mapping[str, np.ndarray]) -> None:
        """Fill {source: (count, H, W, C) array} with all images, in the order of items."""
        for column, source in enumerate(sorted(images)):
            in_file_order = np.lexsort((self._pixels[:, column], self._shards))
            for index in np.array_split(in_file_order, -(-len(in_file_order) // _ITEMS)):
                self._read(source, index, images[source], index)

    def _read(self, source, index, images, rows=None):
        """Read the images of the items `index` into `rows` of `images`, or into its rows one by one."""
        column, nbytes = sorted(self._images).index(source), self._images[source].nbytes
        rows = range(len(index)) if rows is None else rows.tolist()
        memory, places = images.reshape(len(images), -1).view(np.uint8), self._pixels[index, column].tolist()
        for row, number, shard, place in zip(rows, index.tolist(), self._shards[index].tolist(), places, strict=True):
            if os.preadv(self._files[shard], [memory[row]], place) != nbytes:
                raise DataError(
                    f"{self._names[shard]} is damaged: it ends before byte {place + nbytes:,}. Prepare the data set "
                    "again, with --force."
                )
            check_bytes(memory[row], self._checks, number, column, self._names[shard])
        if sys.byteorder == "big" and images.itemsize > 1:
            images[rows] = images[rows].byteswap()


def check_bytes(content: bytes, checks: np.ndarray | None, number: int, column: int, name: Path) -> None:
    """Check that bytes of a shard are those that were written.

    Args:
        content: what was read.
        checks: see `DatasetInfo.checks`.
        number: of the item.
        column: of `checks`.
        name: of the shard's file.

    Raises:
        DataError: if they are not.
    """
    if checks is not None and zlib.crc32(content) != checks[number, column]:
        raise DataError(
            f"{name} is damaged: the image with number {number} is not what was written. Prepare the data set again, "
            "with --force."
        )


def _close(files):
    for file in files:
        os.close(file)
