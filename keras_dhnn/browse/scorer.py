"""Learn from a few right and wrong items what somebody looks for: a linear score of the bits of codes.

Ridge regression, weighted so that right and wrong items count alike however many there are of each, has a closed form:
it is fitted in milliseconds, and so is what each marked item would have got had it not been marked. Random items stand
in for what is wrong, lightly, so that a score can be learned from right ones alone.
"""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.codes import unpack

# Chosen on EuroSAT's codes, see benchmarks/teach.py.
RIDGE = 0.3
BACKGROUND_WEIGHT = 0.5


@dataclass(frozen=True)
class Scorer:
    """Describe what was learned.

    Attributes:
        weights: `(l,)` float64, of bits as -1 and +1.
        bias: what is added.
        left_out: `(n,)` score of each marked item, the right ones first, by what is learned without it.
    """

    weights: np.ndarray
    bias: float
    left_out: np.ndarray

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Return the scores of packed codes `(n, l / 8)` uint8: `(n,)` float32, +1 for right, -1 for wrong."""
        # For each byte of a code, the sum of its eight bits' weights is one of 256 values.
        signs = unpack(np.arange(256, dtype=np.uint8)[:, None]).astype(np.float64)
        tables = (signs @ self.weights.reshape(-1, 8).T).T.astype(np.float32)
        scores = np.full(len(codes), self.bias, np.float32)
        for table, column in zip(tables, codes.T, strict=True):
            scores += table[column]
        return scores


def fit(right: np.ndarray, wrong: np.ndarray, background: np.ndarray, *, ridge: float = RIDGE) -> Scorer:
    """Fit a score to marked items.

    Minimises `sum_i w_i (x_i . v + b - y_i)^2 + ridge |v|^2`, where the weights of right items sum to 1, those of wrong
    ones to 1, and those of the background, whose y is -1 as well, to `BACKGROUND_WEIGHT`.

    Args:
        right: `(r, l / 8)` uint8 codes of right items, r >= 1.
        wrong: `(w, l / 8)` of wrong ones, w >= 0.
        background: `(b, l / 8)` of random items.
        ridge: of the penalty.

    Returns:
        `Scorer`.
    """
    parts = (right, 1.0, 1.0), (wrong, -1.0, 1.0), (background, -1.0, BACKGROUND_WEIGHT)
    bits = unpack(np.concatenate([codes for codes, _, _ in parts])).astype(np.float64)
    inputs = np.concatenate([bits, np.ones((len(bits), 1))], axis=1)
    targets = np.concatenate([np.full(len(codes), target) for codes, target, _ in parts])
    weights = np.concatenate([np.full(len(codes), total / max(len(codes), 1)) for codes, _, total in parts])
    penalty = np.diag([ridge] * bits.shape[1] + [1e-9])  # the bias is free
    inverse = np.linalg.inv(inputs.T @ (weights[:, None] * inputs) + penalty)
    learned = inverse @ (inputs.T @ (weights * targets))
    marked = len(right) + len(wrong)
    leverage = weights[:marked] * np.einsum("ij,jk,ik->i", inputs[:marked], inverse, inputs[:marked])
    fitted = inputs[:marked] @ learned
    left_out = (fitted - leverage * targets[:marked]) / np.maximum(1 - leverage, 1e-9)
    return Scorer(learned[:-1], float(learned[-1]), left_out)


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` highest scores, the highest first; equal ones in order of place."""
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        places = np.flatnonzero(scores >= least)
    else:
        places = np.arange(len(scores))
    return places[np.argsort(-scores[places], kind="stable")][:count]


def suggest(scores: np.ndarray, codes: np.ndarray, marked: np.ndarray, count: int = 5) -> np.ndarray:
    """Choose items that are most worth a mark: in doubt, and unlike each other and what is marked.

    Args:
        scores: `(n,)` of items that are not marked.
        codes: `(n, l / 8)` uint8 of these.
        marked: `(m, l / 8)` of the marked ones.
        count: how many.

    Returns:
        `(count,)` places, fewer if there are fewer items.
    """
    doubtful = best(-np.abs(scores), 400)
    doubt = 1 - np.minimum(np.abs(scores[doubtful]), 0.99)
    signs = unpack(codes[doubtful]).astype(np.float32)
    bits, chosen = signs.shape[1], []
    # Distance of each to the nearest that is marked or chosen, as a share of the bits.
    apart = np.ones(len(doubtful), np.float32)
    if len(marked):
        apart = ((bits - signs @ unpack(marked).astype(np.float32).T) / (2 * bits)).min(axis=1)
    for _ in range(min(count, len(doubtful))):
        gains = np.where(np.isin(np.arange(len(doubtful)), chosen), -1, doubt * apart)
        chosen.append(int(gains.argmax()))
        apart = np.minimum(apart, (bits - signs @ signs[chosen[-1]]) / (2 * bits))
    return doubtful[chosen]


def precision_at(k: int, ordered: np.ndarray, left_out: np.ndarray, right: int) -> dict[str, float | int | None]:
    """Estimate the share of right items among the k best, from the marked items that score as they do.

    Each marked item counts with the score that it has without its own mark. Marks are given to what was shown, not to a
    random sample, so this is an estimate.

    Args:
        k: how many.
        ordered: scores of all items, descending, as far as the k-th.
        left_out: `(m,)` scores of marked items, the right ones first.
        right: how many of those are right.

    Returns:
        `k`, `estimate`, `low` and `high` (Wilson's interval of 95 %), None where no marked item scores so high, and
        `marked`, how many do.
    """
    least = ordered[min(k, len(ordered)) - 1] if len(ordered) else np.inf
    above = left_out >= least
    count, hits = int(above.sum()), int(above[:right].sum())
    if not count:
        return {"k": k, "estimate": None, "low": None, "high": None, "marked": 0}
    low, high = wilson(hits, count)
    return {"k": k, "estimate": hits / count, "low": low, "high": high, "marked": count}


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, denominator = hits / count, 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / denominator
    half = z / denominator * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
