"""Learn what an archive's encoder needs on the first vectors, without labels: bits, and the features kept beside
codes.
"""

from collections.abc import Mapping

import numpy as np

from keras_dhnn.baselines.itq import ITQ, principal_directions
from keras_dhnn.errors import DataError

MEAN, PROJECTION = "mean", "projection"
SCALE, HIDDEN, HIDDEN_BIAS, BIAS = "scale", "hidden", "hidden_bias", "bias"
FEATURES_MEAN, FEATURES_DIRECTIONS = "features_mean", "features_directions"
_SEED = 0


def learn_bits(vectors: np.ndarray, bits: int, iterations: int = 50) -> dict[str, np.ndarray]:
    """Learn bits by iterative quantisation (see `baselines.itq`).

    Args:
        vectors: `(n, d)` real.
        bits: l, at most n and d.
        iterations: turns of the rotation; 0: a random one.

    Returns:
        `{"mean": (d,), "projection": (d, l)}`, what `outputs_of` takes.

    Raises:
        DataError: if there are fewer vectors than bits, or they are shorter.
    """
    if min(vectors.shape) < bits:
        fewer = most_bits(vectors, bits)
        raise DataError(
            f"Expected at least {bits} images, and vectors of at least {bits} values, to learn {bits} bits from. "
            f"Received {len(vectors)} of {vectors.shape[1]}. Give more images{f', or --bits {fewer}' if fewer else ''}."
        )
    itq = ITQ(bits, iterations, seed=_SEED).fit(np.asarray(vectors, np.float32))
    return {MEAN: itq.mean_, PROJECTION: itq.projection_}


def most_bits(vectors: np.ndarray, wanted: int) -> int:
    """Return how many bits can be learned of vectors `(n, d)`, at most those wanted: a multiple of 8, 0 if none can."""
    return min(wanted, *vectors.shape) // 8 * 8


def outputs_of(vectors: np.ndarray, learned: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the real outputs `(n, l)` whose signs are the codes of vectors `(n, d)`.

    Args:
        vectors: `(n, d)` real.
        learned: `mean` and `projection`; of a head that was learned by labels also `scale`, `hidden`, `hidden_bias` and
            `bias`: a layer of rectified units between.
    """
    centred = vectors - learned[MEAN]
    if HIDDEN not in learned:
        return centred @ learned[PROJECTION]
    hidden = np.maximum((centred * learned[SCALE]) @ learned[HIDDEN] + learned[HIDDEN_BIAS], 0)
    return hidden @ learned[PROJECTION] + learned[BIAS]


def learn_features(vectors: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Learn `{"features_mean": (d,), "features_directions": (d, count)}`, the leading principal directions."""
    mean = vectors.mean(axis=0)
    return {FEATURES_MEAN: mean, FEATURES_DIRECTIONS: principal_directions(vectors - mean, count)}
