"""Hash by iterative quantisation (ITQ): rotate principal components so that taking signs loses least. Without
labels.
"""

import numpy as np
from scipy import linalg

from keras_dhnn.baselines.hasher import Hasher, check_count
from keras_dhnn.errors import SettingError, invalid


class ITQ(Hasher):
    """Hash by the signs of rotated principal components.

    The data are centred and projected to their `bits` leading principal directions, `V = (X - mean) W`. The rotation R
    then minimises `||B - V R||^2` (eq. 2 of the paper) in turns: `B = sign(V R)` for a fixed R; for a fixed B the
    orthogonal Procrustes problem, `R = U S^T` of the singular value decomposition `V^T B = U diag S^T`. Neither turn
    can raise the objective.

    Where `X` has fewer than `bits` independent rows, the components beyond them are zero and the bits are dependent.

    Args:
        bits: length l of the codes, at most the number d of features.
        iterations: turns; the paper takes 50.
        seed: of the random rotation to start from.

    Attributes:
        mean_: `(d,)` mean of the training vectors.
        projection_: `(d, l)` the principal directions times the rotation: outputs are `(X - mean_) @ projection_`.
        objective_: `(iterations,)` `||B - V R||^2` over the number of entries, after each turn; it never rises.

    References:
        Gong, Lazebnik, Gordo, Perronnin: Iterative Quantization: A Procrustean Approach to Learning Binary Codes for
        Large-Scale Image Retrieval. IEEE TPAMI 35(12), 2013.
    """

    def __init__(self, bits: int = 64, iterations: int = 50, seed: int = 0):
        self.bits = bits
        self.iterations = iterations
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "ITQ":
        """Find principal directions and rotation; `y` is not used.

        Args:
            X: `(n, d)` real; float32 is computed in float32.
            y: ignored.

        Returns:
            The estimator itself.

        Raises:
            ValueError: if `bits` is no whole number from 1 to d, or `X` is no matrix of finite numbers.
        """
        check_count("bits", self.bits)
        X = self._checked(X)
        if self.bits > X.shape[1]:
            expected = f"at most as many bits as features, {X.shape[1]} feature(s): each is a principal component"
            raise SettingError(invalid("argument `bits`", expected, self.bits))
        self.mean_ = X.mean(axis=0)
        directions = principal_directions(X - self.mean_, self.bits)
        components = (X - self.mean_) @ directions
        start = random_rotation(self.bits, self.seed).astype(X.dtype)
        rotation, self.objective_ = fit_rotation(components, start, self.iterations)
        self.projection_ = directions @ rotation
        return self

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return the real outputs `(n, l)` whose signs are the codes."""
        return (X - self.mean_) @ self.projection_


def principal_directions(centred: np.ndarray, count: int) -> np.ndarray:
    """Compute the leading eigenvectors of the covariance, the same on every machine.

    Args:
        centred: `(n, d)` real, of zero mean.
        count: how many, at most d.

    Returns:
        `(d, count)` of `centred`'s dtype, orthonormal columns in falling order of variance; each one's largest entry is
        positive, since the sign of an eigenvector is otherwise left to the library.
    """
    leading = _of_few_rows(centred, count) if count < len(centred) < centred.shape[1] else None
    if leading is None:
        leading = _leading_eigenvectors((centred.T @ centred).astype(np.float64), count)[1]
    largest = leading[np.abs(leading).argmax(axis=0), np.arange(count)]
    return (leading * np.where(largest < 0, -1, 1)).astype(centred.dtype)


def _of_few_rows(centred, count):
    """Compute them from the products of rows, where these are fewer than columns; None if they do not span as many."""
    rows = centred.astype(np.float64)
    values, vectors = _leading_eigenvectors(rows @ rows.T, count)
    if values[-1] <= len(rows) * np.finfo(centred.dtype).eps * values[0]:
        return None
    directions = rows.T @ vectors
    return directions / np.linalg.norm(directions, axis=0)


def _leading_eigenvectors(matrix, count):
    """Return the largest eigenvalues `(count,)`, falling, of a symmetric matrix, and their vectors as columns."""
    values, vectors = linalg.eigh(matrix, subset_by_index=[len(matrix) - count, len(matrix) - 1])
    return values[::-1], vectors[:, ::-1]


def random_rotation(size: int, seed: int) -> np.ndarray:
    """Draw a rotation `(size, size)` float64 uniformly among the orthogonal matrices."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return q * np.sign(np.diag(r))


def fit_rotation(components: np.ndarray, rotation: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Minimise `||sign(V R) - V R||^2` over rotations R, from a given one (ITQ, section 3.2).

    Args:
        components: V, `(n, l)` real.
        rotation: `(l, l)` orthogonal, to start from.
        iterations: turns of the two steps.

    Returns:
        The rotation `(l, l)`, and `(iterations,)` float64 of the objective over `n * l` after each turn.
    """
    objective = np.empty(iterations)
    for turn in range(iterations):
        signs = np.where(components @ rotation >= 0, 1, -1).astype(components.dtype)
        rotation = procrustes(components.T @ signs).astype(components.dtype)
        objective[turn] = np.square(signs - components @ rotation, dtype=np.float64).mean()
    return rotation, objective


def procrustes(product: np.ndarray) -> np.ndarray:
    """Return the orthogonal R that maximises `trace(R^T product)`: `U S^T` of `product = U diag S^T`."""
    left, _, right = np.linalg.svd(np.asarray(product, np.float64))
    return left @ right
