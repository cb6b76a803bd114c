"""Share what the hashing methods for two sources do: project each into one space of codes."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import linalg
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from keras_dhnn.codes import binarize
from keras_dhnn.errors import SettingError, invalid


class TwoSourceHasher(BaseEstimator):
    """Hash vectors of either source by the signs of `(X - mean) @ projection`.

    A method defines `fit(X, y)`, which sets `means_` and `projections_`, `{source: array}` each.
    """

    def transform(self, X: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the hash codes of vectors of one source or both.

        Args:
            X: `{source: (n, d) real}`; n may differ.

        Returns:
            `{source: (n, bits) int8 in {-1, +1}}`.

        Raises:
            ValueError: for a source that `fit` has not seen.
            sklearn.exceptions.NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        unknown = sorted(set(X) - set(self.means_))
        if unknown:
            raise SettingError(invalid("argument `X`", f"sources among {', '.join(self.means_)}", ", ".join(unknown)))
        return {source: binarize((x - self.means_[source]) @ self.projections_[source]) for source, x in X.items()}

    def _centred(self, X: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the training vectors of both sources, float64 and less the mean that it keeps as `means_`."""
        if len(X) != 2:
            raise SettingError(invalid("argument `X`", "the vectors of two sources, {source: (n, d)}", sources=len(X)))
        arrays = {source: check_array(x, dtype=np.float64, ensure_min_samples=2) for source, x in X.items()}
        check_consistent_length(*arrays.values())
        self.means_ = {source: x.mean(axis=0) for source, x in arrays.items()}
        return [x - self.means_[source] for source, x in arrays.items()]

    def _keep(self, projections: Iterable[np.ndarray]) -> "TwoSourceHasher":
        self.projections_ = dict(zip(self.means_, projections, strict=True))
        return self


def factor(x: np.ndarray, weight: float) -> np.ndarray:
    """Return the lower L `(d, d)` with `L L^T = x^T x / n`, and `weight` mean variances added on the diagonal."""
    covariance = x.T @ x / len(x)
    added = weight * np.trace(covariance) / len(covariance) + 1e-12
    return linalg.cholesky(covariance + added * np.eye(len(covariance)), lower=True)


def correlated(
    cross: np.ndarray, lower: np.ndarray, other_lower: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the directions in which two sources agree most.

    They maximise `u^T cross v` under `U^T (L L^T) U = I` and the same for V: canonical correlation analysis.

    Args:
        cross: `(d, e)` float64.
        lower: L of one source, see `factor`.
        other_lower: of the other.

    Returns:
        U `(d, r)`, the agreements `(r,)` in falling order, and V `(e, r)`, with r the smaller of d and e.
    """
    whitened = linalg.solve_triangular(lower, cross, lower=True)
    whitened = linalg.solve_triangular(other_lower, whitened.T, lower=True).T
    left, agreements, right = _decomposed(whitened)
    return (
        linalg.solve_triangular(lower.T, left, lower=False),
        agreements,
        linalg.solve_triangular(other_lower.T, right.T, lower=False),
    )


def _decomposed(matrix):
    """Return the singular value decomposition of a matrix; where LAPACK's divide and conquer does not converge, which
    happens, by QR iteration, which takes longer.
    """
    try:
        return linalg.svd(matrix, full_matrices=False)
    except linalg.LinAlgError:
        return linalg.svd(matrix, full_matrices=False, lapack_driver="gesvd")
