"""Lay hash codes out in the plane, by t-SNE."""

import math

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.codes import pack, unpack

MOST_ITEMS = 2_000
_PERPLEXITY = 30
_COVERED = 0.08  # share of the picture that all points take if each has its own place
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def sample(items: ArrayLike, seed: int, most: int = MOST_ITEMS) -> np.ndarray:
    """Return at most so many of the items, drawn at random, in ascending order."""
    items = np.asarray(items)
    return items if len(items) <= most else np.sort(np.random.default_rng(seed).choice(items, most, replace=False))


def project(outputs: np.ndarray, seed: int) -> np.ndarray:
    """Return codes in the plane: near codes are near, by t-distributed stochastic neighbours (SIDHCNN Fig. 5).

    Trained codes repeat, and equal codes have one place: their items stand around it as a disc.

    Args:
        outputs: `(n, l)` real hash outputs; their signs are what is projected.
        seed: of the projection.

    Returns:
        `(n, 2)` float64.
    """
    codes, numbers, sizes = np.unique(pack(outputs), axis=0, return_inverse=True, return_counts=True)
    centres = _places(unpack(codes).astype(np.float32), seed)
    by_code = np.argsort(numbers.ravel(), kind="stable")
    rank = np.empty(len(by_code), np.int64)
    rank[by_code] = np.arange(len(by_code)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # As seeds in a sunflower: every item has the same area, and the first stands in the middle.
    extent = max(float(np.ptp(centres, axis=0).max()), 1.0)
    radius = extent * np.sqrt(_COVERED / (math.pi * len(rank)) * rank)
    angle = rank * _GOLDEN_ANGLE
    return centres[numbers.ravel()] + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _places(codes, seed):
    """Return `(m, 2)` of distinct codes. t-SNE needs neighbours: fewer than 4 codes are put side by side."""
    if len(codes) < 4:
        return np.stack([np.arange(len(codes)), np.zeros(len(codes))], axis=1)
    # Imported when it is drawn: scikit-learn takes as long to import as all other figures to draw.
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(_PERPLEXITY, (len(codes) - 1) / 3)
    # Squared Euclidean distances of signs are 4 times their Hamming distances.
    embedding = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    # Its threads wait for each other in a loop: on a busy machine two are 3 to 70 times slower than one.
    with threadpool_limits(1):
        return embedding.fit_transform(codes).astype(np.float64)
