"""MUL-DHCNN without its hash layer: the network for multispectral images (Table III of SIDHCNN)."""

import numpy as np
import tensorflow as tf

# Fewest pixels a side that leave one before the fully connected layers.
SMALLEST = {"same": 29, "valid": 57}


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class MULCNN(tf.keras.Model):
    """Images to the 1024 activations of its last layer, trained from scratch.

    Takes `(B, H, W, C)` float32 in stored units and returns `(B, units[-1])` float32; the normalisation,
    `(x - mean) / sqrt(variance)`, is inside.

    The paper does not state its padding. Without any, 64x64 images shrink to 30, 14, 6, 4, 2 and 1 pixels, so that
    the last 2x2 pool ends on exactly one (as do the papers' two other networks); that is the default. The pools are
    never padded.

    Args:
        input_shape: height, width and bands of the images; see `SMALLEST`.
        filters: filters of the three convolutions.
        units: units of the fully connected layers.
        padding: of the convolutions, "valid" or "same".
        mean: one number, or one a band: the mean of the training images.
        variance: one number, or one a band.
        dropout: share of each fully connected layer dropped while training.
    """

    def __init__(
        self,
        input_shape=(64, 64, 4),
        filters=(64, 128, 256),
        units=(1024, 1024),
        padding="valid",
        mean=127.5,
        variance=127.5**2,
        dropout=0.0,
        **kwargs,
    ):
        _check(input_shape, filters, padding, mean, variance)
        # === Functional Model ===
        images = tf.keras.Input(input_shape, name="images")
        x = tf.keras.layers.Normalization(mean=mean, variance=variance, name="normalization")(images)
        x = _convolution(x, filters[0], 5, 2, padding, "conv1")
        x = tf.keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
        x = _convolution(x, filters[1], 3, 2, padding, "conv2")
        x = tf.keras.layers.MaxPooling2D(3, 1, name="pool2")(x)
        x = _convolution(x, filters[2], 3, 1, padding, "conv3")
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


def _convolution(x, filters, kernel, stride, padding, name):
    return tf.keras.layers.Conv2D(
        filters, kernel, stride, padding, activation="relu", kernel_initializer="he_normal", name=name
    )(x)
