"""Compute what the frozen part of a network makes of every image, once; keep it on disk, train on it from memory."""

import math
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.files import mark_used
from keras_dhnn.models.dhnn import below_cuts, cut_backbone
from keras_dhnn.pipelines.batches import batches, item_batches
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.graph_errors import as_raised
from keras_dhnn.pipelines.store.record_store import open_records
from keras_dhnn.progress import Update
from keras_dhnn.runtimes import Encoder
from keras_dhnn.runtimes.flatbuffer import network_key
from keras_dhnn.training.cache import activations_folder, make_room, networks_folder
from keras_dhnn.training.encode import fill, inputs_of
from keras_dhnn.training.growing_array import GrowingArray

# Arrays of up to so many bytes are held in memory as tensors; larger ones are read where they are, in a mapped file.
IN_MEMORY = 256 << 20
# Bytes of float64 rows at a time of which statistics are taken.
_BLOCK = 8 << 20


class Activations:
    """Describe outputs of frozen models for all items of a data set.

    Args:
        arrays: `{source: (n, ...)}` float16 or float32, the outputs of items 0 to n - 1.
        labels: `(n,)` labels of the items.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], labels: np.ndarray):
        self._rows = {source: _reader(array) for source, array in arrays.items()}
        self._in_memory = all(array.nbytes <= IN_MEMORY for array in arrays.values())
        self._labels = tf.convert_to_tensor(labels, tf.int32)

    def gather(self, items: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `{source: (k, ...) float32}` of items `(k,)`."""
        return {source: tf.cast(rows(items), tf.float32) for source, rows in self._rows.items()}

    def batch(self, items: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Return `({source: (k, ...) float32}, {"label": (k,), "index": (k,)})` of items `(k,)`."""
        return self.gather(items), {"label": tf.gather(self._labels, items), "index": items}

    def batches(self, items: np.ndarray, *, batch_size: int, **how: Any) -> "tf.data.Dataset | InOrder":
        """Return batches as `pipelines.batches.batches` makes them, in the same order, of activations instead of
        images.

        Args:
            items: `(k,)` item numbers.
            batch_size: items a batch.
            **how: `seed`, `epochs`, `drop_remainder` and `replicas`, as there.

        Returns:
            `tf.data.Dataset` of `({source: (B, ...) float32}, {"label": (B,), "index": (B,)})`; an iterable of them
            where they are in memory and nothing is asked for but their order.
        """
        if self._in_memory and not how:
            return InOrder(self, np.asarray(items), batch_size)

        @tf.autograph.experimental.do_not_convert
        def gather(_: tf.Tensor, index: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
            return self.batch(index)

        numbers = item_batches(items, batch_size=batch_size, **how)
        options = tf.data.Options()
        # The rewriting that these ask for copies everything that the graph holds, also the activations in memory.
        options.experimental_optimization.apply_default_optimizations = False
        dataset = numbers.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return dataset.prefetch(2).with_options(options)


class InOrder:
    """Give batches of activations in memory, one after the other, as often as they are asked for.

    A `tf.data` pipeline takes longer to be started than a few such batches to be read.

    Args:
        activations: the `Activations`.
        items: `(k,)` item numbers.
        batch_size: items a batch; the last may have fewer.
    """

    def __init__(self, activations: Activations, items: np.ndarray, batch_size: int):
        self._activations, self._items, self._size = activations, items, batch_size

    def __iter__(self) -> Iterator[tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]]:
        for first in range(0, len(self._items), self._size):
            yield self._activations.batch(tf.constant(self._items[first : first + self._size], tf.int64))


def _reader(array):
    """Return a function from `(k,)` item numbers to their rows of an array, in a graph."""
    if array.nbytes <= IN_MEMORY:
        tensor = tf.convert_to_tensor(array)
        _forget(array)
        return lambda items: tf.gather(tensor, items)

    def read(items: tf.Tensor) -> tf.Tensor:
        rows = tf.numpy_function(lambda numbers: array[numbers], [items], array.dtype, stateful=False)
        return tf.ensure_shape(rows, [*items.shape, *array.shape[1:]])

    return read


def _forget(array):
    """Let the system have the pages of a mapped file that was read: they would count as this process's memory."""
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)


def mean_and_variance(array: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and the variance of each column over some rows, as NumPy does in float64, block by block.

    Args:
        array: `(n, d)` real, may be mapped from a file; it is never copied whole.
        items: `(k,)` numbers of the rows.

    Returns:
        (mean, variance), `(d,)` float64 each.
    """
    blocks = np.array_split(items, -(-len(items) * array.shape[1] * 8 // _BLOCK))

    def mean(of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        total = np.zeros(array.shape[1])
        for block in blocks:
            # With the sum so far as the first row, the additions have the order that they have in one piece.
            total = np.concatenate([total[None], of(array[block].astype(np.float64))]).sum(axis=0)
        return total / len(items)

    centre = mean(lambda rows: rows)
    return centre, mean(lambda rows: (rows - centre) ** 2)


@as_raised()
def compute_activations(
    backbone: tf.keras.Model,
    cuts: Sequence[str],
    info: DatasetInfo,
    turns: int,
    source: str,
    size: tuple[int, int],
    *,
    progress: Update | None = None,
) -> dict[str, np.ndarray | None]:
    """Return the outputs below cuts through a frozen backbone for every item, from the data set's cache if it has them.

    What is missing is computed in one pass for all cuts, which goes on where an earlier one was killed. The cache, see
    `training.cache`, is keyed by images, items, and what the network computes.

    Args:
        backbone: model from `(B, H, W, C)` images to features.
        cuts: names of its layers, or "features", see `cut_backbone`.
        info: `DatasetInfo` of the data set.
        turns: quarter turns that each image is seen in.
        source: name of the image source.
        size: (height, width) in pixels that the model takes.
        progress: called as `progress(done, note)` with the number of items done.

    Returns:
        `{cut: (n, ...) array}`, mapped from its file: float32 features, float16 of other cuts; None where the limit of
        the cache, or the disk, does not hold them.
    """
    count = Items(turns).count(info.count)
    arrays = {cut: _array(cut_backbone(backbone, cut)[0], info, turns, source, size) for cut in cuts}
    for array in arrays.values():
        array.drop_damaged()
    arrays = _within_the_limit(arrays, activations_folder(info.directory))
    missing = {cut: array for cut, array in arrays.items() if array is not None and not array.path.is_file()}
    if missing:
        items = np.arange(count)
        encoder = Encoder(below_cuts(backbone, list(missing)), count, kept=networks_folder())
        # Of other sources no more than a pixel is made.
        sizes = {name: size if name == source else (1, 1) for name in info.sources}

        def outputs_from(first: int) -> Iterator[list[np.ndarray]]:
            # Each image is seen once, so they are read from their files rather than held in memory.
            how: dict[str, Any] = {"turns": turns, "image_size": sizes, "records": open_records(info, memory_budget=0)}
            images = batches(info, items[first:], batch_size=encoder.batch, **how)
            return encoder.outputs(inputs_of(images, source))

        fill(list(missing.values()), outputs_from, progress)
    elif progress is not None:
        progress(count)
    return {cut: None if array is None else _mapped(array.path) for cut, array in arrays.items()}


def _array(below, info, turns, source, size):
    shape = (Items(turns).count(info.count), *below.output.shape[1:])
    facts = (info.checksum, turns, tuple(size), *([source] if len(info.sources) > 1 else []))
    path = activations_folder(info.directory) / f"{network_key(below, *facts)}.npy"
    return GrowingArray(path, shape, np.float32 if len(shape) == 2 else np.float16)


def _within_the_limit(arrays, folder):
    """Return those for which the cache has room, or room can be made; None for the others."""
    keep, chosen = [], {}
    for cut, array in arrays.items():
        there = array.path if array.path.is_file() else array.growing
        nbytes = math.prod(array.shape) * array.dtype.itemsize - (there.stat().st_size if there.is_file() else 0)
        fits = array.path.is_file() or make_room(folder, nbytes, [*keep, there])
        chosen[cut] = array if fits else None
        if fits:
            keep += [array.path, array.growing]
    return chosen


def _mapped(path):
    mark_used(path)
    return np.load(path, mmap_mode="r", allow_pickle=False)
