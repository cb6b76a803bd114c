"""KSH: the gradient of its smooth objective by finite differences, its spectral start, and what bits leave over."""

import numpy as np
import pytest
from scipy import linalg, optimize

from keras_dhnn.baselines.ksh import KSH, next_bit, sample_evenly, smooth_disagreement
from tests.baselines.toys import clusters, score, two_moons


def residue_and_kernel(n=20, m=5):
    random = np.random.default_rng(0)
    residue = random.standard_normal((n, n))
    return residue + residue.T, random.standard_normal((n, m))


def test_gradient_is_that_of_finite_differences():
    residue, k = residue_and_kernel()
    weights = np.random.default_rng(1).standard_normal(5)
    error = optimize.check_grad(
        lambda a: smooth_disagreement(a, k, residue)[0], lambda a: smooth_disagreement(a, k, residue)[1], weights
    )
    assert error < 1e-7


def test_smooth_objective_tends_to_that_of_signs():
    residue, k = residue_and_kernel()
    weights = np.random.default_rng(1).standard_normal(5)
    signs = np.sign(k @ weights)
    assert smooth_disagreement(1e6 * weights, k, residue)[0] == pytest.approx(-signs @ residue @ signs / 400)


def test_next_bit_agrees_no_less_than_the_spectral_start():
    residue, k = residue_and_kernel()
    values, vectors = linalg.eigh(k.T @ residue @ k, k.T @ k)
    spectral, found = np.sign(k @ vectors[:, values.argmax()]), np.sign(k @ next_bit(k, residue, k.T @ k, 100))
    assert found @ residue @ found >= spectral @ residue @ spectral


def test_bits_miss_no_more_of_the_similarities_than_four_classes_must():
    """Codes of four classes agree by -1/3 on average at the least: at best 3 of 4 pairs miss (2/3)^2."""
    x, labels = clusters(n=120, spread=0.05)
    ksh = KSH(16, anchors=20, steps=20).fit(x, labels)
    assert 1 / 3 - 1e-9 <= ksh.objective_[-1] < 0.35
    codes = ksh.transform(x).astype(float)
    similarity = np.where(labels[:, None] == labels, 1, -1)
    assert np.square(codes @ codes.T / 16 - similarity).mean() == pytest.approx(ksh.objective_[-1])


def test_classes_that_no_straight_line_parts():
    x, labels = two_moons()
    assert score(KSH(8, anchors=60, width=0.3, steps=20), x, labels) > 0.95


def test_sample_has_as_many_of_each_class():
    classes = np.repeat([0, 1, 2], [50, 7, 30])
    np.testing.assert_array_equal(np.bincount(classes[sample_evenly(classes, 15, 0)]), [5, 5, 5])
    np.testing.assert_array_equal(np.bincount(classes[sample_evenly(classes, 31, 0)]), [12, 7, 12])
    np.testing.assert_array_equal(sample_evenly(classes, 500, 0), np.arange(87))
