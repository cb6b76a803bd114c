"""Measure how bright each band is and how it varies: what ImageNet's network does not see of bands beyond its three."""

import tensorflow as tf

# Where any backbone can be cut, those too through which more paths than one lead.
CUTS = ("images", "features")


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class BandStatistics(tf.keras.layers.Layer):
    """Compute mean and standard deviation of each band over the image, of `(x - 127) / 128`.

    Takes `(B, H, W, C)` pixels in 0..255 and returns `(B, 2 C)` float32, the means first. In these units they weigh
    less than a network's pooled features where those are compared as they are, by cosine.
    """

    def call(self, images: tf.Tensor) -> tf.Tensor:
        values = (tf.cast(images, tf.float32) - 127) / 128
        mean, variance = tf.nn.moments(values, axes=(1, 2))
        # The root of 0 has no slope.
        return tf.concat([mean, tf.sqrt(variance + 1e-12)], axis=1)


def with_band_statistics(backbone: tf.keras.Model) -> tf.keras.Model:
    """Return a backbone whose features are followed by its images' `BandStatistics`.

    Args:
        backbone: functional model from `(B, H, W, C)` pixels in 0..255 to `(B, d)`.

    Returns:
        A functional model to `(B, d + 2 C)`. It can be cut at its images and at its features, not between.
    """
    images = tf.keras.Input(backbone.input_shape[1:], name="images")
    parts = [backbone(images), BandStatistics(name="band_statistics")(images)]
    return tf.keras.Model(
        images, tf.keras.layers.Concatenate(name="all_features")(parts), name=f"{backbone.name}_bands"
    )


def why_whole(backbone: tf.keras.Model) -> str | None:
    """Return why a backbone with `BandStatistics` cannot be cut but at `CUTS`; None of any other."""
    if not any(isinstance(layer, BandStatistics) for layer in backbone.layers):
        return None
    return (
        "model.band_statistics leads from the images past the backbone's stages; any stage may be cut with --set "
        "model.band_statistics=false"
    )
