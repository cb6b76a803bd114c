"""Measure how alike two images are by the whole collection: walks over the neighbour graph, no number of clusters."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse

from keras_dhnn.directions import unit_rows
from keras_dhnn.unlabelled.graph import normalised

# Up to so many items walks end in items; of more, in random mixtures of them.
EXACT = 4096
MIXTURES = 256
# Where similarity is in doubt, and how steep it is there.
THRESHOLD, STEEPNESS = 0.5, 15.0
# Walks grow until one pair in so many is similar: classes are fewer in most collections.
SIMILAR_SHARE = 1 / 30
LEAST_STEPS, MOST_STEPS = 2, 16
_SAMPLE = 1000
_THREADS = 2


def diffuse(
    graph: scipy.sparse.csr_array,
    *,
    share: float = SIMILAR_SHARE,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return a vector for each item, by which items are alike if random walks from them end in the same places.

    Rows of `N^t`, N being the normalised graph (diffusion maps, Coifman and Lafon 2006, with the cosine in the place of
    the distance). No number of clusters is asked for: from `LEAST_STEPS` to `MOST_STEPS`, t grows until `share` of all
    pairs are similar. For more than `EXACT` items the columns are mixed at random, which keeps cosines within some
    hundredths (Johnson and Lindenstrauss 1984).

    Args:
        graph: `(n, n)` from `locally_scaled`.
        share: see above.
        seed: of the mixing, and of the pairs by which the share is measured.
        progress: called with the number of steps done.

    Returns:
        `(n, min(n, EXACT))` or `(n, MIXTURES)` float32, rows of length 1. `walk_similarity` compares them.
    """
    random, walks = np.random.default_rng(seed), normalised(graph)
    count = graph.shape[0]
    exact = count <= EXACT
    places = np.eye(count, dtype=np.float32) if exact else random.standard_normal((count, MIXTURES), np.float32)
    sample = np.sort(random.choice(count, min(count, _SAMPLE), replace=False))
    for step in range(1, MOST_STEPS + 1):
        places = multiply(walks, places)
        if progress is not None:
            progress(step)
        if step >= LEAST_STEPS and _similar_share(places[sample]) >= share:
            break
    return unit_rows(places)


def walk_similarity(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return how similar items are, `(n, m)` in 0 to 1, by their vectors `(n, d)` and `(m, d)` from `diffuse`."""
    return 1 / (1 + np.exp(-STEEPNESS * (rows @ columns.T - THRESHOLD)))


def multiply(matrix: scipy.sparse.csr_array, dense: np.ndarray) -> np.ndarray:
    """Return the product of a sparse `(n, n)` and a dense `(n, d)` matrix, some rows a thread."""
    bounds = np.linspace(0, matrix.shape[0], _THREADS + 1).astype(int)
    product = np.empty(dense.shape, np.float32)

    def part(first: int, last: int) -> None:
        product[first:last] = matrix[first:last] @ dense

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(part, bounds[:-1], bounds[1:]))
    return product


def _similar_share(places):
    """Return the share of the pairs of different items that are similar."""
    units = unit_rows(places)
    similarity = walk_similarity(units, units)
    return (similarity.sum() - np.trace(similarity)) / (len(units) * max(len(units) - 1, 1))
