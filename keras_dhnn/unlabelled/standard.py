"""Bring features to one scale, in which neighbours are measured."""

import numpy as np
from scipy import linalg

from keras_dhnn.directions import unit_rows
from keras_dhnn.errors import invalid

# Dimensions that many items are reduced to before they are compared, and the items that the reduction is measured on.
DIMENSIONS = 128
SAMPLE = 20_000
_BLOCK = 8192


def standard_features(features: np.ndarray, dimensions: int | None = None, seed: int = 0) -> np.ndarray:
    """Return features with mean 0 and deviation 1 in each dimension, as unit vectors.

    Cosine similarity of backbone features is ruled by a few dimensions of large values; of standardised ones it is not.

    Args:
        features: `(n, d)` real; may be a memory map, which is read in blocks.
        dimensions: keep so many principal components of the standardised features; None keeps all dimensions.
        seed: of the items that mean, deviation and components are measured on, where there are many.

    Returns:
        `(n, d)` or `(n, dimensions)` float32, each row of length 1, or 0 where an item is the mean itself.

    Raises:
        ValueError: if there are fewer than two items, or a value is not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(invalid("argument `features`", "shape (n, d) with at least 2 items", shape=features.shape))
    sample = _sampled(features, seed)
    mean, deviation = sample.mean(axis=0), sample.std(axis=0)
    # A dimension that hardly ever changes would become the loudest.
    scale = 1 / np.maximum(deviation, 1e-2 * max(float(deviation.mean()), float(np.finfo(np.float32).tiny)))
    axes = None
    if dimensions is not None and dimensions < features.shape[1]:
        axes = _principal_axes((sample - mean) * scale, dimensions)
    standard = np.empty((len(features), features.shape[1] if axes is None else axes.shape[1]), np.float32)
    for first in range(0, len(features), _BLOCK):
        block = (features[first : first + _BLOCK].astype(np.float32) - mean) * scale
        standard[first : first + _BLOCK] = unit_rows(block if axes is None else block @ axes)
    if not np.isfinite(standard).all():
        raise ValueError(invalid("argument `features`", "finite numbers only"))
    return standard


def _sampled(features, seed):
    if len(features) <= SAMPLE:
        return np.asarray(features, np.float32)
    chosen = np.random.default_rng(seed).choice(len(features), SAMPLE, replace=False)
    return np.asarray(features[np.sort(chosen)], np.float32)


def _principal_axes(centred, dimensions):
    """Return `(d, dimensions)` float32, the directions of largest variance of `(m, d)` centred rows."""
    last = centred.shape[1] - 1
    _, axes = linalg.eigh(centred.T @ centred, subset_by_index=[last - dimensions + 1, last])
    return np.ascontiguousarray(axes[:, ::-1])
