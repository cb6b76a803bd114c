"""Compute the quantisation loss: network outputs stay close to the bits that they become."""

from typing import Any

import tensorflow as tf

from keras_dhnn.errors import invalid
from keras_dhnn.losses.batch_loss import BatchLoss

NORMS = ("l1", "l2")


def quantization(outputs: tf.Tensor, norm: str = "l2", codes: tf.Tensor | None = None) -> tf.Tensor:
    """Return the distance of outputs `f` from their codes `b`, which are constants for the gradient.

    L1 (DHNNs-L1 eq. 3) is the mean of `|f - b|`, L2 (DHNNs-L2 eq. 5) that of `(f - b)^2`, over items and bits.

    Args:
        outputs: `(n, l)` float32.
        norm: "l1" or "l2".
        codes: `(n, l)` in {-1, +1}, where they are not `sign(f)`: SIDHCNN's are common to two sources.

    Returns:
        Scalar float32.

    Raises:
        ValueError: if `norm` is neither.
    """
    if norm not in NORMS:
        raise ValueError(invalid("argument `norm`", f"one of {', '.join(NORMS)}", norm))
    codes = signs(outputs) if codes is None else codes
    gaps = outputs - tf.stop_gradient(tf.cast(codes, outputs.dtype))
    return tf.reduce_mean(tf.abs(gaps) if norm == "l1" else tf.square(gaps))


def signs(outputs: tf.Tensor) -> tf.Tensor:
    """Return `(n, l)` float32 in {-1, +1}, with `sign(0) = +1`."""
    return tf.where(outputs >= 0, 1.0, -1.0)


class Quantization(BatchLoss):
    """Compute `quantization` as a Keras loss; it looks at outputs only.

    Args:
        norm: "l1" or "l2".
        name: name of the loss.
    """

    def __init__(self, norm: str = "l2", name: str = "quantization") -> None:
        super().__init__(name)
        self.norm = norm

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the loss of outputs `(n, l)`; the labels are not used."""
        return quantization(y_pred, self.norm)

    def get_config(self) -> dict[str, Any]:
        return {"norm": self.norm, "name": self.name}


def eta_in_means(eta_paper: float, pairs_per_item: int, similarity_factor: float, *, pairs: str = "batch") -> float:
    """Return the weight that makes our loss of means equal, up to scale, to the papers' loss of sums.

    The papers' eta weighs a sum over pairs against a sum over items and bits, and their gradient (eq. 11) lacks
    its factor. `eta = c * eta_paper / (pairs_per_item * s)`, with c = 2 where both ends of a pair are trained
    (in-batch pairs) and 1 where one end is a constant (a memory bank).

    Args:
        eta_paper: eta as in Tables II, III, VI and VII of DHNN.
        pairs_per_item: batch size for in-batch pairs, number of items in the bank for memory pairs.
        similarity_factor: s.
        pairs: "batch" or "memory".

    Returns:
        Our eta, a float. E.g. 50 at s = 0.5 is 0.0135 for a bank of 7,400 and 1.56 for a batch of 128.
    """
    ends = {"batch": 2, "memory": 1}[pairs]
    return ends * eta_paper / (pairs_per_item * similarity_factor)
