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

    images, *inner, last = network.layers
    if len(network.outputs) > 1:
        return [network]
    if isinstance(last, tf.keras.layers.Concatenate):
        beside = len(inner) > 1 and all(isinstance(layer, tf.keras.Model) for layer in inner)
        return [tf.keras.Model(network.input, side) for side in last.input] if beside else [network]
    if isinstance(last, tf.keras.Model) and len(inner) <= 1 and not any(hasattr(layer, "layers") for layer in inner):
        sides, given = sides_of(last), (inner or [images])[-1].output
        return [tf.keras.Model(network.input, side(given)) for side in sides] if len(sides) > 1 else [network]
    return [network]
