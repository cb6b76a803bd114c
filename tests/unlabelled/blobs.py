"""Features whose classes are known."""

import numpy as np


def blobs(classes: int, per_class: int, *, dimensions: int = 32, noise: float = 0.4, seed: int = 0):
    """Return `(features, labels)` of classes that lie around corners of their own, in order of class."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    corners = random.standard_normal((classes, dimensions))
    noisy = corners[labels] + noise * random.standard_normal((len(labels), dimensions))
    return noisy.astype(np.float32), labels
