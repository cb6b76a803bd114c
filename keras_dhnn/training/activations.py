"""What the frozen part of a network makes of every image: computed once, kept on disk, trained on from memory."""

import hashlib

import numpy as np
import tensorflow as tf

from keras_dhnn.files import whole_file
from keras_dhnn.pipelines.batches import batches, item_batches
from keras_dhnn.pipelines.items import Items
from keras_dhnn.training.encode import make_encoder

# More than this is not kept; the frozen part then runs again for every batch.
BUDGET = 2 * 2**30


class Activations:
    """Outputs of frozen models for all items of a data set.

    Args:
        arrays: `{source: (n, ...)}` float16 or float32, the outputs of items 0 to n - 1.
        labels: `(n,)` labels of the items.
    """

    def __init__(self, arrays, labels):
        self._tensors = {source: tf.convert_to_tensor(array) for source, array in arrays.items()}
        self._labels = tf.convert_to_tensor(labels, tf.int32)

    def gather(self, items):
        """`{source: (k, ...) float32}` of items `(k,)`."""
        return {source: tf.cast(tf.gather(tensor, items), tf.float32) for source, tensor in self._tensors.items()}

    def batches(self, items, *, batch_size, **how):
        """Batches as `pipelines.batches.batches` makes them, in the same order, of activations instead of images.

        Args:
            items: `(k,)` item numbers.
            batch_size: items a batch.
            **how: `seed`, `epochs`, `drop_remainder` and `replicas`, as there.

        Returns:
            `tf.data.Dataset` of `({source: (B, ...) float32}, {"label": (B,), "index": (B,)})`.
        """

        def gather(_, index):
            return self.gather(index), {"label": tf.gather(self._labels, index), "index": index}

        numbers = item_batches(items, batch_size=batch_size, **how)
        return numbers.map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def compute_activations(model, info, turns, source, size, *, batch_size=64, progress=None):
    """Outputs of a frozen model for every item, from the data set's cache if they are there.

    The cache, `.<name>.activations/<key>.npy` beside the data set, is keyed by images, items and the model's weights.

    Args:
        model: from `(B, H, W, C)` images to outputs.
        info: `DatasetInfo` of the data set.
        turns: quarter turns that each image is seen in.
        source: name of the image source.
        size: (height, width) in pixels that the model takes.
        batch_size: images a step.
        progress: called with the number of items done.

    Returns:
        `(n, ...)` array, or None if it would take more than `BUDGET` bytes.
    """
    count = Items(turns).count(info.count)
    shape = tuple(model.output.shape)
    dtype = np.float32 if len(shape) == 2 else np.float16
    if count * int(np.prod(shape[1:])) * np.dtype(dtype).itemsize > BUDGET:
        return None
    path = info.directory.with_name(f".{info.name}.activations") / f"{_key(model, info, turns, source, size)}.npy"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        items = np.arange(count)
        # Of other sources no more than a pixel is made.
        sizes = {name: size if name == source else (1, 1) for name in info.sources}
        images = batches(info, items, batch_size=batch_size, turns=turns, image_size=sizes)
        array = make_encoder(model)(((inputs[source], targets) for inputs, targets in images), progress)
        with whole_file(path, shared=True) as file:
            np.save(file, array.astype(dtype))
    elif progress is not None:
        progress(count)
    return np.load(path, allow_pickle=False)


def _key(model, info, turns, source, size):
    which = f" {source}" if len(info.sources) > 1 else ""
    digest = hashlib.sha256(f"{info.checksum} {turns} {size[0]} {model.name}{which}".encode())
    for layer in model.layers:
        shape = tuple(layer.output.shape)
        # An input's as Keras 2 writes it, whose caches are still good.
        shown = [shape] if isinstance(layer, tf.keras.layers.InputLayer) else shape
        digest.update(f"{type(layer).__name__} {shown}".encode())
        if layer.compute_dtype != "float32":
            digest.update(layer.compute_dtype.encode())
    for weights in model.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()[:16]
