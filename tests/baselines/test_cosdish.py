"""COSDISH: its quadratic step against all codes there are, and codes that are the classes'."""

import itertools

import numpy as np
import pytest

from keras_dhnn.baselines.cosdish import COSDISH, flipped, improved
from tests.baselines.toys import clusters, score, two_moons


def quadratic(q, g, b):
    return b @ q @ b + g @ b


def test_no_flip_gains_and_the_best_start_finds_the_maximum():
    random = np.random.default_rng(0)
    q, g = random.standard_normal((7, 7)), random.standard_normal(7)
    q += q.T
    everything = [np.array(signs) for signs in itertools.product([-1.0, 1.0], repeat=7)]
    found = [flipped(q, g, start) for start in everything[::9]]
    for signs in found:
        for place in range(7):
            other = signs.copy()
            other[place] *= -1
            assert quadratic(q, g, signs) >= quadratic(q, g, other) - 1e-9
    assert max(quadratic(q, g, b) for b in found) == pytest.approx(max(quadratic(q, g, b) for b in everything))


def test_objective_of_the_drawn_columns_does_not_rise():
    random = np.random.default_rng(0)
    similarity = np.where(random.integers(0, 3, (30, 1)) == random.integers(0, 3, 30), 1.0, -0.5)
    similarity = (similarity + similarity.T) / 2
    codes = random.choice([-1.0, 1.0], (30, 8))

    def objective(omega):
        everything = np.concatenate([omega, codes[10:]])
        return np.square(8 * similarity[:, :10] - everything @ omega.T).sum()

    better = improved(codes[:10], codes[10:], similarity[:10, :10], similarity[10:, :10])
    assert objective(better) < objective(codes[:10])
    again = improved(better, codes[10:], similarity[:10, :10], similarity[10:, :10])
    assert objective(again) <= objective(better)


def test_items_of_a_class_have_one_code_and_classes_are_apart():
    x, labels = clusters(spread=1.0)
    codes = COSDISH(16).fit(x, labels).codes_.astype(int)
    agreement = codes @ codes.T / 16
    same = labels[:, None] == labels
    assert agreement[same].mean() > 0.95
    assert agreement[~same].mean() < 0.1


def test_projection_is_the_ridge_regression_of_the_codes():
    x, labels = clusters()
    cosdish = COSDISH(8, weight=0.3).fit(x, labels)
    centred = x - x.mean(axis=0)
    weight = 0.3 * np.square(centred).mean()
    expected = np.linalg.solve(centred.T @ centred + weight * np.eye(12), centred.T @ cosdish.codes_)
    np.testing.assert_allclose(cosdish.projection_, expected, atol=1e-8)
    np.testing.assert_array_equal(cosdish.project(x) >= 0, centred @ expected + cosdish.codes_.mean(axis=0) >= 0)


def test_classes_that_no_straight_line_parts_need_anchors():
    x, labels = two_moons()
    assert score(COSDISH(8, anchors=100, width=0.3), x, labels) > 0.98 > score(COSDISH(8), x, labels)
