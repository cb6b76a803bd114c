"""Train the hash head alone on vectors that somebody else's network made."""

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Phase
from keras_dhnn.losses.similarity import label_set_similarity
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.training.optimizers import make_optimizer

# As of the head of the base preset; of very many vectors fewer epochs.
_EPOCHS, _BATCH, _HIDDEN, _DECAY = 40, 128, 512, 1e-4
_MOST_STEPS = 8000
_SEED = 0


def train_vector_head(vectors: np.ndarray, members: np.ndarray, bits: int, seed: int = _SEED) -> dict[str, np.ndarray]:
    """Train a head on vectors with labels, by the pairwise likelihood of which share any.

    Args:
        vectors: `(n, d)` float32.
        members: `(n, c)` bool, the labels of each.
        bits: l, a multiple of 8.
        seed: of weights and order.

    Returns:
        The arrays that `archive.learned.outputs_of` takes.
    """
    tf.keras.utils.set_random_seed(seed)
    vectors = np.asarray(vectors, np.float32)
    mean, variance = vectors.mean(axis=0), vectors.var(axis=0)
    # What hardly varies is not blown up.
    variance = np.maximum(variance, max(1e-4 * float(variance.mean()), 1e-12))
    inputs = tf.keras.Input((vectors.shape[1],))
    nothing = tf.keras.Model(inputs, tf.keras.layers.Activation("linear")(inputs))
    head = hash_head(vectors.shape[1], bits, _HIDDEN, weight_decay=_DECAY, mean=mean, variance=variance)
    model, epochs = DHNN(nothing, head, "vector"), _epochs(len(vectors))
    steps = epochs * max(len(vectors) // _BATCH, 1)
    of_items = tf.constant(members, tf.float32)

    def pairs(rows, columns):
        return label_set_similarity(tf.gather(of_items, rows), tf.gather(of_items, columns)), None

    model.compile(make_optimizer("adam", Phase(), model, steps), pair_weighting="balanced", pairs=pairs)
    model.fit(_batches(vectors, seed), epochs=epochs, verbose=0)
    (hidden, hidden_bias), (projection, bias) = (head.get_layer(name).get_weights() for name in ("hidden", "hash"))
    arrays = {"mean": mean, "scale": 1 / np.sqrt(variance), "hidden": hidden, "hidden_bias": hidden_bias}
    return arrays | {"projection": projection, "bias": bias}


def _epochs(count):
    return int(np.clip(_MOST_STEPS * _BATCH // count, 1, _EPOCHS))


def _batches(vectors, seed):
    """Return batches of `({"vector": (B, d)}, {"label": (B,), "index": (B,)})`, in another order each epoch."""
    numbers = tf.data.Dataset.range(len(vectors)).shuffle(len(vectors), seed)
    numbers = numbers.batch(min(_BATCH, len(vectors)), drop_remainder=True)
    whole = tf.constant(vectors)
    return numbers.map(lambda index: ({"vector": tf.gather(whole, index)}, {"label": index, "index": index}))
