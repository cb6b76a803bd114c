"""Trained models from their files."""

import tensorflow as tf

from keras_dhnn.models import dhnn, sidhcnn  # noqa: F401

# Imported for their registration, by which Keras finds the classes that a file names.


def load_model(path):
    """A model that a run wrote, for inference.

    A file that holds Python code (Lambda layers) is refused by Keras.

    Args:
        path: the `.keras` file.

    Returns:
        The model, a `DHNN` or a `SIDHCNN`.

    Raises:
        ValueError: if it is not a model's file.
    """
    return tf.keras.models.load_model(path, compile=False)
