import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler, normalize

from keras_dhnn.unlabelled.standard import standard_features

RANDOM = np.random.default_rng(1)
FEATURES = RANDOM.standard_normal((300, 12)) @ RANDOM.standard_normal((12, 12)) + 5


def test_they_are_those_of_scikit_learn():
    expected = normalize(StandardScaler().fit_transform(FEATURES))
    np.testing.assert_allclose(standard_features(FEATURES), expected, atol=1e-5)


def test_reduced_they_keep_the_principal_components_similarities():
    components = normalize(PCA(4).fit_transform(StandardScaler().fit_transform(FEATURES)))
    reduced = standard_features(FEATURES, 4)
    np.testing.assert_allclose(reduced @ reduced.T, components @ components.T, atol=1e-4)


def test_a_dimension_that_never_changes_says_nothing():
    constant = np.concatenate([FEATURES, np.full((300, 1), 7.0)], axis=1)
    np.testing.assert_allclose(standard_features(constant)[:, :-1], standard_features(FEATURES), atol=1e-5)


def test_blocks_make_no_difference(monkeypatch):
    whole = standard_features(FEATURES, 4)
    monkeypatch.setattr("keras_dhnn.unlabelled.standard._BLOCK", 7)
    np.testing.assert_allclose(standard_features(FEATURES, 4), whole, atol=1e-6)


@pytest.mark.parametrize("features", [np.zeros((1, 3)), np.zeros(3), np.array([[0.0, 1], [np.nan, 1]])])
def test_it_rejects_features_without_two_finite_items(features):
    with pytest.raises(ValueError, match="Expected"):
        standard_features(features)
