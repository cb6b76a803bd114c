"""Trained models from their files."""

import tensorflow as tf

# Imported for their registration, by which Keras finds the classes that a file names.
from keras_dhnn.models import backbones, dhnn, sidhcnn  # noqa: F401


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
