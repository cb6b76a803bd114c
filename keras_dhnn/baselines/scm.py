"""Hash by semantic correlation (SCM): projections of two sources whose codes agree where labels do."""

from collections.abc import Mapping

import numpy as np

from keras_dhnn.baselines.hasher import check_count
from keras_dhnn.baselines.two_sources import TwoSourceHasher, correlated, factor
from keras_dhnn.errors import SettingError, invalid

METHODS = ("sequential", "orthogonal")


class SCM(TwoSourceHasher):
    """Hash two sources by projections that maximise the correlation of labels across them.

    With the label similarities `S = 2 L L^T - 1 1^T`, L the one-hot labels, projections maximise
    `tr(U^T X^T S Y V)` (eq. 5 of the paper), and S, `(n, n)`, is never made: `X^T S Y = 2 (X^T L)(L^T Y) - ...`.

    - orthogonal: `U^T X^T X U = n I` and the same for V, all bits at once; it finds no more directions than there are
      classes, those beyond being arbitrary.
    - sequential: bit by bit (Algorithm 1), each from the residue `l S - sum of sign(X u) sign(Y v)^T` of those before.

    Args:
        bits: length l of the codes.
        method: "sequential" or "orthogonal".
        weight: added to each variance, in mean variances.

    Attributes:
        means_, projections_: `{source: array}`; outputs are `(X - mean) @ projection`.

    References:
        Zhang, Li: Large-Scale Supervised Multimodal Hashing with Semantic Correlation Maximization. AAAI 2014.
    """

    def __init__(self, bits: int = 32, method: str = "sequential", weight: float = 1e-3):
        self.bits = bits
        self.method = method
        self.weight = weight

    def fit(self, X: Mapping[str, np.ndarray], y: np.ndarray) -> "SCM":
        """Find the projections.

        Args:
            X: `{source: (n, d) real}` of two sources, row i of both being of label `y[i]`.
            y: `(n,)` labels.

        Returns:
            The estimator itself.

        Raises:
            ValueError: if there are not two sources of as many vectors as labels, for another method's name, or, of
                "orthogonal", more bits than features.
        """
        check_count("bits", self.bits)
        if self.method not in METHODS:
            raise SettingError(invalid("argument `method`", f"one of {METHODS}", self.method))
        first, second = self._centred(X)
        classes, places = np.unique(y, return_inverse=True)
        if len(places) != len(first):
            raise SettingError(invalid("argument `y`", f"a label for each of {len(first)} vectors", len(places)))
        cross = semantic_correlation(first, second, np.eye(len(classes))[places])
        factors = factor(first, self.weight), factor(second, self.weight)
        find = self._sequential if self.method == "sequential" else self._orthogonal
        return self._keep(find(first, second, cross, factors))

    def _orthogonal(
        self, first: np.ndarray, second: np.ndarray, cross: np.ndarray, factors: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        fewest = min(cross.shape)
        if self.bits > fewest:
            raise SettingError(
                invalid(
                    "argument `bits`",
                    f"at most {fewest}, the features of the source that has fewer, of the orthogonal method",
                    self.bits,
                )
            )
        u, _, v = correlated(cross, *factors)
        return u[:, : self.bits], v[:, : self.bits]

    def _sequential(
        self, first: np.ndarray, second: np.ndarray, cross: np.ndarray, factors: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, ...]:
        residue = self.bits * cross
        pairs = []
        for _ in range(self.bits):
            u, _, v = correlated(residue, *factors)
            u, v = u[:, 0], v[:, 0]
            residue = residue - np.outer(first.T @ _signs(first @ u), _signs(second @ v) @ second)
            pairs.append((u, v))
        return tuple(np.stack(directions, axis=1) for directions in zip(*pairs, strict=True))


def semantic_correlation(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return `X^T (2 L L^T - 1 1^T) Y`, `(d, e)`, in linear time.

    Args:
        first: X, `(n, d)`.
        second: Y, `(n, e)`.
        labels: L, `(n, C)` one-hot.
    """
    of_classes = (first.T @ labels) @ (labels.T @ second)
    return 2 * of_classes - np.outer(first.sum(axis=0), second.sum(axis=0))


def _signs(outputs: np.ndarray) -> np.ndarray:
    return np.where(outputs >= 0, 1.0, -1.0)
