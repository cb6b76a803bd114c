"""PRH against its closed form."""

import numpy as np

from keras_dhnn.baselines.prh import PRH
from tests.baselines.toys import clusters


def test_weights_are_the_closed_form():
    x, _ = clusters()
    centred = x - x.mean(axis=0)
    random = np.random.default_rng(3).standard_normal((12, 16))
    codes = np.where(centred @ random >= 0, 1.0, -1.0)
    expected = np.linalg.solve(codes.T @ codes + 0.5 * np.eye(16), codes.T @ centred)
    np.testing.assert_allclose(PRH(16, weight=0.5, seed=3).fit(x).weights_, expected, atol=1e-8)


def test_codes_are_those_of_projections_on_the_weights():
    x, _ = clusters()
    prh = PRH(16).fit(x)
    np.testing.assert_array_equal(prh.transform(x + 7) >= 0, (x + 7 - x.mean(axis=0)) @ prh.weights_.T >= 0)
