"""Share what all hashing methods of this room do: turn feature vectors into signs, as scikit-learn estimators do."""

from typing import Any, TypeVar

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_dhnn.codes import binarize
from keras_dhnn.errors import SettingError, invalid

Supervised = TypeVar("Supervised", bound="SupervisedHasher")


class Hasher(TransformerMixin, BaseEstimator):
    """Hash vectors by the signs of real outputs.

    A method defines `fit`, and `project(X)`, which returns `(n, bits)` real outputs.
    """

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the hash codes of `X`.

        Args:
            X: `(n, d)` real.

        Returns:
            `(n, bits)` int8 in {-1, +1}; `codes.pack` packs them where `bits` is a multiple of 8.

        Raises:
            sklearn.exceptions.NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        return binarize(self.project(self._checked(X, reset=False)))

    def _checked(self, X: np.ndarray, reset: bool = True) -> np.ndarray:
        """Return `X` as a float matrix that keeps float32, or raise an error where it is none."""
        fewest = 2 if reset else 1
        return validate_data(self, X, dtype=(np.float32, np.float64), reset=reset, ensure_min_samples=fewest)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class SupervisedHasher(Hasher):
    """Hash vectors as `Hasher` does, by labels.

    A method defines `learn(X, classes)`, and `project(X)`.
    """

    bits: int

    def fit(self: Supervised, X: np.ndarray, y: np.ndarray) -> Supervised:
        """Check vectors and labels, and learn from them.

        Args:
            X: `(n, d)` real.
            y: `(n,)` labels.

        Returns:
            The estimator itself.

        Raises:
            ValueError: if `bits` is no whole number above 0, or `X` is no matrix of finite numbers.
        """
        check_count("bits", self.bits)
        X, y = validate_data(self, X, y, dtype=(np.float32, np.float64), ensure_min_samples=2)
        self.classes_, classes = np.unique(y, return_inverse=True)
        self.learn(X, classes)
        return self

    def learn(self, X: np.ndarray, classes: np.ndarray) -> None:
        """Learn from float vectors `(n, d)` and each one's class `(n,)` int64, in 0..C-1."""
        raise NotImplementedError

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def check_count(name: str, value: Any) -> None:
    """Raise SettingError unless the argument `name` is a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise SettingError(invalid(f"argument `{name}`", "a whole number above 0", value))


def ridge(X: np.ndarray, targets: np.ndarray, weight: float) -> np.ndarray:
    """Return the W that minimises `||X W - targets||^2 + weight ||W||^2`.

    Args:
        X: `(n, d)` real.
        targets: `(n, k)` real.
        weight: 0 or more.

    Returns:
        `(d, k)` of `X`'s dtype; the shortest one where several are best.
    """
    X64 = np.asarray(X, np.float64)
    gram = X64.T @ X64 + weight * np.eye(X.shape[1])
    return linalg.lstsq(gram, X64.T @ targets, check_finite=False)[0].astype(X.dtype)
