"""Hash by CCA-ITQ: the directions in which two sources of the same ground correlate, rotated for signs. Without
labels.
"""

from collections.abc import Mapping

import numpy as np

from keras_dhnn.baselines.hasher import check_count
from keras_dhnn.baselines.itq import fit_rotation, random_rotation
from keras_dhnn.baselines.two_sources import TwoSourceHasher, correlated, factor
from keras_dhnn.errors import SettingError, invalid


class CCAITQ(TwoSourceHasher):
    """Hash two sources by the signs of their canonical variables, rotated by iterative quantisation.

    The `bits` leading pairs of directions maximise the correlation of the sources' projections, each scaled by that
    correlation so that what agrees more counts more. The rotation of `ITQ` is found on the projections of both.

    Args:
        bits: length l of the codes, at most the features of the source that has fewer.
        weight: added to each variance, in mean variances, since correlations of few vectors are found too large.
        iterations: of the rotation.
        seed: of the rotation to start from.

    Attributes:
        correlations_: `(l,)` canonical correlations, in falling order.
        means_, projections_: `{source: array}`; outputs are `(X - mean) @ projection`.

    References:
        Gong, Lazebnik, Gordo, Perronnin: Iterative Quantization. IEEE TPAMI 35(12), 2013, section 4, there between one
        source and its labels; CCA across sources: Rasiwasia et al.: A New Approach to Cross-Modal Multimedia Retrieval.
        ACM Multimedia 2010.
    """

    def __init__(self, bits: int = 32, weight: float = 1e-3, iterations: int = 50, seed: int = 0):
        self.bits = bits
        self.weight = weight
        self.iterations = iterations
        self.seed = seed

    def fit(self, X: Mapping[str, np.ndarray], y: np.ndarray | None = None) -> "CCAITQ":
        """Find directions and rotation; `y` is not used.

        Args:
            X: `{source: (n, d) real}` of two sources, row i of both being the same ground.
            y: ignored.

        Returns:
            The estimator itself.

        Raises:
            ValueError: if there are not two sources of as many vectors, or more bits than features.
        """
        check_count("bits", self.bits)
        first, second = self._centred(X)
        fewest = min(first.shape[1], second.shape[1])
        if self.bits > fewest:
            expected = f"at most {fewest}, the features of the source that has fewer: each bit is a pair of directions"
            raise SettingError(invalid("argument `bits`", expected, self.bits))
        cross = first.T @ second / len(first)
        u, correlations, v = correlated(cross, factor(first, self.weight), factor(second, self.weight))
        self.correlations_ = correlations[: self.bits]
        u, v = (directions[:, : self.bits] * self.correlations_ for directions in (u, v))
        stacked = np.concatenate([first @ u, second @ v])
        rotation, _ = fit_rotation(stacked, random_rotation(self.bits, self.seed), self.iterations)
        return self._keep([u @ rotation, v @ rotation])
