"""Batch the items of a prepared data set for training and encoding, by tf.data: deterministic, parallel, prefetched."""

import math
from collections.abc import Mapping, Sequence, Sized

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.errors import DataError, invalid
from keras_dhnn.pipelines.augment import Augment
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.record_store import MEMORY_BUDGET, Records, shared_records

Size = int | tuple[int, int]
# These functions have no control flow for AutoGraph to convert, and rewriting their source takes longer than tracing.
_as_it_is = tf.autograph.experimental.do_not_convert


def batches(
    info: DatasetInfo,
    items: Sequence[int] | np.ndarray,
    *,
    batch_size: int,
    seed: int | None = None,
    epochs: range = range(1),
    image_size: Size | Mapping[str, Size | None] | None = None,
    turns: int = 4,
    augment: Augment | None = None,
    drop_remainder: bool = False,
    labels: ArrayLike | None = None,
    records: Records | None = None,
    memory_budget: int = MEMORY_BUDGET,
    replicas: tuple[range, int] = (range(1), 1),
) -> tf.data.Dataset:
    """Return batches of items, epoch after epoch, in one dataset of `len(epochs) * steps` batches.

    Turning comes first, then resizing, then augmentation.

    Order and augmentation of epoch e depend on (`seed`, e) and the item alone, so that a run that is resumed at
    epoch e sees what an uninterrupted one would have seen.

    Args:
        info: DatasetInfo.
        items: (n,) item numbers, see `pipelines.items`; one that comes twice is seen twice an epoch.
        batch_size: items a batch; the last batch of an epoch is smaller, unless `drop_remainder`.
        seed: of order and augmentation; None keeps the given order.
        epochs: range of epoch numbers.
        image_size: side or (height, width) in pixels to resize to (bilinear, antialiased), or one of these for each
            source as {source: size}; None keeps the stored size.
        turns: quarter turns that each stored item is seen in: 4, or 1 for none.
        augment: function `augment(images, seed)` of one item: `{source: (H, W, C) float32}` and a (2,) int32 seed that
            differs by (`seed`, epoch, item), to images of the same shapes. `augment.augmentation` makes one.
        drop_remainder: leave out the last batch of an epoch if it is not full.
        labels: (count,) class of each stored item instead of the data set's.
        records: where images come from; by default memory, shared by all calls for this data set, if they fit into
            `memory_budget` bytes, else the files.
        memory_budget: see `records`.
        replicas: see `item_batches`.

    Returns:
        A tf.data.Dataset of pairs: images by source, `(B, H, W, C)` float32 in the stored units (0 to 255 for uint8),
        and targets by name, `label` `(B,)` int32 and `index` `(B,)` int64, the item number.

    Raises:
        ValueError: for an argument outside of its range.
        DataError: if images are to be turned and are not square.
    """
    numbered = Items(turns)
    items = _checked_items(items, numbered, info.count)
    _check(batch_size, epochs, seed, augment)
    _check_square(info, turns)
    steps = steps_per_epoch(items, batch_size, drop_remainder)
    sizes = _sizes(info, image_size)
    labels = tf.constant(_checked_labels(labels, info), tf.int32)
    records = records or shared_records(info, memory_budget)

    def read(epoch: tf.Tensor, items: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        index = numbered.image(items)
        images = records.gather(index)
        if turns > 1:
            images = {source: _turn(image, tf.cast(numbered.turn(items), tf.int32)) for source, image in images.items()}
        images = {source: resize(image, sizes[source]) for source, image in images.items()}
        if augment:
            images = _augment(augment, images, items, tf.stack([tf.constant(seed, tf.int64), epoch]))
        return images, {"label": tf.gather(labels, index), "index": items}

    numbers = item_batches(
        items, batch_size=batch_size, seed=seed, epochs=epochs, drop_remainder=drop_remainder, replicas=replicas
    )
    if augment is None:
        read = _as_it_is(read)  # somebody's own augmentation may need to be converted
    dataset = numbers.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps * len(epochs) * len(replicas[0])))
    options = tf.data.Options()
    # The rewriting that these ask for copies everything that the graph holds, also the images in memory.
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def steps_per_epoch(items: Sized, batch_size: int, drop_remainder: bool = False) -> int:
    """Return the number of batches that the items make."""
    return len(items) // batch_size if drop_remainder else math.ceil(len(items) / batch_size)


def item_batches(
    items: Sequence[int] | np.ndarray,
    *,
    batch_size: int,
    seed: int | None = None,
    epochs: range = range(1),
    drop_remainder: bool = False,
    replicas: tuple[range, int] = (range(1), 1),
) -> tf.data.Dataset:
    """Return the order in which items are seen: a tf.data.Dataset of (epoch, (B,) int64); arguments as of `batches`.

    With `replicas`, a range of numbers and the number of all replicas, every batch is cut into as many equal parts as
    there are replicas, and those of the replicas in the range are given, one after the other.

    Raises:
        ValueError: if the batches cannot be cut into equal parts.
    """
    steps = steps_per_epoch(items, batch_size, drop_remainder)
    own, everyone = replicas
    if everyone > 1 and (batch_size % everyone or not drop_remainder):
        raise ValueError(
            invalid(
                "argument `batch_size`", f"full batches of a multiple of the number of replicas, {everyone}", batch_size
            )
        )
    part = batch_size // everyone
    items = tf.constant(items, tf.int64)

    @_as_it_is
    def epoch_of(epoch: tf.Tensor) -> tf.data.Dataset:
        order = items
        if seed is not None:
            order = tf.random.experimental.stateless_shuffle(items, tf.stack([tf.constant(seed, tf.int64), epoch]))

        @_as_it_is
        def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            first = number // len(own) * batch_size + (own.start + number % len(own)) * part
            return epoch, tf.ensure_shape(order[first : first + part], [part if drop_remainder else None])

        return tf.data.Dataset.range(steps * len(own)).map(batch)

    return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(epoch_of)


def _turn(images, quarters):
    """Turn (B, H, H, C) images, each by its number (B,) of quarters; all of one number at once."""
    groups = tf.dynamic_partition(tf.range(tf.size(quarters)), quarters, 4)
    turned = [tf.image.rot90(tf.gather(images, group), k) for k, group in enumerate(groups)]
    return tf.ensure_shape(tf.dynamic_stitch(groups, turned), images.shape)


def resize(images: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Bring stored images to the size that a network takes: bilinear, antialiased.

    Args:
        images: (B, H, W, C) of the stored type.
        size: (height, width).

    Returns:
        (B, height, width, C) float32, in the stored units.
    """
    if tuple(images.shape[1:3]) == size:
        return tf.cast(images, tf.float32)
    return tf.image.resize(images, size, antialias=True)


def _augment(augment, images, items, seed):
    """Run `augment` on each item, with a seed (2,) made from `seed` (2,) and the item's number."""
    epoch_seed = tf.random.stateless_uniform((), seed, minval=None, maxval=None, dtype=tf.int32)
    seeds = tf.stack([tf.fill(tf.shape(items), epoch_seed), tf.cast(items, tf.int32)], axis=1)
    signature = {source: tf.TensorSpec(image.shape[1:], tf.float32) for source, image in images.items()}
    return tf.map_fn(lambda one: augment(*one), (images, seeds), fn_output_signature=signature)


def _sizes(info, image_size):
    """Return {source: (height, width)} that the images get."""
    sizes = image_size if isinstance(image_size, Mapping) else dict.fromkeys(info.sources, image_size)
    if set(sizes) != set(info.sources):
        raise ValueError(invalid("argument `image_size`", f"a size for each of {', '.join(info.sources)}", image_size))
    return {source: _size(info.images[source], size) for source, size in sizes.items()}


def _size(spec, size):
    if size is None:
        return spec.height, spec.width
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        raise ValueError(invalid("argument `image_size`", "a side or (height, width) in pixels, from 1", size))
    return pair


def _checked_items(items, numbered, images):
    items, count = np.asarray(items), numbered.count(images)
    if items.ndim != 1 or not len(items) or items.dtype.kind not in "iu":
        raise ValueError(invalid("argument `items`", "a list of item numbers, not empty", items))
    if items.min() < 0 or items.max() >= count:
        found = int(items.min() if items.min() < 0 else items.max())
        expected = f"numbers from 0 to {count - 1} ({images} stored images, turns={numbered.turns})"
        raise ValueError(invalid("argument `items`", expected, found))
    return items


def _checked_labels(labels, info):
    if labels is not None and np.shape(labels) != (info.count,):
        raise ValueError(
            invalid("argument `labels`", f"a label for each of the {info.count} stored items", np.shape(labels))
        )
    return info.labels if labels is None else labels


def _check(batch_size, epochs, seed, augment):
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(invalid("argument `batch_size`", "a whole number from 1", batch_size))
    if not isinstance(epochs, range) or epochs.step != 1 or epochs.start < 0:
        raise ValueError(invalid("argument `epochs`", "a range of epoch numbers with step 1", epochs))
    if augment is not None and seed is None:
        raise ValueError(invalid("argument `seed`", "a number, since `augment` is random", seed))


def _check_square(info, turns):
    for source, spec in info.images.items():
        if turns > 1 and spec.height != spec.width:
            raise DataError(
                f"Quarter turns need square images. {source!r} of {info.name} is {spec.height} x {spec.width}. "
                "Use data.turns=1."
            )
