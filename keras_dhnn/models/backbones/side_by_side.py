"""See an image by several backbones at once: what one takes for another class, the next may not."""

from collections.abc import Sequence

import tensorflow as tf


def side_by_side(backbones: Sequence[tf.keras.Model]) -> tf.keras.Model:
    """Return one backbone whose features are those of several, one after the other.

    Args:
        backbones: functional models from the same `(B, H, W, C)` pixels to `(B, d_i)` features, of different names.

    Returns:
        A functional model to `(B, d_1 + d_2 + ...)`. It can be cut at its images and at its features, not between.
    """
    images = tf.keras.Input(backbones[0].input_shape[1:], name="images")
    features = tf.keras.layers.Concatenate(name="all_features")([backbone(images) for backbone in backbones])
    return tf.keras.Model(images, features, name="_and_".join(backbone.name for backbone in backbones))


def why_whole(backbone: tf.keras.Model) -> str | None:
    """Return why a backbone made by `side_by_side` cannot be cut but at its images and features; None of any other."""
    if sum(isinstance(layer, tf.keras.Model) for layer in backbone.layers) < 2:
        return None
    return (
        "the backbone is several side by side; one alone, as by --backbone efficientnet_lite0, may be cut at any of "
        "its stages"
    )
