import pytest
import tensorflow as tf

from keras_dhnn.losses.pair_mean import pair_mean

SIMILAR = tf.constant([[1.0, 2.0], [3.0, 8.0]])
DISSIMILAR = tf.constant([[5.0, 4.0], [7.0, 6.0]])
SIMILARITY = tf.constant([[1.0, 0.0], [0.0, 0.0]])
GRADED = tf.constant([[1.0, 0.25], [0.25, 0.5]])
WEIGHTS = tf.constant([[1.0, 2.0], [0.0, 4.0]])


def test_known_values():
    assert float(pair_mean(SIMILAR, DISSIMILAR, SIMILARITY)) == pytest.approx((1 + 4 + 7 + 6) / 4)
    assert float(pair_mean(SIMILAR, DISSIMILAR, SIMILARITY, "balanced")) == pytest.approx(0.5 * 1 + 0.5 * 17 / 3)


def test_graded_pairs_count_as_parts_of_both_kinds():
    similar, dissimilar = 1 + 0.5 + 0.75 + 4, 0 + 3 + 5.25 + 3
    assert float(pair_mean(SIMILAR, DISSIMILAR, GRADED)) == pytest.approx((similar + dissimilar) / 4)
    balanced = 0.5 * similar / 2 + 0.5 * dissimilar / 2
    assert float(pair_mean(SIMILAR, DISSIMILAR, GRADED, "balanced")) == pytest.approx(balanced)


def test_pairs_count_by_their_weights():
    similar, dissimilar = 1 + 2 * 0.5 + 4 * 4, 2 * 3 + 4 * 3
    assert float(pair_mean(SIMILAR, DISSIMILAR, GRADED, weights=WEIGHTS)) == pytest.approx((similar + dissimilar) / 7)
    balanced = 0.5 * similar / (1 + 0.5 + 2) + 0.5 * dissimilar / (1.5 + 2)
    assert float(pair_mean(SIMILAR, DISSIMILAR, GRADED, "balanced", WEIGHTS)) == pytest.approx(balanced)


@pytest.mark.parametrize("weighting", ["mean", "balanced"])
def test_equal_weights_change_nothing(weighting):
    without = pair_mean(SIMILAR, DISSIMILAR, GRADED, weighting)
    equal = pair_mean(SIMILAR, DISSIMILAR, GRADED, weighting, tf.fill((2, 2), 3.0))
    assert float(equal) == pytest.approx(float(without))


def test_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match=r"mean, balanced. Received: 'half'"):
        pair_mean(SIMILAR, DISSIMILAR, SIMILARITY, "half")
