"""Hash outputs of many images."""

import numpy as np
import tensorflow as tf


def make_encoder(model):
    """A function that runs a model over batches.

    Args:
        model: from `{source: (B, ...)}` to `{source: (B, l)}`, or from a tensor to a tensor.

    Returns:
        Function of an iterable of batches `(inputs, targets)` and an optional `progress(done)`, called after each
        batch with the number of items so far; it returns the outputs of all items in order, a NumPy array or
        `{source: array}`.
    """

    @tf.function(reduce_retracing=True)
    def step(inputs):
        return model(inputs, training=False)

    def encode(batches, progress=None):
        parts, done = [], 0
        for inputs, _ in batches:
            parts.append(tf.nest.map_structure(lambda outputs: outputs.numpy(), step(inputs)))
            done += len(tf.nest.flatten(parts[-1])[0])
            if progress is not None:
                progress(done)
        return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    return encode
