"""Bring vectors to length 1, whose inner products are cosines. NumPy only."""

import numpy as np


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Return rows `(n, d)`, real, divided by their lengths; a row of zeros stays so."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
