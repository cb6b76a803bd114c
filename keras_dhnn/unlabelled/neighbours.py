"""Find the nearest neighbours of every item among all items, in blocks that memory allows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from keras_dhnn.errors import invalid
from keras_dhnn.unlabelled.cells import make_cells

# Up to so many items every pair is compared; of more, those of near cells.
EXACT = 20_000
_BLOCK_BYTES = 64 << 20
_THREADS = 2


class Neighbours(NamedTuple):
    """Describe the nearest other items of each item, the nearest first.

    Attributes:
        numbers: `(n, k)` int32 item numbers.
        similarities: `(n, k)` float32 cosines.
    """

    numbers: np.ndarray
    similarities: np.ndarray


def nearest_neighbours(
    units: np.ndarray, k: int, *, exact: int = EXACT, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Neighbours:
    """Find the k items of the largest cosine similarity to each item, itself left out.

    Up to `exact` items all pairs are compared. More are sorted into cells around some of them, and an item is compared
    with those of the cells nearest to its own: some neighbours are missed, `benchmarks/neighbour_graph.py` says how
    many.

    Args:
        units: `(n, d)` float32 rows of length 1, see `standard_features`.
        k: neighbours of each item, fewer than n.
        exact: see above.
        seed: of the cells.
        progress: called with the number of items done.

    Returns:
        `Neighbours`.

    Raises:
        ValueError: if there are not more than k items.
    """
    if not 1 <= k < len(units):
        raise ValueError(invalid("argument `k`", f"1 to {len(units) - 1}, fewer than the items", k=k))
    numbers, similarities = np.empty((len(units), k), np.int32), np.empty((len(units), k), np.float32)
    searches = _all_pairs(len(units)) if len(units) <= exact else _near_cells(units, k, seed)
    done = 0

    def search(rows: np.ndarray, candidates: np.ndarray | slice) -> int:
        numbers[rows], similarities[rows] = _nearest_among(units, rows, candidates, k)
        return len(rows)

    with threadpool_limits(1), ThreadPoolExecutor(_THREADS) as pool:
        for count in pool.map(search, *zip(*searches, strict=True)):
            done += count
            if progress is not None:
                progress(done)
    return Neighbours(numbers, similarities)


def _all_pairs(count):
    """Return (rows, candidates) that compare everything with everything."""
    everything, step = np.arange(count), max(1, _BLOCK_BYTES // (4 * count))
    return [(everything[first : first + step], slice(None)) for first in range(0, count, step)]


def _near_cells(units, k, seed):
    """Return (rows, candidates) that compare the items of a cell with those of the cells nearest to it."""
    cells = make_cells(units, seed)
    searches = []
    for cell, near in enumerate(cells.near):
        rows = cells.items(cell)
        candidates, needed = [rows], 4 * k
        for other in near:
            candidates.append(cells.items(other))
        found = np.concatenate(candidates)
        if len(found) <= needed:
            found = np.arange(len(units))
        step = max(1, _BLOCK_BYTES // (4 * len(found)))
        searches += [(rows[first : first + step], found) for first in range(0, len(rows), step)]
    return searches


def _nearest_among(units, rows, candidates, k):
    """Return `(numbers, similarities)`, `(r, k)` each, of the nearest candidates of some items, themselves left out."""
    similarities = units[rows] @ units[candidates].T
    names = np.arange(len(units)) if isinstance(candidates, slice) else candidates
    similarities[names[None, :] == rows[:, None]] = -2
    found = np.argpartition(similarities, -k, axis=1)[:, -k:]
    values = np.take_along_axis(similarities, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return names[np.take_along_axis(found, order, axis=1)], np.take_along_axis(values, order, axis=1)
