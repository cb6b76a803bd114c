"""Vectors of known classes for the hashing methods, and how well codes rank them."""

import numpy as np

from keras_dhnn.metrics.ranking import mean_average_precision


def clusters(n=240, classes=4, d=12, spread=0.3, seed=0):
    """Vectors `(n, d)` float64 around `classes` random centres, and labels `(n,)`."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return random.standard_normal((classes, d))[labels] + spread * random.standard_normal((n, d)), labels


def two_moons(n=300, seed=0):
    """Vectors `(n, 2)` of two classes that no straight line parts."""
    from sklearn.datasets import make_moons

    return make_moons(n, noise=0.05, random_state=seed)


def score(hasher, x, labels):
    """Mean average precision of the second half of `x` as queries against the first half, which trains."""
    half = len(x) // 2
    hasher.fit(x[:half], labels[:half])
    database, queries = (np.packbits(hasher.transform(part) > 0, axis=1) for part in (x[:half], x[half:]))
    return float(mean_average_precision(queries, database, labels[half:], labels[:half], stable=False).expected)
