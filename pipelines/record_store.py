"""Where batches take their images from: memory, if the data set fits a budget, or the files."""

import functools
import math
import os
import weakref

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.block_store import StreamedBlocks
from keras_dhnn.pipelines.dataset_info import DatasetInfo
from keras_dhnn.pipelines.tf_example import decode_images

MEMORY_BUDGET = 2 << 30
_CHUNK_BYTES = 64 << 20


def open_records(info, memory_budget=MEMORY_BUDGET):
    """The records of a data set: held in memory if they fit, else read from the files each time.

    Args:
        info: DatasetInfo.
        memory_budget: bytes that all images, in their stored type, may take. While they are loaded it is twice that.

    Returns:
        ResidentRecords, StreamedRecords or StreamedBlocks; batches made from them are equal.
    """
    return ResidentRecords(info) if info.nbytes <= memory_budget else _streamed(info)


def _streamed(info):
    return StreamedRecords(info) if info.items_per_record == 1 else StreamedBlocks(info)


def shared_records(info, memory_budget=MEMORY_BUDGET):
    """As `open_records`, but those of the last data set are kept, so that all its users share one copy."""
    return _shared(str(info.directory.resolve()), info.checksum, memory_budget)


@functools.lru_cache(maxsize=1)
def _shared(directory, checksum, memory_budget):
    return open_records(DatasetInfo.load(directory), memory_budget)


class StreamedRecords:
    """Images read from the shards record by record, at any place: the order is free, and needs no shuffle buffer.

    A rotating disk reads about 100 records a second so; an SSD thousands. For the former, raise the memory budget.
    """

    def __init__(self, info):
        self._images, self._places = info.images, info.places
        self._files = [os.open(info.directory / shard.file, os.O_RDONLY) for shard in info.shards]
        weakref.finalize(self, _close, self._files)

    def gather(self, index):
        """{source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        records = tf.numpy_function(self._read, [index], tf.string, stateful=False)
        return decode_images(tf.ensure_shape(records, index.shape), self._images)[1]

    def _read(self, index):
        places = self._places[index].tolist()
        # An array of objects: NumPy's own bytes type would drop trailing zeros.
        return np.array([os.pread(self._files[shard], size, first) for shard, first, size in places], dtype=object)


class ResidentRecords:
    """All images in memory, in their stored type."""

    def __init__(self, info):
        stored = _streamed(info)
        images = {source: np.empty((info.count, *spec.shape), spec.dtype) for source, spec in info.images.items()}
        in_file_order = np.lexsort((info.places[:, 1], info.places[:, 0]))
        for index in np.array_split(in_file_order, math.ceil(info.nbytes / _CHUNK_BYTES)):
            for source, image in stored.gather(tf.constant(index)).items():
                images[source][index] = image.numpy()
        # One source at a time moves from NumPy to TensorFlow.
        self._images = {source: tf.convert_to_tensor(images.pop(source)) for source in info.sources}

    def gather(self, index):
        """{source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        return {source: tf.gather(images, index) for source, images in self._images.items()}


def _close(files):
    for file in files:
        os.close(file)
