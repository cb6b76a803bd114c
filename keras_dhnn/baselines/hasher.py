"""What all hashing methods of this room share: they turn feature vectors into signs, as scikit-learn estimators do."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_dhnn.codes import binarize


class Hasher(TransformerMixin, BaseEstimator):
    """Hash vectors by the signs of real outputs.

    A method defines `fit(X, y)`, and `project(X)`, which returns `(n, bits)` real outputs.
    """

    def transform(self, X):
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

    def _checked(self, X, reset=True):
        """Return `X` as a float matrix that keeps float32, or raise ValueError where it is none."""
        return validate_data(self, X, dtype=(np.float32, np.float64), reset=reset, ensure_min_samples=2 if reset else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_bits(bits):
    """Raise ValueError unless `bits` is a whole number above 0."""
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or bits < 1:
        raise ValueError(
            f"Invalid value received for argument `bits`. Expected a whole number above 0. Received: {bits!r}"
        )
