import math
from fractions import Fraction

import numpy as np
import pytest

from keras_dhnn.metrics.ties import expected_sum, harmonic_difference, optimistic_sums, pessimistic_sums


def plain_expected_sum(tied, relevant, k):
    """MATH.md's sum over the ranks of each tie, term by term."""
    terms, before, found = [], 0, 0
    for t, r in zip(tied, relevant, strict=True):
        for i in range(1, t + 1):
            if k is None or before + i <= k:
                share = (i - 1) * (r - 1) / (t - 1) if t > 1 else 0
                terms.append(r / t * (found + 1 + share) / (before + i) if r else 0)
        before, found = before + t, found + r
    return math.fsum(terms)


@pytest.mark.parametrize("k", [None, 1, 3, 40, 41, 5000])
def test_closed_form_is_the_sum_over_ranks(k):
    rng = np.random.default_rng(0)
    tied = rng.integers(0, 60, (50, 65))
    relevant = rng.binomial(tied, rng.random((50, 1)))
    expected = [plain_expected_sum(t, r, k) for t, r in zip(tied, relevant, strict=True)]
    np.testing.assert_allclose(expected_sum(tied, relevant, k), expected, rtol=1e-13, atol=1e-13)


def test_small_ties_far_down_a_large_database_keep_their_digits():
    tied, relevant = np.array([[10**7, 2, 1]]), np.array([[0, 2, 1]])
    exact = 1 / (10**7 + 1) + 2 / (10**7 + 2) + 3 / (10**7 + 3)
    for value in (
        expected_sum(tied, relevant),
        optimistic_sums(tied, relevant).sum(),
        pessimistic_sums(tied, relevant).sum(),
    ):
        assert value == pytest.approx(exact, abs=1e-15)


def test_hand_computed_tie():
    # Three items tie after one relevant item; one of the three is relevant.
    tied, relevant = np.array([1, 3]), np.array([1, 1])
    assert expected_sum(tied, relevant) == pytest.approx(1 + (2 / 2 + 2 / 3 + 2 / 4) / 3)
    assert optimistic_sums(tied, relevant).sum() == pytest.approx(1 + 2 / 2)
    assert pessimistic_sums(tied, relevant).sum() == pytest.approx(1 + 2 / 4)
    assert expected_sum(tied, relevant, k=3) == pytest.approx(1 + (2 / 2 + 2 / 3) / 3)
    assert pessimistic_sums(tied, relevant, k=3).sum() == pytest.approx(1)


@pytest.mark.parametrize("start", [0, 1, 5, 62, 63, 64, 1000, 10**7])
@pytest.mark.parametrize("count", [1, 2, 63, 500])
def test_harmonic_difference_matches_exact_fractions_to_the_last_digits(start, count):
    exact = float(sum(Fraction(1, start + i) for i in range(1, count + 1)))
    tolerance = 1e-15 if start >= 63 else 4e-15
    assert harmonic_difference(start, count) == pytest.approx(exact, rel=tolerance, abs=0)


def test_harmonic_difference_of_nothing_is_zero():
    np.testing.assert_array_equal(harmonic_difference([0, 3, 10**6], 0), 0)


def test_harmonic_difference_broadcasts():
    values = harmonic_difference(np.arange(3)[:, None], np.arange(4))
    assert values.shape == (3, 4)
    assert values[2, 3] == pytest.approx(1 / 3 + 1 / 4 + 1 / 5)
