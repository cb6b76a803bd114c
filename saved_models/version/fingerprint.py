"""Name a trained model, so that codes of another one are refused."""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def model_fingerprint(variables: "Iterable[tf.Variable]", preprocessing: str) -> str:
    """Return the same for the same weights and preprocessing, whatever file they are in.

    Args:
        variables: list of the model's variables, in its order.
        preprocessing: text that says what happens to images before the network.

    Returns:
        Hexadecimal sha256.
    """
    digest = hashlib.sha256(preprocessing.encode())
    for variable in variables:
        value = np.ascontiguousarray(variable.numpy())
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
