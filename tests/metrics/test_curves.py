import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve as sklearn_curve

from keras_dhnn.metrics.counting import RankingCounts, rank
from keras_dhnn.metrics.curves import precision_recall_by_radius, precision_recall_curve
from keras_dhnn.metrics.ranking import precision_within, recall_within
from tests.metrics.test_ranking import random_collection


def counts_of(tied, relevant):
    """Counts of one query."""
    tied, relevant = np.array(tied), np.array(relevant)
    return RankingCounts(np.stack([tied - relevant, relevant])[None], {})


def plain_interpolated(tied, relevant, levels):
    """Expected recall and precision at every rank, then the best precision from each recall on."""
    precisions, recalls, before, found = [], [], 0, 0
    for t, r in zip(tied, relevant, strict=True):
        for i in range(1, t + 1):
            recalls.append((found + i * r / t) / sum(relevant))
            precisions.append((found + i * r / t) / (before + i))
        before, found = before + t, found + r
    recalls, precisions = np.array(recalls), np.array(precisions)
    return [precisions[recalls >= level - 1e-12].max() for level in np.linspace(0, 1, levels)]


@pytest.mark.parametrize("levels", [2, 11, 101])
def test_interpolated_precision_is_that_of_every_rank(levels):
    rng = np.random.default_rng(levels)
    for _ in range(100):
        tied = rng.integers(0, 5, 9)
        relevant = rng.binomial(tied, rng.random())
        if relevant.sum():
            precision, recall = precision_recall_curve(counts_of(tied, relevant), levels)
            np.testing.assert_allclose(recall, np.linspace(0, 1, levels))
            np.testing.assert_allclose(precision, plain_interpolated(tied, relevant, levels), atol=1e-12)


def test_without_ties_it_is_the_envelope_of_scikit_learns_curve():
    relevant = np.random.default_rng(0).integers(0, 2, 65)
    precision, recall = precision_recall_curve(counts_of(np.ones(65, int), relevant))
    points, at_recall, _ = sklearn_curve(relevant, -np.arange(65))
    # Its last point, precision 1 at recall 0, belongs to no rank.
    points, at_recall = points[:-1], at_recall[:-1]
    expected = [points[at_recall >= level - 1e-12].max() for level in recall]
    np.testing.assert_allclose(precision, expected, atol=1e-12)


def test_curve_is_the_mean_over_queries_and_counts_nothing_relevant_as_zero():
    one = counts_of([2, 3], [1, 1]).by_gain
    none = counts_of([2, 3], [0, 0]).by_gain
    both = RankingCounts(np.concatenate([one, none]), {})
    alone, _ = precision_recall_curve(RankingCounts(one, {}))
    np.testing.assert_allclose(precision_recall_curve(both)[0], alone / 2)


def test_a_perfect_ranking_has_precision_one_everywhere():
    precision, _ = precision_recall_curve(counts_of([4, 0, 7], [4, 0, 0]))
    np.testing.assert_array_equal(precision, 1)


def test_by_radius_are_the_means_within_each_radius():
    counts = rank(*random_collection(0, 20, 300, 16, spread=0.1))
    precision, recall = precision_recall_by_radius(counts)
    for radius in range(17):
        assert precision[radius] == pytest.approx(precision_within(counts, radius).mean())
        assert recall[radius] == pytest.approx(recall_within(counts, radius).mean())
    assert recall[-1] == 1


def test_rejects_fewer_than_two_levels():
    with pytest.raises(ValueError, match="argument `levels`"):
        precision_recall_curve(counts_of([1], [1]), levels=1)
