import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from keras_dhnn.codes import hamming_distances
from keras_dhnn.metrics import counting, ranking
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.ranking import (
    average_precision,
    mean_average_precision,
    mean_per_class,
    precision_at,
    precision_within,
    recall_at,
    recall_within,
)
from tests.metrics import brute_force

ORDERS = ("per_query", "per_query_stable", "per_query_pessimistic", "per_query_optimistic")
CUTOFFS = st.none() | st.integers(1, 7)


@st.composite
def collections(draw, multi_label=False):
    """Codes of few bits that differ, so that most distances tie; own copies for some queries."""
    queries, items = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    byte = st.sampled_from([0b0, 0b1, 0b11, 0b11110000])
    codes = [draw(st.lists(byte, min_size=n, max_size=n)) for n in (queries, items)]
    label = st.lists(st.integers(0, 1), min_size=3, max_size=3) if multi_label else st.integers(0, 2)
    labels = [draw(st.lists(label, min_size=n, max_size=n)) for n in (queries, items)]
    own = draw(st.lists(st.integers(-1, items - 1), min_size=queries, max_size=queries))
    return (*(np.array(c, np.uint8)[:, None] for c in codes), *map(np.array, labels), np.array(own))


@given(collections(), CUTOFFS)
@settings(max_examples=150, deadline=None)
def test_average_precision_is_that_of_all_orders_of_ties(collection, k):
    *arrays, own = collection
    scores = mean_average_precision(*arrays, k=k, exclude_self=own)
    for i, query in enumerate(brute_force.queries(*arrays, own)):
        every = brute_force.over_orders(brute_force.average_precision, *query, k)
        expected = [every.mean(), every[0], every.min(), every.max()]
        np.testing.assert_allclose([getattr(scores, name)[i] for name in ORDERS], expected, atol=1e-12)


@given(collections(multi_label=True), CUTOFFS)
@settings(max_examples=100, deadline=None)
def test_items_that_share_any_label_are_relevant(collection, k):
    *arrays, own = collection
    scores = mean_average_precision(*arrays, k=k, exclude_self=own)
    for i, query in enumerate(brute_force.queries(*arrays, own)):
        every = brute_force.over_orders(brute_force.average_precision, *query, k)
        expected = [every.mean(), every[0], every.min(), every.max()]
        np.testing.assert_allclose([getattr(scores, name)[i] for name in ORDERS], expected, atol=1e-12)


@given(collections(), st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_precision_and_recall_at_k_are_means_over_orders(collection, k):
    *arrays, own = collection
    counts = rank(*arrays, exclude_self=own, stable_at=())
    for i, query in enumerate(brute_force.queries(*arrays, own)):
        for ours, oracle in ((precision_at, brute_force.precision), (recall_at, brute_force.recall)):
            every = brute_force.over_orders(oracle, *query, k)
            assert ours(counts, k)[i] == pytest.approx(every.mean(), abs=1e-12)


@given(collections(), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_precision_and_recall_within_a_radius(collection, radius):
    *arrays, own = collection
    counts = rank(*arrays, exclude_self=own, stable_at=())
    for i, (distances, gains) in enumerate(brute_force.queries(*arrays, own)):
        within = [gain for distance, gain in zip(distances, gains, strict=True) if distance <= radius]
        assert precision_within(counts, radius)[i] == (np.mean(within) if within else 0)
        assert recall_within(counts, radius)[i] == (sum(within) / sum(gains) if sum(gains) else 0)


def random_collection(seed, queries, items, bits, classes=4, spread=None):
    """Random codes, or with `spread` codes around one centre a class, `spread` of their bits flipped."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, queries + items)
    if spread is None:
        codes = rng.integers(0, 256, (queries + items, bits // 8), dtype=np.uint8)
    else:
        centres = rng.integers(0, 256, (classes, bits // 8), dtype=np.uint8)
        flips = np.packbits(rng.random((queries + items, bits)) < spread, axis=1)
        codes = centres[labels] ^ flips
    return codes[:queries], codes[queries:], labels[:queries], labels[queries:]


def plain_stable(query_codes, database_codes, query_labels, database_labels, k=None):
    """Average precision by a stable argsort of each query's distances."""
    scores = []
    for distances, label in zip(hamming_distances(query_codes, database_codes), query_labels, strict=True):
        relevant = (database_labels == label)[np.argsort(distances, kind="stable")]
        precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
        best = min(relevant.sum(), k or len(relevant))
        scores.append(precision[:k][relevant[:k]].sum() / best)
    return scores


@pytest.mark.parametrize("k", [None, 1, 100, 5000, 10**6])
@pytest.mark.parametrize(
    ("bits", "spread"),
    [(8, 0.1), (16, None), (64, None), (64, 0.02), (64, 0.2), (96, 0.1), (256, None), (264, 0.02)],
)
def test_stable_is_a_plain_stable_argsort(bits, spread, k):
    collection = random_collection(bits, 40, 3000, bits, spread=spread)
    scores = mean_average_precision(*collection, k=k)
    np.testing.assert_allclose(scores.per_query_stable, plain_stable(*collection, k), atol=1e-12)
    assert scores.stable == pytest.approx(np.mean(scores.per_query_stable))


def test_stable_is_the_same_across_chunks_and_threads(monkeypatch):
    collection = random_collection(0, 30, 3000, 32, spread=0.15)
    monkeypatch.setattr("keras_dhnn.metrics.counting._CHUNK", 128)
    monkeypatch.setattr("keras_dhnn.metrics.distances.CHUNK", 128)
    monkeypatch.setattr("keras_dhnn.metrics.distances.MOST_ROWS", 7)
    monkeypatch.setattr("keras_dhnn.metrics.distances.LEAST_ROWS", 1)
    monkeypatch.setattr(counting, "_THREADS_FROM", 1)
    scores = mean_average_precision(*collection)
    np.testing.assert_allclose(scores.per_query_stable, plain_stable(*collection), atol=1e-12)


@pytest.mark.parametrize("spread", [None, 0.01, 0.2])
@pytest.mark.parametrize("k", [None, 50])
def test_excluding_a_copy_is_deleting_it_from_the_database(spread, k):
    collection = random_collection(3, 12, 2500, 32, spread=spread)
    own = np.random.default_rng(0).integers(-1, 2500, 12)
    scores = mean_average_precision(*collection, k=k, exclude_self=own)
    for i, item in enumerate(own):
        kept = np.arange(2500) != item
        parts = [part[selected] for part, selected in zip(collection, ([i], kept, [i], kept), strict=True)]
        alone = mean_average_precision(*parts, k=k)
        expected = [getattr(alone, name)[0] for name in ORDERS]
        np.testing.assert_allclose([getattr(scores, name)[i] for name in ORDERS], expected, atol=1e-12)


@pytest.mark.parametrize("own", [-1, 40, 41, 90])
def test_stable_orders_the_few_items_of_mixed_bins(own):
    # Most bins are pure: relevant items at distance 0, irrelevant ones at 8. Thirty items lie at distance 4,
    # with two codes and two labels that alternate out of step.
    items = np.repeat(np.array([[0], [255]], np.uint8), 1000, axis=0)
    labels = np.repeat([1, 0], 1000)
    mixed = np.arange(40, 100, 2)
    items[mixed, 0] = np.where(np.arange(30) % 3 == 0, 0b1111, 0b11110000)
    labels[mixed] = np.arange(30) % 2
    kept = np.arange(2000) != own
    scores = mean_average_precision(items[:1], items, [1], labels, exclude_self=[own])
    expected = plain_stable(items[:1], items[kept], np.array([1]), labels[kept])
    np.testing.assert_allclose(scores.per_query_stable, expected, atol=1e-12)
    assert scores.per_query_pessimistic < scores.per_query_stable < scores.per_query_optimistic


def test_exclude_self_true_takes_item_i_from_query_i():
    codes, _, labels, _ = random_collection(1, 60, 1, 16, spread=0.1)
    by_flag = mean_average_precision(codes, codes, labels, labels, exclude_self=True)
    by_number = mean_average_precision(codes, codes, labels, labels, exclude_self=np.arange(60))
    np.testing.assert_array_equal(by_flag.per_query_stable, by_number.per_query_stable)
    assert by_flag.expected == by_number.expected
    assert by_flag.expected < mean_average_precision(codes, codes, labels, labels).expected


def test_without_ties_all_orders_agree_with_scikit_learn():
    # Item j has its first j bits set: all distances from the zero code differ.
    bits = 256
    database = np.packbits(np.tri(bits + 1, bits, -1, dtype=bool), axis=1)
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(bits + 1)
    labels = rng.integers(0, 3, bits + 1)
    scores = mean_average_precision(database[:1], database[shuffled], [1], labels[shuffled])
    expected = average_precision_score(labels == 1, -np.arange(bits + 1))
    values = (scores.expected, scores.stable, scores.pessimistic, scores.optimistic)
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_orders_of_ties_are_bounds_of_the_stable_one():
    scores = mean_average_precision(*random_collection(5, 50, 2000, 8))
    assert (scores.per_query_pessimistic < scores.per_query_stable).all()
    assert (scores.per_query_stable < scores.per_query_optimistic).all()
    assert (scores.per_query_pessimistic < scores.per_query).all()
    assert (scores.per_query < scores.per_query_optimistic).all()


def test_expected_does_not_depend_on_the_order_of_items():
    queries, items, query_labels, item_labels = random_collection(6, 20, 500, 8)
    by_class = np.argsort(item_labels, kind="stable")
    scores = mean_average_precision(queries, items, query_labels, item_labels)
    in_order = mean_average_precision(queries, items[by_class], query_labels, item_labels[by_class])
    np.testing.assert_allclose(scores.per_query, in_order.per_query, atol=1e-14)
    # The first class now leads every tie, the last one trails it.
    gained = in_order.per_query_stable - scores.per_query_stable
    assert gained[query_labels == 0].min() > 0.01
    assert gained[query_labels == 3].max() < -0.01


def test_queries_without_relevant_items_count_zero_and_are_reported():
    codes = np.array([[0], [1], [3]], np.uint8)
    scores = mean_average_precision(codes, codes, [0, 0, 7], [0, 0, 0])
    assert scores.without_relevant == 1
    np.testing.assert_allclose(scores.per_query, [1, 1, 0], atol=1e-15)
    assert scores.expected == pytest.approx(2 / 3)


def test_excluding_the_only_relevant_item_leaves_none():
    codes = np.array([[0], [1]], np.uint8)
    scores = mean_average_precision(codes, codes, [0, 1], [0, 1], exclude_self=True)
    assert scores.without_relevant == 2
    assert scores.expected == scores.stable == scores.optimistic == 0


def test_excluding_the_only_item_leaves_an_empty_ranking():
    codes = np.zeros((1, 1), np.uint8)
    counts = rank(codes, codes, [0], [0], exclude_self=True)
    assert average_precision(counts).expected == 0
    assert precision_at(counts, 1)[0] == precision_within(counts, 8)[0] == 0


def test_all_items_relevant_is_perfect_whatever_the_ties():
    codes = np.zeros((7, 8), np.uint8)
    scores = mean_average_precision(codes[:2], codes, [1, 1], np.ones(7, int))
    assert scores.expected == pytest.approx(1, abs=1e-15)
    assert scores.pessimistic == scores.stable == scores.optimistic == 1


def test_stable_can_be_left_out():
    collection = random_collection(0, 4, 50, 16)
    scores = mean_average_precision(*collection, stable=False)
    assert scores.stable is None
    assert scores.per_query_stable is None
    assert scores.expected == mean_average_precision(*collection).expected


def test_one_count_serves_all_cutoffs():
    collection = random_collection(2, 9, 300, 16)
    assert list(rank(*collection).stable) == [None]
    counts = rank(*collection, stable_at=(None, 10))
    for k in (None, 10):
        alone = mean_average_precision(*collection, k=k)
        scores = average_precision(counts, k)
        assert (scores.expected, scores.stable, scores.k) == (alone.expected, alone.stable, k)
    assert average_precision(counts, 11).stable is None


def test_labels_may_be_strings_negative_or_bytes():
    queries, items, query_labels, item_labels = random_collection(2, 9, 300, 16)
    expected = mean_average_precision(queries, items, query_labels, item_labels).stable
    names = np.array(["forêt", "river", "dense residential", ""])
    for labels in (names, np.array([-5, 2**40, 0, 7]), np.array([250, 0, 3, 9], np.uint8)):
        scores = mean_average_precision(queries, items, labels[query_labels], labels[item_labels])
        assert scores.stable == expected


def test_mean_per_class_of_labels():
    classes, means = mean_per_class([1.0, 0.5, 0.0, 0.25], [7, 3, 7, 3])
    np.testing.assert_array_equal(classes, [3, 7])
    np.testing.assert_array_equal(means, [0.375, 0.5])


def test_mean_per_class_of_label_sets_leaves_out_classes_without_a_query():
    classes, means = mean_per_class([1.0, 0.5], [[1, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(classes, [0, 2])
    np.testing.assert_array_equal(means, [0.75, 1.0])


def test_example_in_the_docstring():
    assert doctest.testmod(ranking, extraglobs={"np": np}) == (0, 3)


CODES = np.zeros((3, 2), np.uint8)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("query_codes", {"query_codes": CODES.astype(np.int8)}),
        ("query_codes", {"query_codes": CODES[0]}),
        ("query_codes", {"query_codes": CODES[:0], "query_labels": []}),
        ("database_codes", {"database_codes": CODES[:0], "database_labels": []}),
        ("database_codes", {"database_codes": CODES[:, :1]}),
        ("query_labels", {"query_labels": [0, 1]}),
        ("query_labels", {"query_labels": 0}),
        ("query_labels", {"query_labels": np.zeros((3, 1, 1))}),
        ("query_labels", {"query_labels": np.zeros((3, 0))}),
        ("query_labels", {"query_labels": [[2], [0], [1]], "database_labels": [[2], [0], [1]]}),
        ("database_labels", {"database_labels": np.eye(3, dtype=int)}),
        ("database_labels", {"query_labels": np.eye(3, dtype=int), "database_labels": np.ones((3, 2), int)}),
        ("k", {"k": 0}),
        ("k", {"k": 2.5}),
        ("exclude_self", {"exclude_self": True, "database_codes": CODES[:2], "database_labels": [0, 1]}),
        ("exclude_self", {"exclude_self": [0, 1]}),
        ("exclude_self", {"exclude_self": [0.0, 1.0, 2.0]}),
        ("exclude_self", {"exclude_self": [0, 1, 3]}),
        ("exclude_self", {"exclude_self": [0, 1, -2]}),
    ],
)
def test_rejects(name, arguments):
    valid = {
        "query_codes": CODES,
        "database_codes": CODES,
        "query_labels": [0, 1, 2],
        "database_labels": [0, 1, 2],
    }
    with pytest.raises(ValueError, match=f"received for argument `{name}`. Expected .* Received: "):
        mean_average_precision(**{**valid, **arguments})


def test_rejects_cutoffs_and_radii_out_of_range():
    counts = rank(CODES, CODES, [0, 1, 2], [0, 1, 2])
    for score, name, values in (
        (precision_at, "k", (0, None, 1.5)),
        (recall_at, "k", (-1,)),
        (precision_within, "radius", (-1, 0.5)),
        (recall_within, "radius", (None,)),
    ):
        for value in values:
            with pytest.raises(ValueError, match=f"argument `{name}`"):
                score(counts, value)
