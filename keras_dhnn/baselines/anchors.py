"""Compute kernel features: how near vectors are to a few of the training set, as KSH and SDH describe them."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.validation import check_is_fitted, validate_data


class Anchors(TransformerMixin, BaseEstimator):
    """Describe x by `exp(-||x - a||^2 / (2 sigma^2))` for each anchor a, less its mean over the training set.

    Anchors are drawn at random among the training vectors. Sigma is `width` times the root of the mean squared distance
    between training vectors and anchors, so that it fits vectors of any scale. Without anchors x is described by
    itself, less the mean, so that what is built upon it is linear.

    Args:
        count: anchors m; all training vectors where they are fewer; 0 for none.
        width: of the kernel, in mean distances.
        seed: of the draw.

    Attributes:
        anchors_: `(m, d)`.
        sigma_: the kernel's width.
        mean_: `(m,)` mean of the kernel over the training set; `(d,)` of the vectors where there are no anchors.
    """

    def __init__(self, count: int = 300, width: float = 0.5, seed: int = 0):
        self.count = count
        self.width = width
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "Anchors":
        """Draw the anchors among `X`, `(n, d)` real; `y` is not used. Returns the estimator itself."""
        X = validate_data(self, X, dtype=(np.float32, np.float64))
        chosen = np.random.default_rng(self.seed).permutation(len(X))[: self.count]
        self.anchors_ = X[np.sort(chosen)]
        if self.count:
            squared = euclidean_distances(X, self.anchors_, squared=True)
            self.sigma_ = self.width * float(np.sqrt(squared.mean(dtype=np.float64))) or 1.0
        self.mean_ = self._features(X).mean(axis=0)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the centred kernel features `(n, m)` of `X`, `(n, d)` real; without anchors the centred `X`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float32, np.float64), reset=False)
        return self._features(X) - self.mean_

    def _features(self, X: np.ndarray) -> np.ndarray:
        if not self.count:
            return X
        return np.exp(euclidean_distances(X, self.anchors_, squared=True) / (-2 * self.sigma_**2))
