"""SDH: a falling objective, its discrete step against all codes there are, and classes that need the kernel."""

import itertools

import numpy as np
import pytest

from keras_dhnn.baselines.sdh import SDH, RidgeOf, descend
from tests.baselines.toys import clusters, score, two_moons


@pytest.mark.parametrize("fit_weight", [1e-5, 0.1])
def test_objective_never_rises(fit_weight):
    x, labels = clusters(spread=1.5)
    objective = SDH(16, anchors=60, fit_weight=fit_weight).fit(x, labels).objective_
    assert (np.diff(objective) <= 1e-9 * objective[0]).all()
    assert fit_weight < 0.1 or objective[-1] < 0.9 * objective[0]


def test_a_bit_is_the_best_given_the_others():
    random = np.random.default_rng(0)
    b, q, w = random.choice([-1.0, 1.0], (5, 4)), random.standard_normal((5, 4)), random.standard_normal((4, 3))

    def cost(codes):
        return np.square(codes @ w).sum() - 2 * (codes * q).sum()

    found = descend(b, q, w, sweeps=20)
    for row, bit in itertools.product(range(5), range(4)):
        other = found.copy()
        other[row, bit] *= -1
        assert cost(found) <= cost(other) + 1e-12
    assert cost(found) < cost(b)


def test_repeated_regression_is_the_least_squares_solution():
    random = np.random.default_rng(0)
    k, targets = random.standard_normal((50, 6)), random.standard_normal((50, 3))
    np.testing.assert_allclose(RidgeOf(k)(targets), np.linalg.lstsq(k, targets, rcond=None)[0], atol=1e-6)


def test_classes_that_no_straight_line_parts():
    x, labels = two_moons()
    assert score(SDH(8, anchors=100, width=0.3), x, labels) > 0.98 > score(SDH(8, anchors=0), x, labels)


def test_without_anchors_features_are_the_centred_vectors():
    x, labels = two_moons()
    found = SDH(8, anchors=0).fit(x, labels).kernel_.transform(x + 1)
    np.testing.assert_allclose(found, x + 1 - x.mean(axis=0), atol=1e-6)
