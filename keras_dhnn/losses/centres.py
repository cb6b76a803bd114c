"""Find codes for classes that are as far apart as codes of that length can be, or nearly. NumPy only."""

import numpy as np
from scipy.linalg import hadamard

# Codes that are drawn to find one that is far from all chosen so far.
_CANDIDATES = 4096


def hash_centres(classes: int, bits: int, seed: int = 0) -> np.ndarray:
    """Choose a code for each class (CSQ, section 3.2).

    Rows of Hadamard matrices differ in half of their bits, and with their opposites that is the best there is. A length
    that is no power of two is put together of some that are: 96 of 64 and 32. With more classes than these have rows,
    the code of each other class is the farthest from those chosen, of some drawn at random.

    Args:
        classes: C, above 0.
        bits: l, above 0.
        seed: of what is drawn, and of the order of rows.

    Returns:
        `(C, l)` int8 in {-1, +1}; no two rows are equal unless there are fewer codes than classes.
    """
    random = np.random.default_rng(seed)
    lengths = [1 << place for place in range(bits.bit_length()) if bits >> place & 1][::-1]
    rows = np.arange(2 * lengths[0])
    codes = np.concatenate([_rows(length, rows) for length in lengths], axis=1).astype(np.int8)
    chosen = codes[: lengths[0]][random.permutation(lengths[0])[:classes]]
    chosen = np.concatenate([chosen, codes[lengths[0] :]])[:classes]
    while len(chosen) < classes:
        drawn = random.choice(np.array([-1, 1], np.int8), (_CANDIDATES, bits))
        distances = (bits - drawn.astype(np.int32) @ chosen.T.astype(np.int32)) // 2
        chosen = np.concatenate([chosen, drawn[None, distances.min(axis=1).argmax()]])
    return chosen


def _rows(length: int, numbers: np.ndarray) -> np.ndarray:
    """Return rows of the Hadamard matrix of a power of two, then their opposites, then the same again."""
    signs = 1 - 2 * (numbers // length % 2)
    return hadamard(length)[numbers % length] * signs[:, None]
