import numpy as np
import pytest
import scipy.sparse

from keras_dhnn.unlabelled import diffusion
from keras_dhnn.unlabelled.diffusion import LEAST_STEPS, MOST_STEPS, diffuse, multiply, walk_similarity
from keras_dhnn.unlabelled.graph import locally_scaled, normalised
from keras_dhnn.unlabelled.neighbours import nearest_neighbours
from keras_dhnn.unlabelled.standard import standard_features
from tests.unlabelled.blobs import blobs


def graph_of(classes, per_class, k=8, **how):
    features, labels = blobs(classes, per_class, **how)
    return locally_scaled(nearest_neighbours(standard_features(features), k)), labels


@pytest.mark.parametrize(("share", "steps"), [(0.0, LEAST_STEPS), (1.0, MOST_STEPS)])
def test_vectors_are_rows_of_a_power_of_the_normalised_graph(share, steps):
    graph, _ = graph_of(4, 30, noise=1.0)
    done = []
    vectors = diffuse(graph, share=share, progress=done.append)
    power = np.linalg.matrix_power(normalised(graph).toarray().astype(np.float64), steps)
    np.testing.assert_allclose(vectors, power / np.linalg.norm(power, axis=1, keepdims=True), atol=1e-5)
    assert done == list(range(1, steps + 1))


def test_walks_stop_at_the_first_step_that_reaches_the_share():
    graph, _ = graph_of(2, 100, k=4, noise=1.2)
    walks, steps = normalised(graph).toarray(), []
    vectors = diffuse(graph, share=0.1, progress=steps.append)
    assert LEAST_STEPS < len(steps) < MOST_STEPS

    def share(power):
        units = np.linalg.matrix_power(walks, power)
        units /= np.linalg.norm(units, axis=1, keepdims=True)
        similar = walk_similarity(units, units)
        return (similar.sum() - np.trace(similar)) / (200 * 199)

    assert share(len(steps) - 1) < 0.1 <= share(len(steps))
    similar = walk_similarity(vectors, vectors)
    np.testing.assert_allclose((similar.sum() - np.trace(similar)) / (200 * 199), share(len(steps)), rtol=1e-3)


def test_what_no_walk_joins_is_dissimilar_and_what_many_join_is_similar():
    graph, labels = graph_of(3, 40, noise=0.1)
    vectors = diffuse(graph, share=1.0)
    similar = walk_similarity(vectors, vectors)
    same = labels[:, None] == labels
    assert similar[~same].max() < 0.001
    assert similar[same].mean() > 0.9


def test_mixtures_keep_similarity(monkeypatch):
    graph, _ = graph_of(6, 60)
    exact = diffuse(graph, share=0.1)
    monkeypatch.setattr(diffusion, "EXACT", 10)
    mixed = diffuse(graph, share=0.1)
    assert mixed.shape == (360, diffusion.MIXTURES)
    assert np.abs(mixed @ mixed.T - exact @ exact.T).std() < 2 / np.sqrt(diffusion.MIXTURES)
    assert np.corrcoef((mixed @ mixed.T).ravel(), (exact @ exact.T).ravel())[0, 1] > 0.97


def test_multiply_is_the_product():
    graph, _ = graph_of(2, 21)
    dense = np.random.default_rng(0).standard_normal((42, 3)).astype(np.float32)
    np.testing.assert_allclose(multiply(graph, dense), graph.toarray() @ dense, atol=1e-5)


def test_similarity_is_the_logistic_of_the_cosine():
    units = np.array([[1.0, 0.0], [0.6, 0.8]])
    expected = 1 / (1 + np.exp(-15 * (np.array([[1, 0.6], [0.6, 1]]) - 0.5)))
    np.testing.assert_allclose(walk_similarity(units, units), expected)


def test_a_large_collection_is_no_square_matrix():
    count = 100_000  # squared, 40 GB
    numbers = np.arange(count)
    ring = scipy.sparse.csr_array((np.ones(count, np.float32), (numbers, np.roll(numbers, 1))), shape=(count, count))
    assert diffuse(ring + ring.T, share=0.0).shape == (count, diffusion.MIXTURES)
