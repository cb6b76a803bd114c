"""The small network for 28x28 patches of four bands (Table V of DHNN)."""

import numpy as np
import tensorflow as tf

# Fewest pixels a side that leave one before the fully connected layers.
SMALLEST = {"same": 11, "valid": 27}


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class SAT4CNN(tf.keras.Model):
    """Images to the 128 activations of its last layer, trained from scratch on all bands.

    Takes `(B, H, W, C)` float32 in stored units (0..255 for SAT-4) and returns `(B, units[-1])` float32; the
    normalisation, `(x - mean) / sqrt(variance)`, is inside.

    The paper does not state its padding. Without any, 28x28 patches shrink to exactly one pixel before fc4, as do
    the images of the papers' two other networks before theirs, so this is likely what they did; it makes 0.06 M
    parameters. The default pads the convolutions: 0.25 M parameters, and fc4 sees where in the patch things are.
    The pools are never padded.

    Args:
        input_shape: height, width and bands of the images; see `SMALLEST`.
        filters: filters of the three convolutions.
        units: units of the fully connected layers.
        padding: of the convolutions, "same" or "valid".
        mean: one number, or one a band: the mean of the training images.
        variance: one number, or one a band.
        dropout: share of each fully connected layer dropped while training.
    """

    def __init__(
        self,
        input_shape=(28, 28, 4),
        filters=(32, 32, 64),
        units=(128, 128),
        padding="same",
        mean=127.5,
        variance=127.5**2,
        dropout=0.0,
        **kwargs,
    ):
        _check(input_shape, filters, padding, mean, variance)
        # === Functional Model ===
        images = tf.keras.Input(input_shape, name="images")
        # float32 whatever the compute policy: pixels may need more digits than bfloat16 has.
        normalize = tf.keras.layers.Normalization(mean=mean, variance=variance, name="normalization", dtype="float32")
        x = normalize(images)
        x = _convolution(x, filters[0], 5, padding, "conv1")
        x = tf.keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
        x = _convolution(x, filters[1], 3, padding, "conv2")
        x = tf.keras.layers.MaxPooling2D(3, 2, name="pool2")(x)
        x = _convolution(x, filters[2], 3, padding, "conv3")
        x = tf.keras.layers.MaxPooling2D(2, 1, name="pool3")(x)
        x = tf.keras.layers.Flatten(name="flatten")(x)
        for number, size in enumerate(units, 4):
            dense = tf.keras.layers.Dense(size, activation="relu", kernel_initializer="he_normal", name=f"fc{number}")
            x = tf.keras.layers.Dropout(dropout, name=f"dropout{number}")(dense(x))
        super().__init__(images, x, **kwargs)

        # === Config ===
        self.image_shape = tuple(input_shape)
        self.filters = tuple(filters)
        self.units = tuple(units)
        self.padding = padding
        self.mean = np.asarray(mean, "float64").tolist()
        self.variance = np.asarray(variance, "float64").tolist()
        self.dropout = dropout

    def get_config(self):
        return {
            "input_shape": self.image_shape,
            "filters": self.filters,
            "units": self.units,
            "padding": self.padding,
            "mean": self.mean,
            "variance": self.variance,
            "dropout": self.dropout,
            "name": self.name,
            "trainable": self.trainable,
        }


def _check(input_shape, filters, padding, mean, variance):
    if len(filters) != 3:
        raise ValueError(
            f"Invalid value received for argument `filters`. Expected 3 integers. Received: filters={filters}"
        )
    if padding not in SMALLEST:
        raise ValueError(
            f"Invalid value received for argument `padding`. Expected one of {', '.join(SMALLEST)}. "
            f"Received: padding={padding!r}"
        )
    if min(input_shape[:2]) < SMALLEST[padding]:
        raise ValueError(
            f"Invalid value received for argument `input_shape`. Expected at least {SMALLEST[padding]} pixels a side "
            f"with padding={padding!r}. Received: input_shape={input_shape}"
        )
    for name, value in (("mean", mean), ("variance", variance)):
        if np.size(value) not in (1, input_shape[-1]):
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected one number, or one for each of the "
                f"{input_shape[-1]} bands. Received: {name}={value}"
            )


def _convolution(x, filters, kernel, padding, name):
    return tf.keras.layers.Conv2D(
        filters, kernel, padding=padding, activation="relu", kernel_initializer="he_normal", name=name
    )(x)
