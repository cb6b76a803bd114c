"""Gather what frozen features say of a collection before anybody has named a class."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse

from keras_dhnn.unlabelled.diffusion import diffuse
from keras_dhnn.unlabelled.graph import NEIGHBOURS, locally_scaled
from keras_dhnn.unlabelled.neighbours import EXACT, nearest_neighbours
from keras_dhnn.unlabelled.standard import DIMENSIONS, standard_features


class Structure(NamedTuple):
    """Describe a collection's features, graph and walks.

    Attributes:
        units: `(n, d)` float32, standardised features as unit vectors.
        graph: `(n, n)` sparse, see `locally_scaled`.
        walks: `(n, m)` float32, see `diffuse`.
    """

    units: np.ndarray
    graph: scipy.sparse.csr_array
    walks: np.ndarray


def find_structure(
    features: np.ndarray, *, k: int = NEIGHBOURS, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Structure:
    """Measure which items are alike by their own features, by their neighbours, and by the whole collection.

    Args:
        features: `(n, d)` real, of frozen layers; may be a memory map.
        k: neighbours of each item in the graph; a collection of no more than k items has fewer.
        seed: of all sampling, which only large collections need.
        progress: called with the number of items whose neighbours are found.

    Returns:
        `Structure`.

    Raises:
        ValueError: if there are fewer than two items, or a value is not finite.
    """
    units = standard_features(features, None if len(features) <= EXACT else DIMENSIONS, seed)
    graph = locally_scaled(nearest_neighbours(units, min(k, len(units) - 1), seed=seed, progress=progress))
    return Structure(units, graph, diffuse(graph, seed=seed))
