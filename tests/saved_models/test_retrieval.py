"""The exact search of an export, against a stable sort in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.codes import hamming_distances
from keras_dhnn.saved_models.retrieval import HammingRetrieval


def sort_stably(queries, codes, k, valid=None):
    """Positions and distances by NumPy: a stable sort, what is not valid last as position -1 at distance l + 1."""
    distances = hamming_distances(queries, codes)
    beyond = 8 * codes.shape[1] + 1
    if valid is not None:
        distances = np.where(valid, distances, beyond)
    positions = np.argsort(distances, axis=1, kind="stable")[:, :k]
    distances = np.take_along_axis(distances, positions, axis=1)
    return np.where(distances == beyond, -1, positions), distances


def draw(seed, n, q, bits, distinct):
    """Codes `(n, bits / 8)` of which about `distinct` differ, and queries, every second one of them a stored code."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 256, (max(distinct, 1), bits // 8), dtype=np.uint8)
    codes = pool[rng.integers(0, len(pool), n)]
    queries = rng.integers(0, 256, (q, bits // 8), dtype=np.uint8)
    queries[::2] = pool[rng.integers(0, len(pool), len(queries[::2]))]
    return codes, queries


def assert_search(retrieval, codes, queries, k, valid=None, **filters):
    positions, distances = retrieval.search(queries, k, **filters)
    expected = sort_stably(queries, codes, k, valid)
    np.testing.assert_array_equal(distances, expected[1])
    np.testing.assert_array_equal(positions, expected[0])
    assert positions.dtype == distances.dtype == tf.int32
    assert positions.shape == (len(queries), min(k, len(codes)))


@pytest.mark.parametrize("bits", [8, 48, 64, 72, 128, 256])
@pytest.mark.parametrize("distinct", [3, 60, 5000])
@pytest.mark.parametrize("k", [1, 10, 300, 2000])
def test_search_is_a_stable_sort(bits, distinct, k):
    codes, queries = draw(bits + distinct, 1000, 6, bits, distinct)
    assert_search(HammingRetrieval(codes), codes, queries, k)


def test_filters_by_label_and_mask():
    codes, queries = draw(0, 1000, 6, 64, 20)
    rng = np.random.default_rng(1)
    labels, allowed = rng.integers(0, 4, 1000), rng.random(1000) < 0.1
    label = np.array([0, 1, 2, 3, -1, 9], np.int32)
    retrieval = HammingRetrieval(codes, labels)
    of_label = (label[:, None] == labels) | (label[:, None] == -1)
    assert_search(retrieval, codes, queries, 40, of_label, label=label)
    assert_search(retrieval, codes, queries, 40, labels[None] == 2, label=2)
    assert_search(retrieval, codes, queries, 120, allowed[None], allowed=allowed)
    assert_search(retrieval, codes, queries, 40, of_label & allowed, label=label, allowed=allowed)


@pytest.mark.parametrize("radius", [-1, 0, 5, 30, 64])
def test_radius_search(radius):
    codes, queries = draw(2, 500, 5, 64, 50)
    positions, distances, splits = (part.numpy() for part in HammingRetrieval(codes).radius_search(queries, radius))
    all_positions, all_distances = sort_stably(queries, codes, 500)
    assert splits[0] == 0
    assert splits[-1] == len(positions) == len(distances)
    for row in range(5):
        within = all_distances[row] <= radius
        np.testing.assert_array_equal(positions[splits[row] : splits[row + 1]], all_positions[row][within])
        np.testing.assert_array_equal(distances[splits[row] : splits[row + 1]], all_distances[row][within])


def test_an_empty_database_answers_with_no_columns():
    retrieval = HammingRetrieval(np.zeros((0, 8), np.uint8))
    positions, distances = retrieval.search(np.zeros((3, 8), np.uint8), 5)
    assert positions.shape == distances.shape == (3, 0)
    assert retrieval.radius_search(np.zeros((3, 8), np.uint8), 64)[2].numpy().tolist() == [0, 0, 0, 0]


def test_no_queries_make_no_rows():
    codes, _ = draw(0, 100, 0, 64, 10)
    positions, distances = HammingRetrieval(codes).search(np.zeros((0, 8), np.uint8), 5)
    assert positions.shape == distances.shape == (0, 5)


def test_k_is_an_input_of_a_saved_model(tmp_path):
    codes, queries = draw(3, 1000, 6, 64, 30)
    module = tf.Module()
    module.retrieval = HammingRetrieval(codes)

    @tf.function(input_signature=[tf.TensorSpec((None, 8), tf.uint8), tf.TensorSpec((), tf.int32)])
    def search(codes, k):
        positions, distances = module.retrieval.search(codes, k)
        return {"positions": positions, "distances": distances}

    tf.saved_model.save(module, str(tmp_path), signatures={"search": search})
    restored = tf.saved_model.load(str(tmp_path)).signatures["search"]
    for k in (1, 7, 1000, 2000):
        answer = restored(codes=tf.constant(queries), k=tf.constant(k))
        expected = sort_stably(queries, codes, k)
        np.testing.assert_array_equal(answer["positions"], expected[0])
        np.testing.assert_array_equal(answer["distances"], expected[1])


@pytest.mark.parametrize("codes", [np.zeros((3, 33), np.uint8), np.zeros((3, 8)), np.zeros(8, np.uint8)])
def test_rejects_what_is_not_packed_codes(codes):
    with pytest.raises(ValueError, match="Expected packed codes of 8 to 256 bits"):
        HammingRetrieval(codes)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, -1], [0.0, 1.0, 2.0]])
def test_rejects_labels_that_do_not_fit(labels):
    with pytest.raises(ValueError, match="Expected one integer >= 0 for each of 3 codes"):
        HammingRetrieval(np.zeros((3, 8), np.uint8), labels)


def test_rejects_queries_of_other_length():
    with pytest.raises(ValueError, match=r"Expected codes as long as the database's, shape \(q, 8\)"):
        HammingRetrieval(np.zeros((3, 8), np.uint8)).search(np.zeros((1, 4), np.uint8), 1)


def test_rejects_a_label_where_there_are_none():
    with pytest.raises(ValueError, match="there are no labels"):
        HammingRetrieval(np.zeros((3, 8), np.uint8)).search(np.zeros((1, 8), np.uint8), 1, label=1)
