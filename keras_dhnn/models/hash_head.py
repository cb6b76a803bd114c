"""Build the hash layer and what stands between it and the features."""

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError, invalid


def hash_head(
    features: int,
    bits: int,
    hidden: int = 0,
    dropout: float = 0.0,
    weight_decay: float = 0.0,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> tf.keras.Model:
    """Build what turns features into real hash outputs: standardisation, a ReLU layer, dropout, and a linear layer of
    one unit a bit.

    Args:
        features: length d of the feature vectors.
        bits: l, a positive multiple of 8.
        hidden: units of the ReLU layer; 0 leaves it out, as in the papers.
        dropout: share of what enters the hash layer that is dropped while training.
        weight_decay: weight of half the sum of squared kernels in the loss.
        mean: `(d,)` mean of the features over the training set; with `variance`, they are standardised.
        variance: `(d,)`.

    Returns:
        A functional model, `(B, d)` to `(B, l)` float32, without activation.

    Raises:
        SettingError: if `bits` is not a positive multiple of 8, or one of `mean` and `variance` is given alone.
    """
    check_bits(bits)
    if (mean is None) != (variance is None):
        given = "mean" if variance is None else "variance"
        raise SettingError(invalid("arguments `mean` and `variance`", "both or neither", given))
    decay = tf.keras.regularizers.L2(weight_decay / 2) if weight_decay else None
    inputs = x = tf.keras.Input((features,), name="features")
    if mean is not None:
        x = tf.keras.layers.Normalization(mean=mean, variance=variance, name="standardize")(x)
    if hidden:
        x = tf.keras.layers.Dense(int(hidden), activation="relu", kernel_regularizer=decay, name="hidden")(x)
    if dropout:
        x = tf.keras.layers.Dropout(dropout, name="dropout")(x)
    # float32 whatever the compute policy: sign and likelihood want the precision.
    outputs = tf.keras.layers.Dense(int(bits), kernel_regularizer=decay, name="hash", dtype="float32")(x)
    return tf.keras.Model(inputs, outputs, name="hash_head")


def check_bits(bits: int) -> None:
    """Check that codes may be so long.

    Raises:
        SettingError: if `bits` is not a positive multiple of 8.
    """
    if bits <= 0 or bits % 8:
        raise SettingError(
            invalid("argument `bits`", "a positive multiple of 8, since codes are stored in bytes", bits)
        )
