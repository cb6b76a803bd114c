"""Scale pixels in the units of their sensor to 0..255, the range that backbones take."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError, invalid


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class BandScaling(tf.keras.layers.Layer):
    """Compute `255 * (x - low) / (high - low)` of each band, cut off at 0 and 255; what is not a number becomes 0.

    Takes `(..., C)` of any type and returns `(..., C)` float32. It is part of the network, so that a served model takes
    images as the sensor gave them.

    Args:
        low: C numbers, what becomes 0 in each band.
        high: C numbers, what becomes 255; each above its low.

    Raises:
        SettingError: if they are not.
    """

    def __init__(self, low: Sequence[float], high: Sequence[float], **kwargs: Any):
        super().__init__(**kwargs)
        self.low, self.high = [float(value) for value in low], [float(value) for value in high]
        if len(self.low) != len(self.high) or not np.all(np.less(self.low, self.high)):
            raise SettingError(
                invalid(
                    "arguments `low` and `high`",
                    "as many numbers each, every high above its low",
                    low=self.low,
                    high=self.high,
                )
            )

    def build(self, input_shape: Sequence[int | None]) -> None:
        # Weights, so that whatever depends on a network's weights depends on these.
        for name, values in (("low", self.low), ("high", self.high)):
            initializer = tf.keras.initializers.Constant(values)
            made = self.add_weight(name=name, shape=(len(values),), initializer=initializer, trainable=False)
            setattr(self, f"_{name}", made)
        super().build(input_shape)

    def call(self, pixels: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(pixels, tf.float32)
        shares = (pixels - self._low) / (self._high - self._low)
        return 255 * tf.clip_by_value(tf.where(tf.math.is_nan(shares), 0.0, shares), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


def scale_bands(backbone: tf.keras.Model, low: Sequence[float], high: Sequence[float]) -> tf.keras.Model:
    """Return a backbone with a `BandScaling` before its first layer.

    Args:
        backbone: functional model from `(B, H, W, C)` pixels in 0..255.
        low: see `BandScaling`.
        high: see `BandScaling`.

    Returns:
        A functional model from pixels in the sensor's units, of the scaling and the backbone itself; `cut_backbone`
        cuts through it as through the backbone.
    """
    images = tf.keras.Input(backbone.input_shape[1:], name="images")
    # float32 whatever the compute policy: 16 bits of a sensor need more digits than bfloat16 has.
    scaling = BandScaling(low, high, name="band_scaling", dtype="float32")
    return tf.keras.Model(images, backbone(scaling(images)), name=f"scaled_{backbone.name}")
