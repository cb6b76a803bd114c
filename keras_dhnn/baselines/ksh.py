"""Hash with kernels (KSH): bits are found one after the other, each from what those before it missed."""

import numpy as np
from scipy import linalg, optimize, special

from keras_dhnn.baselines.anchors import Anchors
from keras_dhnn.baselines.hasher import SupervisedHasher


class KSH(SupervisedHasher):
    """Hash by kernel functions whose codes' inner products are the labels' similarities.

    With centred kernel features K `(n, m)` of `Anchors` and similarities S in {-1, +1}, codes `H = sign(K A)` are to
    minimise `||H H^T / l - S||^2` (eq. 7 of the paper). Bits are found greedily: with the residue
    `R = l S - sum of h h^T` of the bits before, the next weights a maximise `h^T R h`. A start is the leading
    generalised eigenvector of `K^T R K` to `K^T K` (eq. 12); from there `-phi(K a)^T R phi(K a)` is minimised with the
    smooth sign `phi(t) = 2 / (1 + exp(-t)) - 1` (eq. 14), by L-BFGS where the paper has Nesterov's gradients. What is
    better as signs, start or end, is kept.

    Args:
        bits: length l of the codes.
        anchors: m of `Anchors`; the paper takes 300.
        width: of the kernel, see `Anchors`.
        labelled: training vectors whose pairs are used (the paper has 1,000), as many of each class: the pairs' matrix
            is held, `8 labelled^2` bytes.
        steps: at most so many steps of the smooth optimisation a bit.
        seed: of anchors and labelled vectors.

    Attributes:
        objective_: `(bits,)` mean squared entry of `sum of h h^T / l - S` after each bit.
        kernel_: the fitted `Anchors`.
        projection_: `(m, l)` A.

    References:
        Liu, Wang, Ji, Jiang, Chang: Supervised Hashing with Kernels. CVPR 2012.
    """

    def __init__(
        self,
        bits: int = 64,
        anchors: int = 300,
        width: float = 0.5,
        labelled: int = 1000,
        steps: int = 50,
        seed: int = 0,
    ):
        self.bits = bits
        self.anchors = anchors
        self.width = width
        self.labelled = labelled
        self.steps = steps
        self.seed = seed

    def learn(self, X: np.ndarray, classes: np.ndarray) -> None:
        """Find the weights of each bit."""
        self.kernel_ = Anchors(self.anchors, self.width, self.seed).fit(X)
        chosen = sample_evenly(classes, self.labelled, self.seed)
        K = self.kernel_.transform(X[chosen]).astype(np.float64)
        residue = self.bits * np.where(classes[chosen][:, None] == classes[chosen], 1.0, -1.0)
        metric = K.T @ K + 1e-6 * max(np.trace(K.T @ K) / K.shape[1], 1e-12) * np.eye(K.shape[1])
        self.projection_, self.objective_ = np.empty((K.shape[1], self.bits)), np.empty(self.bits)
        for bit in range(self.bits):
            weights = next_bit(K, residue, metric, self.steps)
            codes = np.where(K @ weights >= 0, 1.0, -1.0)
            residue -= np.outer(codes, codes)
            self.projection_[:, bit] = weights
            self.objective_[bit] = np.square(residue / self.bits).mean()

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return the real outputs `(n, l)` whose signs are the codes."""
        return self.kernel_.transform(X) @ self.projection_


def sample_evenly(classes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Draw at most `count` places of `classes`, `(n,)`, as many of each class where there are enough; sorted."""
    random = np.random.default_rng(seed).permutation(len(classes))
    order = np.argsort(classes[random], kind="stable")
    ranks = np.empty(len(classes), np.int64)
    sizes = np.bincount(classes)
    ranks[order] = np.arange(len(classes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(random[np.argsort(ranks, kind="stable")[:count]])


def next_bit(K: np.ndarray, residue: np.ndarray, metric: np.ndarray, steps: int) -> np.ndarray:
    """Return the weights `(m,)` whose signs `h = sign(K a)` have a large `h^T residue h` (KSH eqs. 12, 14).

    Args:
        K: `(n, m)` float64 kernel features.
        residue: `(n, n)` float64, symmetric.
        metric: `(m, m)` float64, positive definite: `K^T K`.
        steps: of the smooth optimisation.
    """
    size = len(metric)
    _, vectors = linalg.eigh(K.T @ residue @ K, metric, subset_by_index=[size - 1, size - 1])
    start = vectors[:, 0] * np.sqrt(len(K))
    found = optimize.minimize(
        smooth_disagreement, start, (K, residue), method="L-BFGS-B", jac=True, options={"maxiter": steps}
    )
    return max((start, found.x), key=lambda weights: _agreement(K @ weights, residue))


def _agreement(outputs: np.ndarray, residue: np.ndarray) -> float:
    codes = np.where(outputs >= 0, 1.0, -1.0)
    return codes @ residue @ codes


def smooth_disagreement(weights: np.ndarray, K: np.ndarray, residue: np.ndarray) -> tuple[float, np.ndarray]:
    """Return `-phi(K a)^T residue phi(K a)` over the number of pairs, and its gradient `(m,)` (KSH eqs. 14, 15)."""
    smooth = 2 * special.expit(K @ weights) - 1
    pulled = residue @ smooth
    gradient = -K.T @ (pulled * (1 - smooth**2))
    return -(smooth @ pulled) / residue.size, gradient / residue.size
