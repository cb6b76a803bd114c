"""What a search answers for each query's own k, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.codes import hamming_distances, unpack
from keras_dhnn.saved_models.graph.searcher import Searcher
from keras_dhnn.saved_models.index import Index

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 4, (20, 2), np.uint8)
LABELS = np.arange(20) % 3 - 1
INDEX = Index(CODES, np.array([f"item {n}" for n in range(20)]), LABELS.astype(np.int32), "m")
QUERIES = RANDOM.integers(0, 4, (3, 2), np.uint8)


def numpy_answer(k):
    distances = hamming_distances(QUERIES, CODES)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize("k", [1, 5, 20, 99])
def test_items_are_those_of_a_stable_sort(k):
    got = Searcher(INDEX, ["field", "sea"]).search(QUERIES, tf.constant(k))
    order, distances = numpy_answer(k)
    assert np.array_equal(got["ids"].numpy().astype(str), INDEX.ids[order])
    assert np.array_equal(got["distances"], distances)
    assert np.array_equal(got["labels"], LABELS[order])
    assert np.array_equal(got["classes"].numpy().astype(str), np.array(["", "field", "sea"])[LABELS[order] + 1])


def test_labels_are_those_of_a_stable_sort_where_codes_are_grouped():
    codes, labels = np.repeat(CODES, 3, axis=0), np.repeat(LABELS, 3).astype(np.int32)
    searcher = Searcher(Index(codes, np.arange(60).astype(str), labels, "m"), ["field", "sea"])
    assert searcher.retrieval.positions is not None
    assert Searcher(INDEX, ["field", "sea"]).retrieval.positions is None  # as the other tests have it
    order = np.argsort(hamming_distances(QUERIES, codes), axis=1, kind="stable")
    assert np.array_equal(searcher.search(QUERIES, tf.constant(60))["labels"], labels[order])


def test_an_ungrouped_code_of_64_bits_takes_12_bytes_beside_its_key():
    codes = np.random.default_rng(1).integers(0, 256, (5000, 8), np.uint8)
    labels = np.arange(5000, dtype=np.int32) % 3 - 1
    searcher = Searcher(Index(codes, np.arange(5000).astype(str), labels, "m"), ["field", "sea"])
    numeric = sum(variable.numpy().nbytes for variable in searcher.variables if variable.dtype != tf.string)
    assert numeric / 5008 == 12  # whole blocks of 16
    assert np.array_equal(searcher.search(codes[::500], tf.constant(1))["labels"][:, 0], labels[::500])


def test_a_query_ends_at_its_own_k():
    got = Searcher(INDEX, ["field", "sea"]).search(QUERIES, tf.constant([4, 1, 2]))
    order, distances = numpy_answer(4)
    for row, k in enumerate([4, 1, 2]):
        assert got["distances"][row].numpy().tolist() == distances[row, :k].tolist() + [-1] * (4 - k)
        assert got["ids"][row].numpy().astype(str).tolist() == INDEX.ids[order[row, :k]].tolist() + [""] * (4 - k)


@pytest.mark.parametrize("names", [["sea", "", "field"], ["sea"], ["field"], [""]])
def test_items_of_a_class_are_those_of_a_stable_sort(names):
    got = Searcher(INDEX, ["field", "sea"]).search(QUERIES, tf.constant([20, 9, 2]), tf.constant(names))
    for row, (name, k) in enumerate(zip(names * (3 // len(names)), (20, 9, 2), strict=True)):
        # Items of no known class, label -1, are found by none.
        allowed = np.flatnonzero(["field", "sea"].index(name) == LABELS) if name else np.arange(20)
        distances = hamming_distances(QUERIES[row : row + 1], CODES[allowed])[0]
        order = np.argsort(distances, kind="stable")[:k]
        empty = 20 - len(order)
        assert got["ids"][row].numpy().astype(str).tolist() == INDEX.ids[allowed[order]].tolist() + [""] * empty
        assert got["distances"][row].numpy().tolist() == distances[order].tolist() + [-1] * empty
        assert got["labels"][row].numpy().tolist() == LABELS[allowed[order]].tolist() + [-1] * empty


SEVERAL = [("field",), ("sea",), ("field", "sea"), ()]
OF_SEVERAL = RANDOM.integers(-1, 4, 20).astype(np.int32)


@pytest.mark.parametrize("copies", [1, 3], ids=["apart", "grouped"])
@pytest.mark.parametrize("ordered", [False, True], ids=["codes", "outputs"])
def test_of_several_labels_those_are_found_that_have_one_among_theirs(copies, ordered):
    codes, labels = np.repeat(CODES, copies, axis=0), np.repeat(OF_SEVERAL, copies)
    index = Index(codes, np.arange(len(codes)).astype(str), labels, "m")
    classes = ["field", "sea", "field + sea", "unlabelled"]
    searcher = Searcher(index, classes, SEVERAL)
    assert (searcher.retrieval.positions is not None) == (copies > 1)
    names = ["sea", "field + sea", ""]
    # Of outputs of one size, no item comes before another at its distance.
    outputs = tf.constant(unpack(QUERIES), tf.float32) if ordered else None
    got = searcher.search(QUERIES, tf.constant([60, 9, 2]), tf.constant(names), outputs)
    for row, (allowed, k) in enumerate(zip([(1, 2), (2,), range(-1, 4)], (60, 9, 2), strict=True)):
        allowed = np.flatnonzero(np.isin(labels, list(allowed)))
        distances = hamming_distances(QUERIES[row : row + 1], codes[allowed])[0]
        order = np.argsort(distances, kind="stable")[:k]
        assert len(order)
        expected = allowed[order].astype(str).tolist()
        assert [name for name in got["ids"][row].numpy().astype(str) if name] == expected
        assert got["distances"][row].numpy()[: len(order)].tolist() == distances[order].tolist()
        assert got["labels"][row].numpy()[: len(order)].tolist() == labels[allowed[order]].tolist()
    assert len(searcher.search(QUERIES[:0], tf.constant(5), tf.constant("sea"))["ids"]) == 0
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?s)moon.*field.*sea"):
        searcher.search(QUERIES, tf.constant(5), tf.constant("moon"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("moon", "(?s)Expected the name of a class.*moon.*field.*sea"),
        (["sea", "moon", ""], "moon"),
        (["sea", "sea"], "one text"),
    ],
)
def test_other_classes_are_refused(name, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        Searcher(INDEX, ["field", "sea"]).search(QUERIES, tf.constant(5), tf.constant(name))


def test_an_empty_index_has_no_items():
    empty = Searcher(Index(CODES[:0], np.array([], str), np.array([], np.int32), "m"), [])
    for name in (None, tf.constant("")):
        got = empty.search(QUERIES, tf.constant(5), name)
        assert {name: value.shape for name, value in got.items()} == dict.fromkeys(got, (3, 0))


@pytest.mark.parametrize("k", [0, -1, [1, 2], [], [1, 0, 1]])
def test_other_k_are_refused(k):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected k"):
        Searcher(INDEX, ["field", "sea"]).search(QUERIES, tf.constant(k, tf.int32))
