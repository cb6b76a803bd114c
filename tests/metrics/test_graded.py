import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import ndcg_score

from keras_dhnn.codes import hamming_distances
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.graded import ndcg, weighted_average_precision
from keras_dhnn.metrics.ranking import average_precision
from tests.metrics import brute_force
from tests.metrics.test_ranking import CUTOFFS, collections, random_collection


@given(collections(multi_label=True), CUTOFFS)
@settings(max_examples=100, deadline=None)
def test_scores_are_means_over_all_orders_of_ties(collection, k):
    *arrays, own = collection
    counts = rank(*arrays, exclude_self=own, stable_at=())
    for i, query in enumerate(brute_force.queries(*arrays, own)):
        for ours, oracle in (
            (ndcg, brute_force.ndcg),
            (weighted_average_precision, brute_force.weighted_average_precision),
        ):
            every = brute_force.over_orders(oracle, *query, k)
            assert ours(counts, k)[i] == pytest.approx(every.mean(), abs=1e-12)


@pytest.mark.parametrize("k", [None, 1, 25, 10**4])
@pytest.mark.parametrize("exponential", [True, False])
def test_ndcg_is_scikit_learns_which_averages_ties_too(k, exponential):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (420, 1), dtype=np.uint8)
    labels = rng.integers(0, 2, (420, 5))
    labels[:, 0] = 1
    counts = rank(codes[:20], codes[20:], labels[:20], labels[20:])
    shared = labels[:20] @ labels[20:].T
    gains = 2.0**shared - 1 if exponential else shared
    expected = [
        ndcg_score(gain[None], score[None], k=k)
        for gain, score in zip(gains, -hamming_distances(codes[:20], codes[20:]), strict=True)
    ]
    np.testing.assert_allclose(ndcg(counts, k, exponential), expected, atol=1e-12)


def test_weighted_average_precision_of_single_labels_is_average_precision():
    counts = rank(*random_collection(0, 20, 500, 16))
    for k in (None, 30):
        expected = average_precision(counts, k).per_query
        np.testing.assert_allclose(weighted_average_precision(counts, k), expected, atol=1e-14)


def test_one_column_of_labels_is_single_label_relevance():
    codes = np.random.default_rng(0).integers(0, 256, (50, 1), dtype=np.uint8)
    labels = np.arange(50) % 2
    by_column = rank(codes[:9], codes[9:], labels[:9, None], labels[9:, None])
    by_label = rank(codes[:9], codes[9:], labels[:9], labels[9:])
    ones = labels[:9] == 1
    np.testing.assert_array_equal(by_column.by_gain[ones], by_label.by_gain[ones])
    assert by_column.without_relevant == 5


def test_items_without_any_label_are_relevant_to_nothing():
    codes = np.zeros((2, 1), np.uint8)
    counts = rank(codes, codes, np.zeros((2, 3), int), np.ones((2, 3), int))
    assert counts.without_relevant == 2
    for scores in (ndcg(counts), weighted_average_precision(counts)):
        np.testing.assert_array_equal(scores, 0)
