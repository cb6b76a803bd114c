"""Name a trained model, so that codes of another one are refused."""

import hashlib

import numpy as np


def model_fingerprint(variables, preprocessing):
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
