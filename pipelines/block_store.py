"""Images read from shards whose records hold many items."""

import os
import weakref

import numpy as np
import tensorflow as tf


class StreamedBlocks:
    """Images read one by one, at any place: an item's pixels lie together in its record, and no other is read."""

    def __init__(self, info):
        self._images, self._shards, self._pixels = info.images, info.places[:, 0], info.pixels
        self._files = [os.open(info.directory / shard.file, os.O_RDONLY) for shard in info.shards]
        weakref.finalize(self, _close, self._files)

    def gather(self, index):
        """{source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        images = {}
        for column, source in enumerate(sorted(self._images)):
            spec = self._images[source]
            read = tf.numpy_function(
                lambda items, column=column, spec=spec: self.read(items, column, spec),
                [index],
                spec.dtype,
                stateful=False,
            )
            images[source] = tf.ensure_shape(read, [*index.shape, *spec.shape])
        return images

    def read(self, index, column, spec):
        """(B, H, W, C) array: the images of the items `index` (B,) in column `column` of the sources."""
        images = np.empty((len(index), *spec.shape), spec.stored_dtype)
        rows, shards, places = images.reshape(len(index), -1).view(np.uint8), self._shards[index], self._pixels[index]
        for row, shard, place in zip(rows, shards.tolist(), places[:, column].tolist(), strict=True):
            if os.preadv(self._files[shard], [row], place) != spec.nbytes:
                raise OSError(f"shard {shard} ends before byte {place + spec.nbytes:,}; prepare the data set again")
        return images.astype(spec.dtype, copy=False)


def _close(files):
    for file in files:
        os.close(file)
