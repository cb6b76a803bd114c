"""Sort items into cells, each around a centre, so that neighbours are looked for nearby only."""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.directions import unit_rows

# Items a cell, about; and the cells that are looked through around each, chosen on a million vectors for nine in ten of
# the neighbours (benchmarks/neighbour_graph.py).
CELL_ITEMS = 400
NEAR = 16
_TRAINED_ON = 40  # items a centre
_PASSES = 8
_BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Cells:
    """Describe a partition of items into cells.

    Attributes:
        near: `(c, p)` int, the cells nearest to each, itself left out, the nearest first.
        order: `(n,)` item numbers, sorted by cell.
        firsts: `(c + 1,)` where each cell begins in `order`.
    """

    near: np.ndarray
    order: np.ndarray
    firsts: np.ndarray

    def items(self, cell: int) -> np.ndarray:
        """Return the item numbers of a cell."""
        return self.order[self.firsts[cell] : self.firsts[cell + 1]]


def make_cells(units: np.ndarray, seed: int = 0) -> Cells:
    """Sort items into cells of some hundred by spherical k-means on a sample.

    Args:
        units: `(n, d)` float32 rows of length 1.
        seed: of the sample and the first centres.

    Returns:
        `Cells`.
    """
    random = np.random.default_rng(seed)
    count = max(2, len(units) // CELL_ITEMS)
    sample = units[np.sort(random.choice(len(units), min(len(units), _TRAINED_ON * count), replace=False))]
    centres = _centres(sample, count, random)
    cell = _nearest_centre(units, centres)
    order = np.argsort(cell, kind="stable")
    firsts = np.searchsorted(cell[order], np.arange(count + 1))
    between = centres @ centres.T
    np.fill_diagonal(between, -2)
    near = np.argsort(-between, axis=1, kind="stable")[:, : min(NEAR, count - 1)]
    return Cells(near, order, firsts)


def _centres(sample, count, random):
    """Return `(count, d)` float32 unit vectors, by Lloyd's passes over the sample; an empty cell moves to a random
    item.
    """
    centres = sample[random.choice(len(sample), count, replace=False)]
    for _ in range(_PASSES):
        cell = _nearest_centre(sample, centres)
        order = np.argsort(cell, kind="stable")
        present, firsts = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], firsts, axis=0)
        centres = sample[random.choice(len(sample), count, replace=False)]
        centres[present] = unit_rows(sums)
    return centres


def _nearest_centre(units, centres):
    """Return `(n,)` number of the centre of the largest cosine similarity."""
    nearest = np.empty(len(units), np.int32)
    for first in range(0, len(units), _BLOCK):
        nearest[first : first + _BLOCK] = (units[first : first + _BLOCK] @ centres.T).argmax(axis=1)
    return nearest
