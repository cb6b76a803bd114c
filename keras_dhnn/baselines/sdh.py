"""Hash discretely (SDH): binary codes from which a linear classifier tells the class."""

import numpy as np

from keras_dhnn.baselines.anchors import Anchors
from keras_dhnn.baselines.hasher import SupervisedHasher, ridge

# Keeps the last solution of P's normal equations finite; part of the objective, so that this stays monotone.
_RIDGE = 1e-6


class SDH(SupervisedHasher):
    """Hash by codes that are learned as binary ones, with a classifier, bit by bit.

    With one-hot labels Y `(n, C)`, codes B `(n, l)` in {-1, +1} and K `(n, m + 1)`, kernel features of `Anchors` and
    a column of ones,

        min_{B, W, P} ||Y - B W||^2 + weight ||W||^2 + fit_weight ||B - K P||^2        (eq. 4 of the paper)

    in turns: P and W are ridge regressions; B is learned by discrete cyclic coordinate descent, one bit (column) z of B
    after the other, `z = sign(q - B' W' v^T)` (eq. 10), where q is that bit's column of `Q = Y W^T + fit_weight K P`, v
    its row of W, and B', W' all other bits. No turn raises the objective. The code of x is `sign(k(x) P)`.

    The paper starts from random codes. Ours start alike within a class: with more bits than classes many codes satisfy
    the classifier, and no step would bring those of a class together again.

    Args:
        bits: length l of the codes.
        anchors: m of `Anchors`; the paper takes 1,000. With 0 the code is a linear function of x.
        width: of the kernel, see `Anchors`.
        weight: of the squared classifier weights.
        fit_weight: nu, of what the kernel regression misses of the codes.
        iterations: turns.
        seed: of the anchors, and of each class's code to start from.

    Attributes:
        objective_: `(iterations,)` after each turn; it never rises.
        kernel_: the fitted `Anchors`.
        projection_: `(m + 1, l)` P.
        codes_: `(n, l)` int8, the training set's codes B.

    References:
        Shen, Shen, Liu, Shen: Supervised Discrete Hashing. CVPR 2015.
    """

    def __init__(
        self,
        bits: int = 64,
        anchors: int = 1000,
        width: float = 0.5,
        weight: float = 1.0,
        fit_weight: float = 1e-5,
        iterations: int = 10,
        seed: int = 0,
    ):
        self.bits = bits
        self.anchors = anchors
        self.width = width
        self.weight = weight
        self.fit_weight = fit_weight
        self.iterations = iterations
        self.seed = seed

    def learn(self, X: np.ndarray, classes: np.ndarray) -> None:
        """Learn codes, classifier and projection."""
        self.kernel_ = Anchors(self.anchors, self.width, self.seed).fit(X)
        K = self._features(X).astype(np.float64)
        Y = np.eye(len(self.classes_))[classes]
        B = np.random.default_rng(self.seed).choice([-1.0, 1.0], (len(self.classes_), self.bits))[classes]
        solve = RidgeOf(K)
        self.objective_ = np.empty(self.iterations)
        P, W = solve(B), ridge(B, Y, self.weight)
        for turn in range(self.iterations):
            B = descend(B, Y @ W.T + self.fit_weight * (K @ P), W)
            P, W = solve(B), ridge(B, Y, self.weight)
            self.objective_[turn] = self._objective(B, Y, W, K, P)
        self.projection_, self.codes_ = P, B.astype(np.int8)

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return the real outputs `(n, l)` whose signs are the codes."""
        return self._features(X) @ self.projection_

    def _features(self, X: np.ndarray) -> np.ndarray:
        return np.pad(self.kernel_.transform(X), [(0, 0), (0, 1)], constant_values=1)

    def _objective(self, B: np.ndarray, Y: np.ndarray, W: np.ndarray, K: np.ndarray, P: np.ndarray) -> float:
        missed = np.square(B - K @ P).sum() + _RIDGE * np.square(P).sum()
        return np.square(Y - B @ W).sum() + self.weight * np.square(W).sum() + self.fit_weight * missed


class RidgeOf:
    """Regress on the same features K `(n, m)` again and again, which are decomposed once."""

    def __init__(self, K: np.ndarray):
        values, self._vectors = np.linalg.eigh(K.T @ K)
        self._inverse = 1 / (np.maximum(values, 0) + _RIDGE)
        self._features = K

    def __call__(self, targets: np.ndarray) -> np.ndarray:
        """Return the P `(m, l)` that minimises `||K P - targets||^2` plus a trifle of `||P||^2`."""
        turned = self._vectors.T @ (self._features.T @ targets)
        return self._vectors @ (self._inverse[:, None] * turned)


def descend(B: np.ndarray, Q: np.ndarray, W: np.ndarray, sweeps: int = 3) -> np.ndarray:
    """Lower `||B W||^2 - 2 <B, Q>` over codes, one bit after the other (SDH eq. 10); no step raises it.

    Args:
        B: `(n, l)` float64 in {-1, +1}, to start from.
        Q: `(n, l)` float64.
        W: `(l, C)` float64.
        sweeps: times that every bit is visited.

    Returns:
        `(n, l)` float64 in {-1, +1}.
    """
    B = B.copy()
    gram = W @ W.T
    for bit in [*range(B.shape[1])] * sweeps:
        pull = Q[:, bit] - B @ gram[bit] + B[:, bit] * gram[bit, bit]
        B[:, bit] = np.where(pull >= 0, 1.0, -1.0)
    return B
