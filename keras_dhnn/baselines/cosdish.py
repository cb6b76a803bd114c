"""Hash by column sampling (COSDISH): codes from some columns of the similarity matrix at a time."""

import numpy as np

from keras_dhnn.baselines.anchors import Anchors
from keras_dhnn.baselines.hasher import SupervisedHasher, ridge
from keras_dhnn.baselines.ksh import sample_evenly


class COSDISH(SupervisedHasher):
    """Hash by codes whose inner products are the labels' similarities, then by a linear regression on them.

    Codes B `(n, l)` in {-1, +1} are to minimise `||l S - B B^T||^2` (eq. 1 of the paper), in turns. Each draws the
    columns of some items, "omega"; the others are "gamma". Alternately

    - `B_gamma = sign(S_gamma B_omega)` (eq. 5), within a factor of two of the best for absolute values;
    - each bit b of B_omega, by a binary quadratic problem: with what the other bits miss, maximise
      `b^T M b + g^T b`, `M = l S_omega - sum of other b b^T`, `g = (l S_gamma - sum of others)^T b_gamma` (eq. 8).
      The paper bounds it by a clustering; ours goes on flipping the entry that gains most, from the bit as it was,
      until none gains, so that the objective of the drawn columns does not rise.

    Similar pairs have S = 1, dissimilar ones minus the ratio of the numbers of similar and dissimilar pairs, so that
    with many classes the latter do not decide alone. The code of x is the sign of a ridge regression on the codes.

    Args:
        bits: length l of the codes.
        columns: items whose columns are drawn a turn; none is l, as in the paper, or twice the classes if more.
        iterations: turns; the paper takes 10.
        alternations: of the two steps a turn; the paper takes 3.
        weight: of the squared regression weights, in shares of the mean squared feature.
        anchors: m of the `Anchors` that the regression sees instead of x; 0 leaves it linear, as in the paper.
        width: of the kernel, see `Anchors`.
        seed: of codes to start from and columns.

    Attributes:
        codes_: `(n, l)` int8, the training set's codes B.
        kernel_: the fitted `Anchors`.
        offset_: `(l,)` mean of the codes.
        projection_: `(d, l)`, or `(m, l)`: outputs are `kernel_.transform(X) @ projection_ + offset_`.

    References:
        Kang, Li, Zhou: Column Sampling Based Discrete Supervised Hashing. AAAI 2016.
    """

    def __init__(
        self,
        bits: int = 64,
        columns: int | None = None,
        iterations: int = 10,
        alternations: int = 3,
        weight: float = 1.0,
        anchors: int = 0,
        width: float = 0.5,
        seed: int = 0,
    ):
        self.bits = bits
        self.columns = columns
        self.iterations = iterations
        self.alternations = alternations
        self.weight = weight
        self.anchors = anchors
        self.width = width
        self.seed = seed

    def learn(self, X: np.ndarray, classes: np.ndarray) -> None:
        """Learn codes, and the regression that finds them from the vectors."""
        codes = self._codes(classes)
        self.codes_ = codes.astype(np.int8)
        self.kernel_ = Anchors(self.anchors, self.width, self.seed).fit(X)
        self.offset_ = codes.mean(axis=0).astype(X.dtype)
        centred = self.kernel_.transform(X)
        self.projection_ = ridge(centred, codes, self.weight * float(np.square(centred).mean(dtype=np.float64)))

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return the real outputs `(n, l)` whose signs are the codes."""
        return self.kernel_.transform(X) @ self.projection_ + self.offset_

    def _codes(self, classes: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        codes = random.choice([-1.0, 1.0], (len(classes), self.bits))
        count = self.columns or max(self.bits, 2 * len(self.classes_))
        similar = np.square(np.bincount(classes)).sum()
        dissimilar = -similar / max(len(classes) ** 2 - similar, 1)
        for _ in range(self.iterations):
            omega = sample_evenly(classes, min(count, len(classes)), random.integers(2**32))
            similarity = np.where(classes[:, None] == classes[omega], 1.0, dissimilar)
            gamma = np.setdiff1d(np.arange(len(classes)), omega)
            for _ in range(self.alternations):
                codes[gamma] = np.where(similarity[gamma] @ codes[omega] >= 0, 1.0, -1.0)
                codes[omega] = improved(codes[omega], codes[gamma], similarity[omega], similarity[gamma])
        return codes


def improved(
    omega: np.ndarray, gamma: np.ndarray, similarity_omega: np.ndarray, similarity_gamma: np.ndarray
) -> np.ndarray:
    """Lower `||l S_omega - B B^T||^2 + ||l S_gamma - B_gamma B^T||^2` over the codes B of omega, bit by bit.

    Args:
        omega: B, `(c, l)` float64 in {-1, +1}, to start from.
        gamma: `(n - c, l)` float64 codes of the other items.
        similarity_omega: `(c, c)` float64.
        similarity_gamma: `(n - c, c)` float64.

    Returns:
        `(c, l)` float64 in {-1, +1}; the objective is not above that of the start.
    """
    codes, bits = omega.copy(), omega.shape[1]
    inner = bits * similarity_omega - codes @ codes.T
    cross = bits * (similarity_gamma.T @ gamma)
    overlap = gamma.T @ gamma
    for bit in range(bits):
        old = codes[:, bit].copy()
        inner += np.outer(old, old)
        linear = cross[:, bit] - codes @ overlap[bit] + old * overlap[bit, bit]
        codes[:, bit] = flipped(inner, linear, old)
        inner -= np.outer(codes[:, bit], codes[:, bit])
    return codes


def flipped(quadratic: np.ndarray, linear: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Raise `b^T Q b + g^T b` by single flips, the one that gains most first, until none gains.

    Args:
        quadratic: Q, `(c, c)` float64, symmetric.
        linear: g, `(c,)` float64.
        signs: b, `(c,)` float64 in {-1, +1}, to start from.

    Returns:
        `(c,)` float64 in {-1, +1}.
    """
    signs = signs.copy()
    slopes = quadratic @ signs + linear / 2
    while True:
        gains = np.diag(quadratic) - signs * slopes
        best = gains.argmax()
        if gains[best] <= 1e-9:
            return signs
        slopes -= 2 * signs[best] * quadratic[:, best]
        signs[best] = -signs[best]
