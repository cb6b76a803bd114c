"""What every hashing method for one feature vector keeps: scikit-learn's rules, signs, seeds, and messages."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

from keras_dhnn.baselines import COSDISH, ITQ, KSH, PRH, SDH
from keras_dhnn.baselines.anchors import Anchors
from keras_dhnn.baselines.hasher import SupervisedHasher
from tests.baselines.toys import clusters, score

METHODS = [ITQ(bits=8), PRH(bits=8), KSH(bits=8, anchors=50, steps=10), SDH(bits=8, anchors=50), COSDISH(bits=8)]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)


@pytest.mark.parametrize(
    "estimator",
    [ITQ(1, iterations=3), PRH(2), KSH(2, anchors=10, steps=5), SDH(2, anchors=10), COSDISH(2), COSDISH(2, anchors=10)]
    + [Anchors(10), Anchors(0)],
    ids=lambda estimator: type(estimator).__name__,
)
# scikit-learn leaves out a check of its own where its experimental array API is off.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_is_a_scikit_learn_estimator(estimator):
    check_estimator(estimator)


@each_method
def test_codes_are_signs_and_depend_on_the_seed_alone(method):
    x, labels = clusters()
    first, again = (clone(method).fit(x, labels).transform(x) for _ in range(2))
    other = clone(method).set_params(seed=1).fit(x, labels).transform(x)
    assert first.dtype == np.int8
    assert first.shape == (240, 8)
    assert set(np.unique(first)) == {-1, 1}
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@each_method
def test_clusters_apart_are_ranked_perfectly_or_nearly(method):
    x, labels = clusters(spread=0.05)
    assert score(clone(method), x, labels) > (0.99 if isinstance(method, SupervisedHasher) else 0.8)


@each_method
def test_float32_and_labels_that_are_words(method):
    x, labels = clusters(spread=0.05)
    words = np.array(["beach", "forest", "harbour", "river"])[labels]
    single = clone(method).fit(x.astype(np.float32), words).transform(x.astype(np.float32))
    assert (single == clone(method).fit(x, words).transform(x)).mean() > 0.95


@each_method
def test_rejects_bits_and_transform_before_fit(method):
    x, labels = clusters()
    for bits in (0, 2.0):
        with pytest.raises(ValueError, match="`bits`. Expected a whole number above 0"):
            clone(method).set_params(bits=bits).fit(x, labels)
    with pytest.raises(NotFittedError):
        clone(method).transform(x)
