"""Hash partly at random (PRH): random codes, and the weights that make vectors of them again."""

import numpy as np

from keras_dhnn.baselines.hasher import Hasher, check_count, ridge


class PRH(Hasher):
    """Hash by weights learned from random codes.

    The random part projects centred vectors to codes, `B = sign(X R)` with Gaussian R. The learned part is the
    transformation W by which those codes come nearest to the vectors,

        min_W ||B W - X||^2 + weight ||W||^2,    W = (B^T B + weight I)^-1 B^T X,

    in closed form, and the code of x is `sign(x W^T)`.

    The letter's text was not at hand: this is how we read its abstract and its successor's (Li et al., Online Hashing
    for Scalable Remote Sensing Image Retrieval, Remote Sensing 10(5), 2018), where the random and the learned part have
    these roles and training is a closed form.

    Args:
        bits: length l of the codes.
        weight: of the squared weights.
        seed: of the random projection.

    Attributes:
        mean_: `(d,)` mean of the training vectors.
        weights_: `(l, d)` W.

    References:
        Li, Ren: Partial Randomness Hashing for Large-Scale Remote Sensing Image Retrieval. IEEE GRSL 14(3), 2017.
    """

    def __init__(self, bits: int = 64, weight: float = 1.0, seed: int = 0):
        self.bits = bits
        self.weight = weight
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "PRH":
        """Draw the projection and find the weights; `y` is not used.

        Args:
            X: `(n, d)` real.
            y: ignored.

        Returns:
            The estimator itself.

        Raises:
            ValueError: if `bits` is no whole number above 0, or `X` is no matrix of finite numbers.
        """
        check_count("bits", self.bits)
        X = self._checked(X)
        self.mean_ = X.mean(axis=0)
        random = np.random.default_rng(self.seed).standard_normal((X.shape[1], self.bits)).astype(X.dtype)
        codes = np.where((X - self.mean_) @ random >= 0, 1, -1).astype(X.dtype)
        self.weights_ = ridge(codes, X - self.mean_, self.weight)
        return self

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return the real outputs `(n, l)` whose signs are the codes."""
        return (X - self.mean_) @ self.weights_.T
