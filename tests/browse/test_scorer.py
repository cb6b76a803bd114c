"""The score that is learned from marks, against scikit-learn, refits and plain NumPy."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import Ridge

from keras_dhnn.browse import scorer
from keras_dhnn.codes import unpack
from tests.archives import random_codes


@pytest.fixture
def problem():
    rng = np.random.default_rng(3)
    inputs = unpack(random_codes(40, seed=3)).astype(np.float64)
    return inputs, np.where(rng.random(40) < 0.4, 1.0, -1.0), rng.uniform(0.1, 2, 40)


def test_solve_is_scikit_learns_ridge(problem):
    weights, bias, _ = scorer.solve(*problem, 0.7)
    inputs, targets, given = problem
    ridge = Ridge(alpha=0.7).fit(inputs, targets, sample_weight=given)
    np.testing.assert_allclose(weights, ridge.coef_, atol=1e-8)
    assert bias == pytest.approx(ridge.intercept_, abs=1e-6)


def test_left_out_is_what_a_fit_without_the_item_says(problem):
    inputs, targets, given = problem
    left_out = scorer.solve(*problem, 0.7)[2]
    for item in (0, 7, 39):
        rest = np.arange(40) != item
        ridge = Ridge(alpha=0.7).fit(inputs[rest], targets[rest], sample_weight=given[rest])
        assert left_out[item] == pytest.approx(ridge.predict(inputs[item : item + 1])[0], abs=1e-5)


@pytest.mark.parametrize("bits", [8, 24, 128])
def test_scores_by_tables_are_the_product_of_bits_and_weights(bits, monkeypatch):
    monkeypatch.setattr(scorer, "_BLOCK", 128)
    codes = random_codes(500, bits=bits)
    learned = scorer.fit(codes[:5], codes[5:9], codes[10:200])
    np.testing.assert_allclose(learned.score(codes), unpack(codes) @ learned.weights + learned.bias, atol=1e-4)


def test_scale_is_plus_one_for_a_usual_right_item_and_zero_between_right_and_wrong():
    codes = random_codes(300)
    learned = scorer.fit(codes[:4], codes[4:8], codes[8:])
    scores = unpack(codes) @ learned.weights + learned.bias
    assert scores[:4].mean() == pytest.approx(-scores[4:8].mean())
    learned = scorer.fit(codes[:4], codes[:0], codes[8:])
    scores = unpack(codes) @ learned.weights + learned.bias
    assert (scores[:4].mean(), scores[8:].mean()) == (pytest.approx(1), pytest.approx(-1))


def test_right_items_come_first_and_wrong_ones_late():
    codes = random_codes(1000, seed=5)
    scores = scorer.fit(codes[:3], codes[3:6], codes[100:]).score(codes)
    assert set(scorer.best(scores, 3)) == {0, 1, 2}
    assert scores[3:6].max() < np.sort(scores)[-100]


@pytest.mark.parametrize("count", [0, 1, 7, 50, 80])
def test_best_is_a_stable_sort(count):
    scores = np.random.default_rng(0).integers(0, 6, 50).astype(np.float32)
    np.testing.assert_array_equal(scorer.best(scores, count), np.argsort(-scores, kind="stable")[:count])


@pytest.mark.parametrize("spread", ["even", "sorted", "few"])
def test_best_of_many_is_a_stable_sort_wherever_the_best_lie(spread):
    scores = np.random.default_rng(1).normal(size=20_000).astype(np.float32)
    scores = {"even": scores, "sorted": np.sort(scores), "few": np.where(np.arange(20_000) % 64, scores, 9)}[spread]
    for count in (1, 100, 5000):
        expected = np.argsort(-scores, kind="stable")[:count]
        np.testing.assert_array_equal(scorer.best(scores, count), expected)


def test_suggestions_are_in_doubt_free_and_unlike_each_other():
    codes = np.repeat(random_codes(20, seed=1), 5, axis=0)  # five copies of each
    scores = np.where(np.arange(100) < 50, 0.05, 3.0).astype(np.float32)
    doubtful = scorer.most_doubtful(scores, np.arange(5), 45)
    assert set(doubtful) == set(range(5, 50))
    assert len(scorer.most_doubtful(scores, np.arange(98), 45)) == 2
    chosen = doubtful[scorer.suggest(scores[doubtful], codes[doubtful], codes[:5])]
    assert len({number // 5 for number in chosen}) == 5
    assert len(scorer.suggest(scores[:2], codes[:2], codes[:0])) == 2


def test_of_items_that_are_alike_unlike_what_is_marked_the_most_doubtful_is_suggested_first():
    signs = np.zeros((5, 64), np.uint8)
    for item in range(4):
        signs[item, 16 * item : 16 * item + 16] = 1  # each 16 bits from the marked one, 32 from the others
    codes = np.packbits(signs, axis=1)
    scores = np.array([0.5, -0.2, 0.7, -0.9], np.float32)
    assert scorer.suggest(scores, codes[:4], codes[4:]).tolist() == [1, 0, 2, 3]
    # Twice as far from what is marked outweighs less than half of the doubt.
    far = np.packbits(np.where(np.arange(64) < 32, 1, 0).astype(np.uint8))[None]
    pair = np.concatenate([codes[2:3], far])
    assert scorer.suggest(np.array([0.0, 0.4], np.float32), pair, codes[4:], 1).tolist() == [1]
    assert scorer.suggest(np.array([0.0, 0.6], np.float32), pair, codes[4:], 1).tolist() == [0]


@pytest.mark.parametrize(("hits", "count"), [(0, 1), (3, 4), (9, 9), (40, 100)])
def test_interval_is_scipys(hits, count):
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert scorer.wilson(hits, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_precision_counts_marked_items_that_score_as_the_best_do():
    ordered, left_out = np.array([9.0, 8, 7, 6, 5]), np.array([8.5, 7.5, 2.0, 7.2, 1.0])
    found = scorer.precision_at(3, ordered, left_out, right=3)
    assert (found["estimate"], found["marked"]) == (pytest.approx(2 / 3), 3)
    assert scorer.precision_at(1, ordered, left_out, right=3)["estimate"] is None
    assert scorer.precision_at(10, ordered, left_out, right=3)["marked"] == 3
