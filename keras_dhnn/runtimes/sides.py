"""Take apart networks that are several side by side, so that each is converted and run by itself."""

from typing import Any


def sides_of(network: Any) -> list[Any]:
    """Return networks whose outputs, one after the other along the last axis, are a network's.

    They are several where a functional network gives its images, as they are or after one layer, to networks inside it
    and joins what comes out; else the network itself is the only one.

    Args:
        network: functional Keras model with one input.
    """
    import tensorflow as tf

    *before, last = (layer for layer in network.layers if not isinstance(layer, tf.keras.layers.InputLayer))
    networks = [layer for layer in before if hasattr(layer, "layers")]
    if isinstance(last, tf.keras.layers.Concatenate) and len(network.outputs) == 1 and 1 < len(networks) == len(before):
        return [tf.keras.Model(network.input, side) for side in last.input]
    if hasattr(last, "layers") and len(before) <= 1 and not networks:
        sides, given = sides_of(last), before[0].output if before else network.input
        return [tf.keras.Model(network.input, side(given)) for side in sides] if len(sides) > 1 else [network]
    return [network]
