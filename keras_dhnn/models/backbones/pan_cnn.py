"""Build PAN-DHCNN without its hash layer: the network for panchromatic images (Table II of SIDHCNN)."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from numpy.typing import ArrayLike

from keras_dhnn.models.backbones.scratch_cnn import ScratchCNN


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class PANCNN(ScratchCNN):
    """Turn images into the 1024 activations of its last layer, trained from scratch; arguments as of `ScratchCNN`.

    The paper does not state its padding. Without any, 256x256 images shrink to 84, 41, 19, 18, 7, 3 and 1 pixels, so
    that the last 3x3 pool ends on exactly one (as do the papers' two other networks); that is the default.
    """

    TABLE = ((7, 3, (3, 2)), (5, 2, (2, 1)), (5, 2, None), (5, 1, (3, 1)))
    SMALLEST = {"same": 67, "valid": 241}  # noqa: RUF012

    def __init__(
        self,
        input_shape: Sequence[int] = (256, 256, 1),
        filters: Sequence[int] = (32, 64, 128, 256),
        units: Sequence[int] = (1024, 1024),
        padding: str = "valid",
        mean: ArrayLike = 127.5,
        variance: ArrayLike = 127.5**2,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(input_shape, filters, units, padding, mean, variance, dropout, **kwargs)
