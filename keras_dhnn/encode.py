"""Hash outputs of many images."""

import numpy as np
import tensorflow as tf


def make_encoder(model):
    """A function that runs a one-source model over batches.

    Args:
        model: from `{source: (B, ...)}` to `{source: (B, l)}`, or from a tensor to a tensor.

    Returns:
        Function of an iterable of batches `(inputs, targets)` and an optional `progress(done)`, called after each
        batch with the number of items so far; it returns the outputs of all items in order, a NumPy array.
    """

    @tf.function(reduce_retracing=True)
    def step(inputs):
        return model(inputs, training=False)

    def encode(batches, progress=None):
        parts, done = [], 0
        for inputs, _ in batches:
            outputs = step(inputs)
            parts.append((next(iter(outputs.values())) if isinstance(outputs, dict) else outputs).numpy())
            done += len(parts[-1])
            if progress is not None:
                progress(done)
        return np.concatenate(parts)

    return encode
