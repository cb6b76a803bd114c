"""Build CNN-F, also known as VGG-F (Table I of DHNN), and the two small layers that only it needs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.errors import SettingError, invalid

# Mean red, green and blue of the ImageNet training images, in 0..255.
IMAGENET_MEAN = (123.68, 116.779, 103.939)


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class MeanSubtraction(tf.keras.layers.Layer):
    """Compute `(x - mean) * scale`, the mean per band held as a weight that is not trained, so that a checkpoint
    carries it.

    Args:
        mean: one number, or one a band; the weight's initial value, in the units of the images.
        scale: factor applied afterwards.
    """

    def __init__(self, mean: ArrayLike = 0.0, scale: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial_mean = np.asarray(mean, "float64").tolist()
        self.scale = float(scale)

    def build(self, input_shape: Sequence[int]) -> None:
        bands = input_shape[-1]
        if np.size(self.initial_mean) not in (1, bands):
            raise SettingError(
                invalid("argument `mean`", f"one number, or one for each of the {bands} bands", self.initial_mean)
            )
        initializer = tf.keras.initializers.Constant(self.initial_mean)
        self.mean = self.add_weight(name="mean", shape=(bands,), trainable=False, initializer=initializer)
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return (inputs - tf.cast(self.mean, inputs.dtype)) * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.initial_mean, "scale": self.scale}


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class LocalResponseNormalization(tf.keras.layers.Layer):
    """Divide each channel by the energy of its neighbours: `x / (bias + alpha * sum x^2)^beta`.

    The sum runs over the `size` channels around each one, at the same pixel. `alpha` multiplies that *sum*, as in
    TensorFlow and MatConvNet; Caffe's alpha is `size` times as large. `imagenet-vgg-f.mat` holds `[5 2 0.0001 0.75]`
    in MatConvNet's convention, and these are the defaults.

    Args:
        size: number of channels in the window, odd.
        bias: k, a positive constant.
        alpha: weight of the sum of squares.
        beta: exponent.
    """

    def __init__(self, size: int = 5, bias: float = 2.0, alpha: float = 1e-4, beta: float = 0.75, **kwargs: Any):
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise SettingError(invalid("argument `size`", "an odd positive integer", size))
        self.size = size
        self.bias = float(bias)
        self.alpha = float(alpha)
        self.beta = float(beta)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # The CPU has no bfloat16 kernel for it.
        x = tf.cast(inputs, tf.float32)
        x = tf.nn.local_response_normalization(x, self.size // 2, self.bias, self.alpha, self.beta)
        return tf.cast(x, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        parameters = {"size": self.size, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
        return {**super().get_config(), **parameters}


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class CNNF(tf.keras.Model):
    """Turn images into the 4096 activations of fc7: the network of Chatfield et al. (2014), as in Table I of DHNN.

    Takes `(B, H, W, C)` float32 pixels in 0..255 (RGB order for the ImageNet weights, see `load_vgg_f`) and returns
    `(B, units[-1])` float32. `(x - mean) * scale` is inside. 224x224 images give 54, 27, 27, 13 and 6 pixels a side
    after conv1, pool1, conv2, pool2 and pool5, so that fc6 sees the 6x6x256 that the ImageNet weights were made for.

    conv1 is not padded, conv2 to conv5 keep their size (2 and 1 pixels of padding); the pools are padded by one
    pixel at the bottom and on the right, which is how MatConvNet writes Caffe's rounding up.

    Args:
        input_shape: height, width and bands of the images; at least 39 pixels a side.
        filters: filters of the five convolutions.
        units: units of fc6 and fc7.
        mean: one number, or one a band, subtracted from the pixels; the default is ImageNet's.
        scale: factor applied afterwards. 1 is what the ImageNet weights take; training from random weights starts
            better at 1/64, which brings pixels, and through the ReLUs the features, near unit variance.
        dropout: share of fc6 and of fc7 dropped while training; 0.5 in CNN-F.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (224, 224, 3),
        filters: Sequence[int] = (64, 256, 256, 256, 256),
        units: Sequence[int] = (4096, 4096),
        mean: ArrayLike = IMAGENET_MEAN,
        scale: float = 1.0,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        _check(input_shape, filters, units)
        # === Functional Model ===
        images = tf.keras.Input(input_shape, name="images")
        x = MeanSubtraction(mean, scale, name="normalization")(images)
        x = _convolution(x, filters[0], 11, "conv1", strides=4, padding="valid")
        x = LocalResponseNormalization(name="norm1")(x)
        x = _pool(x, "pool1")
        x = _convolution(x, filters[1], 5, "conv2")
        x = LocalResponseNormalization(name="norm2")(x)
        x = _pool(x, "pool2")
        for number in (3, 4, 5):
            x = _convolution(x, filters[number - 1], 3, f"conv{number}")
        x = _pool(x, "pool5")
        x = tf.keras.layers.Flatten(name="flatten")(x)
        for number in (6, 7):
            dense = tf.keras.layers.Dense(
                units[number - 6], activation="relu", kernel_initializer="he_normal", name=f"fc{number}"
            )
            x = tf.keras.layers.Dropout(dropout, name=f"dropout{number}")(dense(x))
        super().__init__(images, x, **kwargs)

        # === Config ===
        self.image_shape = tuple(input_shape)
        self.filters = tuple(filters)
        self.units = tuple(units)
        self.mean = np.asarray(mean, "float64").tolist()
        self.scale = float(scale)
        self.dropout = dropout

    def get_config(self) -> dict[str, Any]:
        return {
            "input_shape": self.image_shape,
            "filters": self.filters,
            "units": self.units,
            "mean": self.mean,
            "scale": self.scale,
            "dropout": self.dropout,
            "name": self.name,
            "trainable": self.trainable,
        }


def _check(input_shape, filters, units):
    if min(input_shape[:2]) < 39:
        raise SettingError(
            invalid(
                "argument `input_shape`",
                "images of at least 39x39 pixels, which leave one pixel after the last pool",
                input_shape,
            )
        )
    for name, value, length in (("filters", filters, 5), ("units", units, 2)):
        if len(value) != length:
            raise SettingError(invalid(f"argument `{name}`", f"{length} integers", value))


def _convolution(x, filters, kernel, name, strides=1, padding="same"):
    return tf.keras.layers.Conv2D(
        filters, kernel, strides, padding, activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def _pool(x, name):
    # Zeros never win the maximum over what a ReLU gives, so padding by zeros is padding by nothing.
    x = tf.keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_padding")(x)
    return tf.keras.layers.MaxPooling2D(3, 2, name=name)(x)
