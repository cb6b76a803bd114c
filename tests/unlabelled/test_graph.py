import numpy as np

from keras_dhnn.unlabelled.graph import locally_scaled, normalised
from keras_dhnn.unlabelled.neighbours import Neighbours, nearest_neighbours
from keras_dhnn.unlabelled.standard import standard_features
from tests.unlabelled.blobs import blobs


def test_weights_are_the_locally_scaled_kernel():
    # 0 and 2 are nearest to 1, which is nearest to 0. Scales are the distances to the one neighbour.
    found = Neighbours(np.array([[1], [0], [1]]), np.array([[0.9], [0.9], [0.6]], np.float32))
    graph = locally_scaled(found).toarray()
    np.testing.assert_allclose(graph[0, 1], np.exp(-1), rtol=1e-5)
    np.testing.assert_allclose(graph[1, 2], np.exp(-(0.4**2) / (0.4 * 0.1)), rtol=1e-4)
    assert graph[0, 2] == 0
    np.testing.assert_array_equal(graph, graph.T)
    np.testing.assert_array_equal(np.diag(graph), 0)


def test_an_item_far_from_a_heap_of_duplicates_is_still_joined():
    features = np.concatenate([np.zeros((12, 4)), np.ones((1, 4)), -np.eye(4)])
    graph = locally_scaled(nearest_neighbours(standard_features(features), 8))
    assert np.all(np.asarray(graph.sum(axis=1)) > 0)


def test_normalised_is_the_closed_form_and_contracts():
    graph = locally_scaled(nearest_neighbours(standard_features(blobs(3, 20)[0]), 5))
    dense = graph.toarray()
    root = np.diag(1 / np.sqrt(dense.sum(axis=1)))
    np.testing.assert_allclose(normalised(graph).toarray(), root @ dense @ root, atol=1e-6)
    np.testing.assert_allclose(np.linalg.eigvalsh(normalised(graph).toarray()).max(), 1, atol=1e-5)
