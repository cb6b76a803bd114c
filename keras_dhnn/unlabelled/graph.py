"""Build the neighbour graph of a collection: which images are alike, as far as frozen features can tell."""

import numpy as np
import scipy.sparse

from keras_dhnn.unlabelled.neighbours import Neighbours

NEIGHBOURS = 10
# The neighbour whose distance is an item's own scale (Zelnik-Manor and Perona 2004).
_SCALE_OF = 7
_LEAST_WEIGHT = 1e-3


def locally_scaled(neighbours: Neighbours) -> scipy.sparse.csr_array:
    """Return neighbours as a graph whose weights fall with distance, measured by both items' own scale.

    The weight of items i and j at cosine distance d is `exp(-d^2 / (s_i s_j))`, s being an item's distance to its 7th
    neighbour (self-tuning, Zelnik-Manor and Perona, NIPS 2004): sparse and dense regions hold together alike. They are
    joined if either is a neighbour of the other.

    Args:
        neighbours: `Neighbours` of n items.

    Returns:
        `(n, n)` float32, symmetric.
    """
    numbers, similarities = neighbours
    count, k = numbers.shape
    distances = np.maximum(1 - similarities, 0)
    scale = np.maximum(distances[:, min(_SCALE_OF, k) - 1], 1e-6)
    weights = np.exp(-(distances**2) / (scale[:, None] * scale[numbers]))
    entries = np.maximum(weights, _LEAST_WEIGHT).ravel(), numbers.ravel(), np.arange(0, count * k + 1, k)
    directed = scipy.sparse.csr_array(entries, shape=(count, count))
    return scipy.sparse.csr_array(directed.maximum(directed.T).astype(np.float32))


def normalised(graph: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return `D^-1/2 W D^-1/2` of a graph's weights W, D being the diagonal of their sums; its eigenvalues are <= 1."""
    root = 1 / np.sqrt(np.maximum(graph.sum(axis=1), np.finfo(np.float32).tiny)).astype(np.float32)
    scaled = graph.tocoo()
    rows, columns = scaled.coords
    values = scaled.data * root[rows] * root[columns]
    return scipy.sparse.csr_array((values, (rows, columns)), shape=graph.shape)
