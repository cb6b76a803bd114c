"""Spread given labels over the neighbour graph."""

from collections.abc import Callable

import numpy as np
import scipy.sparse

from keras_dhnn.unlabelled.diffusion import multiply
from keras_dhnn.unlabelled.graph import normalised

# The share of each round that comes from neighbours, the rest being what is given; and the rounds.
SPREAD, ROUNDS = 0.95, 50


def propagate(
    graph: scipy.sparse.csr_array,
    given: np.ndarray,
    *,
    spread: float = SPREAD,
    rounds: int = ROUNDS,
    progress: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Return the mass of each label that reaches each item over the graph.

    `F <- spread N F + (1 - spread) Y` from F = Y, N being the normalised graph, converges to
    `(1 - spread) (I - spread N)^-1 Y` (local and global consistency, Zhou et al., NIPS 2003).

    Args:
        graph: `(n, n)` from `locally_scaled`.
        given: Y, `(n, c)`, 1 where an item is given a label, 0 elsewhere.
        spread: above 0 and below 1.
        rounds: of the recursion.
        progress: called with the number of rounds done.

    Returns:
        `(n, c)` float32, 0 or more.
    """
    walks, source = normalised(graph), (1 - spread) * given.astype(np.float32)
    mass = given.astype(np.float32)
    for number in range(1, rounds + 1):
        mass = spread * multiply(walks, mass) + source
        if progress is not None:
            progress(number)
    return mass
