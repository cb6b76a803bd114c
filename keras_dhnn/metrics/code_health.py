"""Measure whether hash codes use their bits: balance, correlation, entropy, collapse, distances of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.codes import check_packed
from keras_dhnn.errors import invalid
from keras_dhnn.metrics.arguments import check_length
from keras_dhnn.metrics.groups import group, words

# Codes whose bits are unpacked at a time; sums of that many signs are exact in float32.
_CHUNK = 2**16


@dataclass(frozen=True, eq=False)
class CodeHealth:
    """Describe what `code_health` found.

    Attributes:
        codes: number of codes, n.
        distinct_codes: how many of them differ. One is a collapse.
        code_entropy: of the distribution of codes, in bits; at most `min(l, log2(n))`.
        bit_balance: `(l,)` float64, the share of codes in which each bit is 1; 0.5 is best.
        bit_entropy: `(l,)` float64, of each bit, in bits; 1 is best, 0 is a dead bit.
        bit_correlation: `(l, l)` float64, Pearson's between bits; 0 off the diagonal is best. A dead bit
            correlates with none: its row and column are 0.
        quantization_gap: mean of `||f| - 1|` over items and bits, what is lost in taking signs; None without
            outputs.
        distance_within: mean Hamming distance of two items of the same class, in bits; None without labels,
            or if no class has two items.
        distance_between: mean Hamming distance of two items of different classes; None without labels, or if
            there is only one class.
    """

    codes: int
    distinct_codes: int
    code_entropy: float
    bit_balance: np.ndarray
    bit_entropy: np.ndarray
    bit_correlation: np.ndarray
    quantization_gap: float | None
    distance_within: float | None
    distance_between: float | None

    def scalars(self) -> dict[str, float | None]:
        """Return one number for each finding, for tables and logs: name -> int, float or None."""
        off_diagonal = np.abs(self.bit_correlation[~np.eye(len(self.bit_correlation), dtype=bool)])
        return {
            "codes": self.codes,
            "distinct_codes": self.distinct_codes,
            "code_entropy": self.code_entropy,
            "mean_bit_imbalance": float(np.abs(2 * self.bit_balance - 1).mean()),
            "mean_bit_entropy": float(self.bit_entropy.mean()),
            "dead_bits": int((self.bit_entropy == 0).sum()),
            "mean_absolute_correlation": float(off_diagonal.mean()),
            "largest_absolute_correlation": float(off_diagonal.max()),
            "quantization_gap": self.quantization_gap,
            "distance_within": self.distance_within,
            "distance_between": self.distance_between,
        }


def code_health(codes: ArrayLike, labels: ArrayLike | None = None, outputs: ArrayLike | None = None) -> CodeHealth:
    """Return the health of packed codes, in one pass over their bits.

    Args:
        codes: `(n, l / 8)` uint8, packed.
        labels: `(n,)` labels, for the distances within and between classes; or None.
        outputs: `(n, l)` real outputs of the hash layer, for the quantisation gap; or None.

    Returns:
        `CodeHealth`.

    Raises:
        ValueError: if an argument is not of that shape.
    """
    codes = check_packed("codes", codes, 1)
    bits = 8 * codes.shape[1]
    sizes = group(*words(codes)).sizes
    ones, products = _moments(codes)
    balance = ones / len(codes)
    within, between = (None, None) if labels is None else _class_distances(codes, labels, ones)
    return CodeHealth(
        codes=len(codes),
        distinct_codes=len(sizes),
        code_entropy=float((sizes / len(codes) * np.log2(len(codes) / sizes)).sum()),
        bit_balance=balance,
        bit_entropy=_binary_entropy(balance),
        bit_correlation=_correlation(products / len(codes), 2 * balance - 1),
        quantization_gap=None if outputs is None else _quantization_gap(outputs, (len(codes), bits)),
        distance_within=within,
        distance_between=between,
    )


def _moments(codes):
    """Return how often each bit is 1, `(l,)` int64, and sums of products of two bits' signs, `(l, l)` float64."""
    bits = 8 * codes.shape[1]
    ones, products = np.zeros(bits, np.int64), np.zeros((bits, bits))
    for start in range(0, len(codes), _CHUNK):
        unpacked = np.unpackbits(codes[start : start + _CHUNK], axis=1)
        signs = 2 * unpacked.astype(np.float32) - 1
        ones += unpacked.sum(axis=0, dtype=np.int64)
        products += signs.T @ signs
    return ones, products


def _binary_entropy(share):
    """Return the entropy in bits of something that is 1 with probability `share`; 0 log 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [-p * np.log2(p) for p in (share, 1 - share)]
    return sum(np.where((share > 0) & (share < 1), term, 0.0) for term in terms)


def _correlation(products, means):
    """Return Pearson's correlation from means of products and of signs; 0 for a bit that never changes."""
    covariance = products - np.outer(means, means)
    deviation = np.sqrt(1 - means**2)
    scale = np.outer(deviation, deviation)
    return np.where(scale > 0, covariance / np.where(scale > 0, scale, 1), 0.0)


def _quantization_gap(outputs, shape):
    """Return the mean of `||f| - 1|`, by chunks."""
    outputs = np.asarray(outputs)
    if outputs.shape != shape:
        raise ValueError(
            invalid("argument `outputs`", f"the outputs behind the codes, shape {shape}", shape=outputs.shape)
        )
    gap = 0.0
    for start in range(0, len(outputs), _CHUNK):
        gap += np.abs(np.abs(outputs[start : start + _CHUNK].astype(np.float64)) - 1).sum()
    return float(gap / outputs.size)


def _class_distances(codes, labels, ones):
    """Compute mean distances of two items of the same class, and of different ones.

    Of m items of which o have a bit set, o (m - o) unordered pairs differ in it: sums over pairs need no
    pairs.
    """
    labels = check_length("labels", labels, len(codes))
    if labels.ndim != 1:
        raise ValueError(invalid("argument `labels`", "one label an item, shape (n,)", shape=labels.shape))
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(labels[order][1:] != labels[order][:-1]) + 1
    differing = pairs = 0
    for members in np.split(order, bounds):
        class_ones = sum(
            np.unpackbits(codes[members[start : start + _CHUNK]], axis=1).sum(axis=0, dtype=np.int64)
            for start in range(0, len(members), _CHUNK)
        )
        differing += int((class_ones * (len(members) - class_ones)).sum())
        pairs += len(members) * (len(members) - 1) // 2
    all_differing, all_pairs = int((ones * (len(codes) - ones)).sum()), len(codes) * (len(codes) - 1) // 2
    within = differing / pairs if pairs else None
    between = (all_differing - differing) / (all_pairs - pairs) if all_pairs > pairs else None
    return within, between
