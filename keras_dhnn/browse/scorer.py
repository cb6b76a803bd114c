"""Learn from a few right and wrong items what somebody looks for: a linear score of the bits of codes.

Ridge regression, weighted so that right and wrong items count alike however many there are of each, has a closed form:
it is fitted in milliseconds, and so is what each marked item would have got had it not been marked. Random items stand
in for what is wrong, so that a score can be learned from right ones alone.
"""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.codes import unpack

# Chosen on every third class of UC Merced, scored on the others (benchmarks/teach.py): wrong items are those that
# looked right, so they say less of an archive than random ones do.
RIDGE, WRONG_WEIGHT, BACKGROUND_WEIGHT = 30.0, 0.25, 4.0
_BLOCK = 1 << 15
# Of this many scores one is looked at to guess how high the best ones are.
_SAMPLED = 64


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
        """Return the scores of packed codes `(n, l / 8)` uint8: `(n,)` float32."""
        # For each two bytes of a code, the sum of their bits' weights is one of 65,536 values. Blocks stay in cache.
        pairs = np.ascontiguousarray(np.pad(codes, ((0, 0), (0, codes.shape[1] % 2)))).view("<u2")
        tables, scores = self._tables(), np.empty(len(codes), np.float32)
        for first in range(0, len(codes), _BLOCK):
            block = pairs[first : first + _BLOCK]
            parts = [table.take(column) for table, column in zip(tables, block.T, strict=True)]
            scores[first : first + _BLOCK] = sum(parts, np.float32(self.bias))
        return scores

    def _tables(self):
        """Return of each pair of bytes the sums of weights, `(65536,)` float32 each."""
        signs = unpack(np.arange(256, dtype=np.uint8)[:, None]).astype(np.float64)
        sums = signs @ self.weights.reshape(-1, 8).T
        sums = np.pad(sums, ((0, 0), (0, sums.shape[1] % 2)))
        low, high = sums[:, 0::2].T, sums[:, 1::2].T
        return [np.add.outer(two, one).astype(np.float32).ravel() for one, two in zip(low, high, strict=True)]


def fit(right: np.ndarray, wrong: np.ndarray, background: np.ndarray, *, ridge: float = RIDGE) -> Scorer:
    """Fit a score to marked items: 0 where there is most doubt, +1 for a usual right item.

    Args:
        right: `(r, l / 8)` uint8 codes of right items, r >= 1.
        wrong: `(w, l / 8)` of wrong ones, w >= 0.
        background: `(b, l / 8)` of random items, b >= 1.
        ridge: of the penalty, see `solve`.

    Returns:
        `Scorer`.
    """
    parts = (right, 1.0, 1.0), (wrong, -1.0, WRONG_WEIGHT), (background, -1.0, BACKGROUND_WEIGHT)
    bits = unpack(np.concatenate([codes for codes, _, _ in parts])).astype(np.float64)
    targets = np.concatenate([np.full(len(codes), target) for codes, target, _ in parts])
    weights = np.concatenate([np.full(len(codes), total / max(len(codes), 1)) for codes, _, total in parts])
    learned, bias, left_out = solve(bits, targets, weights, ridge)
    scores, marked = bits @ learned + bias, len(right) + len(wrong)
    usual, random = scores[: len(right)].mean(), scores[marked:].mean()
    other = scores[len(right) : marked].mean() if len(wrong) else random
    # The penalty draws all scores together: they are moved and stretched, which leaves their order as it is.
    middle, scale = (usual + min(other, usual)) / 2, max((usual - random) / 2, 1e-9)
    return Scorer(learned / scale, float((bias - middle) / scale), (left_out[:marked] - middle) / scale)


def solve(
    inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, ridge: float
) -> tuple[np.ndarray, float, np.ndarray]:
    """Minimise `sum_i w_i (x_i . v + b - y_i)^2 + ridge |v|^2`.

    Args:
        inputs: x, `(n, l)`.
        targets: y, `(n,)`.
        weights: w, `(n,)`.
        ridge: of the penalty.

    Returns:
        v `(l,)`, b, and `(n,)`: what each x would get had it not been among them (by its leverage, exactly).
    """
    whole = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    penalty = np.diag([ridge] * inputs.shape[1] + [1e-9])  # b is free
    inverse = np.linalg.inv(whole.T @ (weights[:, None] * whole) + penalty)
    learned = inverse @ (whole.T @ (weights * targets))
    leverage = weights * ((whole @ inverse) * whole).sum(axis=1)
    left_out = (whole @ learned - leverage * targets) / np.maximum(1 - leverage, 1e-9)
    return learned[:-1], float(learned[-1]), left_out


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` highest scores, the highest first; equal ones in order of place."""
    places = np.arange(len(scores))
    if 0 < count < len(scores):
        places = np.flatnonzero(scores >= _guess(scores, count))
        if len(places) < count:
            places = np.flatnonzero(scores >= np.partition(scores, len(scores) - count)[len(scores) - count])
    return places[np.argsort(-scores[places], kind="stable")][:count]


def _guess(scores, count):
    """Return a score that `count` items probably reach, and not many more."""
    sample = scores[::_SAMPLED]
    above = min(2 * count // _SAMPLED + 8, len(sample))
    return np.partition(sample, len(sample) - above)[len(sample) - above]


def most_doubtful(scores: np.ndarray, taken: np.ndarray, count: int = 400) -> np.ndarray:
    """Return the places of items with scores nearest to 0, but those that are `taken` (places, such as of marks)."""
    sureness = -np.abs(scores)
    sureness[taken] = -np.inf
    found = best(sureness, count)
    return found[np.isfinite(sureness[found])]


def suggest(scores: np.ndarray, codes: np.ndarray, marked: np.ndarray, count: int = 5) -> np.ndarray:
    """Choose items that are most worth a mark: in doubt, and unlike each other and what is marked.

    Args:
        scores: `(n,)` of doubtful items that are not marked.
        codes: `(n, l / 8)` uint8 of these.
        marked: `(m, l / 8)` of the marked ones.
        count: how many.

    Returns:
        `(count,)` places, fewer if there are fewer items.
    """
    doubt = 1 - np.minimum(np.abs(scores), 0.99)
    signs = unpack(codes).astype(np.float32)
    bits = signs.shape[1]
    chosen: list[int] = []
    # Distance of each to the nearest that is marked or chosen, as a share of the bits.
    apart = np.ones(len(codes), np.float32)
    if len(marked):
        apart = ((bits - signs @ unpack(marked).astype(np.float32).T) / (2 * bits)).min(axis=1)
    for _ in range(min(count, len(codes))):
        gains = np.where(np.isin(np.arange(len(codes)), chosen), -1, doubt * apart)
        chosen.append(int(gains.argmax()))
        apart = np.minimum(apart, (bits - signs @ signs[chosen[-1]]) / (2 * bits))
    return np.array(chosen, int)


def precision_at(k: int, ordered: np.ndarray, left_out: np.ndarray, right: int) -> dict[str, float | int | None]:
    """Estimate the share of right items among the k best; see `precision_above`.

    Args:
        k: how many.
        ordered: scores of all items, descending, as far as the k-th.
        left_out: `(m,)` scores of marked items, the right ones first.
        right: how many of those are right.

    Returns:
        `k`, and what `precision_above` returns.
    """
    least = ordered[min(k, len(ordered)) - 1] if len(ordered) else np.inf
    return {"k": k, **precision_above(float(least), left_out, right)}


def precision_above(least: float, left_out: np.ndarray, right: int) -> dict[str, float | int | None]:
    """Estimate the share of right items among those of some score or a higher one, from marked items of such scores.

    Each marked item counts with the score that it has without its own mark. Marks are given to what was shown, not to a
    random sample, so this is an estimate.

    Args:
        least: the score.
        left_out: `(m,)` scores of marked items, the right ones first.
        right: how many of those are right.

    Returns:
        `estimate`, `low` and `high` (Wilson's interval of 95 %), None where no marked item scores so high, and
        `marked`, how many do.
    """
    above = left_out >= least
    count, hits = int(above.sum()), int(above[:right].sum())
    if not count:
        return {"estimate": None, "low": None, "high": None, "marked": 0}
    low, high = wilson(hits, count)
    return {"estimate": hits / count, "low": low, "high": high, "marked": count}


def wilson(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Return Wilson's interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, denominator = hits / count, 1 + z**2 / count
    centre = (share + z**2 / (2 * count)) / denominator
    half = z / denominator * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
