"""Give batches their images: from memory, if the data set fits a budget, or from the files."""

import functools
import math
import os
import weakref
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.store.block_store import StreamedBlocks, check_bytes
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.graph_errors import in_graph
from keras_dhnn.pipelines.store.tf_example import decode_images

MEMORY_BUDGET = 2 << 30
_CHUNK_BYTES = 64 << 20


def open_records(info: DatasetInfo, memory_budget: int = MEMORY_BUDGET) -> "Records":
    """Return the records of a data set: held in memory if they fit, else read from the files each time.

    Args:
        info: DatasetInfo.
        memory_budget: bytes that all images, in their stored type, may take.

    Returns:
        ResidentRecords, StreamedRecords or StreamedBlocks; batches made from them are equal.
    """
    return ResidentRecords(info) if info.nbytes <= memory_budget else _streamed(info)


def _streamed(info):
    return StreamedRecords(info) if info.items_per_record == 1 else StreamedBlocks(info)


def shared_records(info: DatasetInfo, memory_budget: int = MEMORY_BUDGET) -> "Records":
    """Return as `open_records`, but those of the last data set are kept, so that all its users share one copy."""
    return _shared(str(info.directory.resolve()), info.checksum, memory_budget)


@functools.lru_cache(maxsize=1)
def _shared(directory, checksum, memory_budget):
    return open_records(DatasetInfo.load(directory), memory_budget)


class StreamedRecords:
    """Read images from the shards record by record, at any place: the order is free, and needs no shuffle buffer.

    A rotating disk reads about 100 records a second so; an SSD thousands. For the former, raise the memory budget.
    """

    def __init__(self, info: DatasetInfo) -> None:
        self._images, self._places, self._checks = info.images, info.places, info.checks
        self._names = [info.directory / shard.file for shard in info.shards]
        self._files = [os.open(info.directory / shard.file, os.O_RDONLY) for shard in info.shards]
        weakref.finalize(self, _close, self._files)

    def gather(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return {source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        if tf.executing_eagerly():  # whose errors come as they are
            records = tf.constant(self._read(np.asarray(index)))
        else:
            records = tf.numpy_function(in_graph(self._read), [index], tf.string, stateful=False)
        return decode_images(tf.ensure_shape(records, index.shape), self._images)[1]

    def load(self, images: Mapping[str, np.ndarray]) -> None:
        """Fill {source: (count, H, W, C) array} with all images, in the order of items."""
        in_file_order = np.lexsort((self._places[:, 1], self._places[:, 0]))
        nbytes = sum(array.nbytes for array in images.values())
        for index in np.array_split(in_file_order, math.ceil(nbytes / _CHUNK_BYTES)):
            for source, image in self.gather(tf.constant(index)).items():
                images[source][index] = image.numpy()

    def _read(self, index):
        places = self._places[index].tolist()
        # An array of objects: NumPy's own bytes type would drop trailing zeros.
        records = [os.pread(self._files[shard], size, first) for shard, first, size in places]
        for number, record, (shard, *_) in zip(index.tolist(), records, places, strict=True):
            check_bytes(record, self._checks, number, 0, self._names[shard])
        return np.array(records, dtype=object)


class ResidentRecords:
    """Hold all images in memory, once, in their stored type."""

    def __init__(self, info: DatasetInfo) -> None:
        images = {source: _aligned((info.count, *spec.shape), spec.dtype) for source, spec in info.images.items()}
        _streamed(info).load(images)
        # A conversion would hold two copies more for a moment: this shares NumPy's memory, which nobody changes.
        self._images = {s: tf.experimental.dlpack.from_dlpack(array.__dlpack__()) for s, array in images.items()}

    def gather(self, index: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return {source: (B, H, W, C) in the stored type} of the items `index` (B,); runs inside a tf.data graph."""
        return {source: tf.gather(images, index) for source, images in self._images.items()}


Records = ResidentRecords | StreamedRecords | StreamedBlocks


def _aligned(shape, dtype):
    """Return an empty array that begins where a tensor may: TensorFlow ends the process over any other."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(nbytes + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + nbytes].view(dtype).reshape(shape)


def _close(files):
    for file in files:
        os.close(file)
