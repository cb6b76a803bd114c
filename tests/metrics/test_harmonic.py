from fractions import Fraction

import numpy as np
import pytest

from keras_dhnn.metrics.harmonic import harmonic_difference


@pytest.mark.parametrize("start", [0, 1, 5, 62, 63, 64, 1000, 10**7])
@pytest.mark.parametrize("count", [1, 2, 63, 500])
def test_matches_exact_fractions_to_the_last_digits(start, count):
    exact = float(sum(Fraction(1, start + i) for i in range(1, count + 1)))
    tolerance = 1e-15 if start >= 63 else 4e-15
    assert harmonic_difference(start, count) == pytest.approx(exact, rel=tolerance, abs=0)


def test_of_nothing_is_zero():
    np.testing.assert_array_equal(harmonic_difference([0, 3, 10**6], 0), 0)


def test_broadcasts():
    values = harmonic_difference(np.arange(3)[:, None], np.arange(4))
    assert values.shape == (3, 4)
    assert values[2, 3] == pytest.approx(1 / 3 + 1 / 4 + 1 / 5)
