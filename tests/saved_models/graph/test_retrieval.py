"""The exact search of an export, against a stable sort in NumPy."""

import faiss
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_dhnn.codes import hamming_distances, pack, unpack
from keras_dhnn.saved_models.graph import block_top_k
from keras_dhnn.saved_models.graph.block_top_k import ONE_STEP
from keras_dhnn.saved_models.graph.retrieval import HammingRetrieval


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
    """Codes `(n, bits / 8)` of which at most `distinct` differ, and queries, every second one of them a stored code."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 256, (min(distinct, n), bits // 8), dtype=np.uint8)
    codes = pool[rng.integers(0, len(pool), n)] if distinct < n else pool.copy()
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


@pytest.mark.parametrize("bits", [8, 48, 64, 72, 128, 192, 256])
@pytest.mark.parametrize("distinct", [3, 60, 5000])
def test_search_is_a_stable_sort(bits, distinct):
    # More queries than a tile has.
    codes, queries = draw(bits + distinct, 1000, 55, bits, distinct)
    retrieval = HammingRetrieval(codes)
    for k in (0, 1, 10, 300, 2000):
        assert_search(retrieval, codes, queries, k)


@pytest.mark.parametrize(("bits", "items"), [(64, ONE_STEP + 1), (64, 2**15 + 77), (136, 20_000), (256, 16 * 200)])
def test_search_by_blocks_is_a_stable_sort(bits, items):
    # Two random bits a byte: few distances, so that ties go through many blocks.
    codes = np.random.default_rng(items).integers(0, 256, (items, bits // 8), dtype=np.uint8) & 0b10001000
    codes, queries = codes | np.arange(items, dtype=np.uint8)[:, None] % 7, codes[::300]
    codes[:, -1] = np.random.default_rng(1).integers(0, 256, items)
    retrieval = HammingRetrieval(codes)
    for k in (1, 50, 5000):
        assert_search(retrieval, codes, queries, k)


def test_one_query_at_a_time_is_a_stable_sort(monkeypatch):
    monkeypatch.setattr(block_top_k, "ONE_QUERY", 3000)
    codes, queries = draw(5, 5000, 7, 64, 10**9)
    for k in (1, 50, 5000):
        assert_search(HammingRetrieval(codes), codes, queries, k)


@pytest.mark.parametrize(("items", "distinct"), [(1000, 20), (1000, 10**9), (5000, 10**9), (12_000, 4000)])
def test_filters_by_label_and_mask(items, distinct):
    codes, queries = draw(0, items, 54, 64, distinct)
    rng = np.random.default_rng(1)
    labels, allowed = rng.integers(0, 4, items), rng.random(items) < 0.1
    # Codes mostly go with labels, as a trained network's do, so that they are grouped by both.
    labels[::2] = codes[::2, 0] % 4
    label = np.tile(np.array([0, 1, 2, 3, -1, 9], np.int32), 9)
    retrieval = HammingRetrieval(codes, labels)
    of_label = (label[:, None] == labels) | (label[:, None] == -1)
    for k in (1, 40, 500):
        assert_search(retrieval, codes, queries, k, of_label, label=label)
        assert_search(retrieval, codes, queries, k, labels[None] == 2, label=2)
        assert_search(retrieval, codes, queries, k, allowed[None], allowed=allowed)
        assert_search(retrieval, codes, queries, k, of_label & allowed, label=label, allowed=allowed)
        assert_search(retrieval, codes, queries, k)
    nothing = np.zeros(items, bool)
    assert_search(retrieval, codes, queries, 40, nothing[None], allowed=nothing)
    unlabelled = HammingRetrieval(codes)
    assert_search(unlabelled, codes, queries, 40, allowed[None], allowed=allowed)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 255)), min_size=1, max_size=120),
    asked=st.lists(st.integers(0, 255), min_size=0, max_size=20),
    k=st.integers(0, 130),
    label=st.integers(-1, 3),
    keep=st.integers(0, 2**120 - 1),
)
def test_any_small_database_is_sorted_stably(rows, asked, k, label, keep):
    labels, codes = (np.array(column) for column in zip(*rows, strict=True))
    codes = np.stack([codes & 0b1110, codes >> 6], axis=1).astype(np.uint8)
    queries = np.stack([asked, asked], axis=1).astype(np.uint8).reshape(-1, 2)
    allowed = np.array([bool(keep >> i & 1) for i in range(len(codes))])
    retrieval = HammingRetrieval(codes, labels)
    assert_search(retrieval, codes, queries, k)
    valid = allowed & ((labels == label) | (label == -1))
    assert_search(retrieval, codes, queries, k, valid[None], label=label, allowed=allowed)


@pytest.mark.parametrize("distinct", [50, 10**9])
def test_distances_are_those_of_faiss(distinct):
    codes, queries = draw(7, 5000, 40, 64, distinct)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    for k in (1, 50, 1000):
        np.testing.assert_array_equal(HammingRetrieval(codes).search(queries, k)[1], index.search(queries, k)[0])


@pytest.mark.parametrize(("items", "distinct"), [(500, 50), (500, 10**9), (3000, 10**9)])
def test_radius_search(items, distinct):
    codes, queries = draw(2, items, 55, 64, distinct)
    retrieval = HammingRetrieval(codes)
    all_positions, all_distances = sort_stably(queries, codes, items)
    for radius in (-1, 0, 5, 30, 64):
        positions, distances, splits = (part.numpy() for part in retrieval.radius_search(queries, radius))
        within = all_distances <= radius
        np.testing.assert_array_equal(positions, all_positions[within])
        np.testing.assert_array_equal(distances, all_distances[within])
        np.testing.assert_array_equal(splits, np.concatenate([[0], np.cumsum(within.sum(axis=1))]))


def test_an_empty_database_answers_with_no_columns():
    retrieval = HammingRetrieval(np.zeros((0, 8), np.uint8))
    positions, distances = retrieval.search(np.zeros((3, 8), np.uint8), 5)
    assert positions.shape == distances.shape == (3, 0)
    assert retrieval.radius_search(np.zeros((3, 8), np.uint8), 64)[2].numpy().tolist() == [0, 0, 0, 0]


def test_no_queries_make_no_rows():
    codes, _ = draw(0, 100, 0, 64, 10)
    positions, distances = HammingRetrieval(codes).search(np.zeros((0, 8), np.uint8), 5)
    assert positions.shape == distances.shape == (0, 5)


def test_no_queries_find_nothing_in_a_radius():
    codes, _ = draw(0, 100, 0, 64, 10)
    parts = HammingRetrieval(codes).radius_search(np.zeros((0, 8), np.uint8), 5)
    assert [part.numpy().tolist() for part in parts] == [[], [], [0]]


def test_few_codes_that_repeat_are_not_grouped():
    codes, _ = draw(0, 100, 0, 64, 10**9)
    codes[:20] = codes[20:40]
    assert HammingRetrieval(codes).distinct == 100
    codes[:60] = codes[0]
    assert HammingRetrieval(codes).distinct == 41


def test_memory_is_at_most_12_bytes_a_code():
    for distinct in (10, 1000, 3000, 10**9):
        retrieval = HammingRetrieval(draw(0, 6000, 0, 64, distinct)[0])
        assert sum(variable.numpy().nbytes for variable in retrieval.variables) <= 12 * 6000


def test_codes_are_variables_that_are_not_trained():
    retrieval = HammingRetrieval(draw(0, 100, 0, 64, 10)[0], np.zeros(100, int))
    assert retrieval.variables
    assert not retrieval.trainable_variables


@pytest.mark.parametrize("bits", [8, 64, 136])
@pytest.mark.parametrize("distinct", [40, 10**9])
@pytest.mark.parametrize("items", [300, 3000])
def test_saved_and_restored_it_answers_alike(bits, distinct, items, tmp_path):
    codes, queries = draw(3, items, 20, bits, distinct)
    labels = codes[:, 0].astype(int) % 3
    module = tf.Module()
    module.retrieval = HammingRetrieval(codes, labels)
    vector = tf.TensorSpec((None, bits // 8), tf.uint8)

    @tf.function(input_signature=[vector, tf.TensorSpec((), tf.int32), tf.TensorSpec((), tf.int32)])
    def search(codes, k, label):
        positions, distances = module.retrieval.search(codes, k, label=label)
        return {"positions": positions, "distances": distances}

    tf.saved_model.save(module, str(tmp_path), signatures={"search": search})
    restored = tf.saved_model.load(str(tmp_path)).signatures["search"]
    for k, label in ((1, -1), (7, 0), (items, -1), (items + 9, 2)):
        answer = restored(codes=tf.constant(queries), k=tf.constant(k), label=tf.constant(label))
        expected = sort_stably(queries, codes, k, ((labels == label) | (label == -1))[None])
        np.testing.assert_array_equal(answer["positions"], expected[0])
        np.testing.assert_array_equal(answer["distances"], expected[1])


def test_a_forbidden_last_code_takes_the_place_of_none():
    # One code more than whole blocks hold: copies of the last fill up its block, and it is what the query equals.
    codes = np.random.default_rng(0).integers(0, 256, (ONE_STEP + 1, 8), dtype=np.uint8)
    allowed = np.arange(len(codes)) < ONE_STEP
    for labels in (None, np.arange(len(codes)) % 2):
        retrieval = HammingRetrieval(codes, labels)
        assert_search(retrieval, codes, codes[-1:], 1, allowed[None], allowed=allowed)
        assert_search(retrieval, codes, codes[-1:], 7, allowed[None], allowed=allowed)


@pytest.mark.parametrize("distinct", [4, 10**9])
def test_a_label_below_any_finds_nothing(distinct):
    codes, queries = draw(4, 20, 3, 24, distinct)
    allowed, outputs = np.arange(20) < 10, unpack(queries).astype(np.float32)
    retrieval = HammingRetrieval(codes, np.zeros(20, int))
    nothing = np.zeros((1, 20), bool)
    assert_search(retrieval, codes, queries, 5, nothing, label=-2, allowed=allowed)
    assert_search(retrieval, codes, queries, 5, nothing, label=-2, allowed=allowed, outputs=outputs)


def test_codes_are_not_in_the_graph():
    codes, _ = draw(3, 20_000, 0, 64, 10**9)
    retrieval = HammingRetrieval(codes)
    graph = retrieval._search_all.get_concrete_function().graph.as_graph_def()
    assert graph.ByteSize() < 100_000


@pytest.mark.parametrize("codes", [np.zeros((3, 33), np.uint8), np.zeros((3, 8)), np.zeros(8, np.uint8)])
def test_rejects_what_is_not_packed_codes(codes):
    with pytest.raises(ValueError, match="Expected packed codes of 8 to 256 bits"):
        HammingRetrieval(codes)


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, -1], [0.0, 1.0, 2.0], [0, 1, 2**32 + 1]])
def test_rejects_labels_that_do_not_fit(labels):
    with pytest.raises(ValueError, match="Expected one integer from 0 to 2147483647 for each of 3 codes"):
        HammingRetrieval(np.zeros((3, 8), np.uint8), labels)


@pytest.mark.parametrize("queries", [np.zeros((1, 4), np.uint8), -np.ones((1, 8), np.int8), np.full((1, 8), 1.5)])
def test_rejects_queries_that_are_no_such_codes(queries):
    retrieval = HammingRetrieval(np.zeros((3, 8), np.uint8))
    for search in (retrieval.search, retrieval.radius_search):
        with pytest.raises(ValueError, match=r"Expected packed codes as long as .* uint8 of shape \(q, 8\)"):
            search(queries, 1)


def test_rejects_a_label_where_there_are_none():
    with pytest.raises(ValueError, match="there are no labels"):
        HammingRetrieval(np.zeros((3, 8), np.uint8)).search(np.zeros((1, 8), np.uint8), 1, label=1)


@pytest.mark.parametrize("allowed", [[True, False], [1, 0, 1]])
def test_rejects_a_mask_that_does_not_fit(allowed):
    with pytest.raises(ValueError, match="Expected one bool for each of 3 codes"):
        HammingRetrieval(np.zeros((3, 8), np.uint8)).search(np.zeros((1, 8), np.uint8), 1, allowed=allowed)


@pytest.mark.parametrize("bits", [8, 64, 136])
@pytest.mark.parametrize(("items", "distinct"), [(900, 20), (900, 10**9), (3000, 10**9)])
def test_outputs_order_ties(bits, items, distinct):
    codes, _ = draw(2, items, 1, bits, distinct)
    rng = np.random.default_rng(3)
    outputs = rng.normal(size=(6, bits)).astype(np.float32) * (unpack(codes[:6]) if bits > 8 else 1)
    labels, allowed, queries = rng.integers(0, 3, items), rng.random(items) < 0.4, pack(outputs)
    retrieval = HammingRetrieval(codes, labels)
    scores = outputs.astype(np.float64) @ unpack(codes).T.astype(np.float64)
    for filters, valid in (
        ({}, np.ones(items, bool)),
        ({"label": 1}, labels == 1),
        ({"allowed": allowed}, allowed),
        ({"label": 2, "allowed": allowed}, allowed & (labels == 2)),
    ):
        distances = np.where(valid, hamming_distances(queries, codes), bits + 1)
        for k in (0, 1, 40, 5000):
            order = np.lexsort([-scores.round(6), distances], axis=1)[:, :k]
            found = retrieval.search(queries, k, outputs=outputs, **filters)
            expected = np.take_along_axis(distances, order, axis=1)
            np.testing.assert_array_equal(found[1], expected)
            np.testing.assert_array_equal(found[0], np.where(expected > bits, -1, order))
            none = retrieval.search(queries[:0], k, outputs=outputs[:0], **filters)
            assert [part.shape for part in none] == [(0, min(k, items))] * 2
    with pytest.raises(ValueError, match="`outputs`"):
        retrieval.search(queries, 3, outputs=outputs[:, 1:])
    with pytest.raises(ValueError, match=rf"`outputs`.* shape \(5, {bits}\)\. Received: shape=\(6, {bits}\)"):
        retrieval.search(queries[:5], 3, outputs=outputs)
