"""Share what the papers' three networks that train from scratch have: convolutions, pools, fully connected layers."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.errors import SettingError, invalid


class ScratchCNN(tf.keras.Model):
    """Chain normalisation, convolutions with ReLU and pools, fully connected layers with ReLU; the hash layer is not in
    it.

    Takes `(B, H, W, C)` float32 in stored units and returns `(B, units[-1])` float32; the normalisation,
    `(x - mean) / sqrt(variance)`, is inside. Layers are numbered as in the papers: conv1, pool1, ..., then fc after the
    last convolution's number. The pools are never padded.

    A network is a subclass with its table.

    Args:
        input_shape: height, width and bands of the images; see `SMALLEST`.
        filters: filters of each convolution.
        units: units of the fully connected layers.
        padding: of the convolutions, "valid" or "same".
        mean: one number, or one a band: the mean of the training images.
        variance: one number, or one a band.
        dropout: share of each fully connected layer dropped while training.

    Raises:
        SettingError: naming the argument, if there is not a number of filters for each convolution, the padding is
            neither, images are too small, or there are more or fewer statistics than bands.
    """

    # Of each convolution: side of the kernel, stride, and (side, stride) of the pool behind it or None.
    TABLE: tuple[tuple[int, int, tuple[int, int] | None], ...] = ()
    # Fewest pixels a side that leave one before the fully connected layers.
    SMALLEST: ClassVar[dict[str, int]] = {}

    def __init__(
        self,
        input_shape: Sequence[int],
        filters: Sequence[int],
        units: Sequence[int],
        padding: str,
        mean: ArrayLike,
        variance: ArrayLike,
        dropout: float,
        **kwargs: Any,
    ):
        self._check(input_shape, filters, padding, mean, variance)
        # === Functional Model ===
        images = tf.keras.Input(input_shape, name="images")
        # float32 whatever the compute policy: pixels may need more digits than bfloat16 has.
        normalize = tf.keras.layers.Normalization(mean=mean, variance=variance, name="normalization", dtype="float32")
        x = normalize(images)
        for number, (count, (side, stride, pool)) in enumerate(zip(filters, self.TABLE, strict=True), 1):
            x = tf.keras.layers.Conv2D(
                *(count, side, stride, padding),
                activation="relu",
                kernel_initializer="he_normal",
                name=f"conv{number}",
            )(x)
            if pool:
                x = tf.keras.layers.MaxPooling2D(*pool, name=f"pool{number}")(x)
        x = tf.keras.layers.Flatten(name="flatten")(x)
        for number, size in enumerate(units, len(self.TABLE) + 1):
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

    def get_config(self) -> dict[str, Any]:
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

    @classmethod
    def _check(cls, input_shape, filters, padding, mean, variance):
        if len(filters) != len(cls.TABLE):
            raise SettingError(invalid("argument `filters`", f"{len(cls.TABLE)} integers", filters))
        if padding not in cls.SMALLEST:
            raise SettingError(invalid("argument `padding`", f"one of {', '.join(cls.SMALLEST)}", padding))
        if min(input_shape[:2]) < cls.SMALLEST[padding]:
            raise SettingError(
                invalid(
                    "argument `input_shape`",
                    f"at least {cls.SMALLEST[padding]} pixels a side with padding={padding!r}",
                    input_shape,
                )
            )
        for name, value in (("mean", mean), ("variance", variance)):
            if np.size(value) not in (1, input_shape[-1]):
                expected = f"one number, or one for each of the {input_shape[-1]} bands"
                raise SettingError(invalid(f"argument `{name}`", expected, value))
