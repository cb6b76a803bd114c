"""Build the small network for 28x28 patches of four bands (Table V of DHNN)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.models.backbones.scratch_cnn import ScratchCNN


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class SAT4CNN(ScratchCNN):
    """Turn images into the 128 activations of its last layer, trained from scratch on all bands; arguments as of
    `ScratchCNN`.

    The paper does not state its padding. Without any, 28x28 patches shrink to exactly one pixel before fc4, as do
    the images of the papers' two other networks before theirs, so this is likely what they did; it makes 0.06 M
    parameters. The default pads the convolutions: 0.25 M parameters, and fc4 sees where in the patch things are.
    """

    TABLE = ((5, 1, (3, 2)), (3, 1, (3, 2)), (3, 1, (2, 1)))
    SMALLEST = {"same": 11, "valid": 27}  # noqa: RUF012

    def __init__(
        self,
        input_shape: Sequence[int] = (28, 28, 4),
        filters: Sequence[int] = (32, 32, 64),
        units: Sequence[int] = (128, 128),
        padding: str = "same",
        mean: ArrayLike = 127.5,
        variance: ArrayLike = 127.5**2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(input_shape, filters, units, padding, mean, variance, dropout, **kwargs)
