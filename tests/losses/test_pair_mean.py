import pytest
import tensorflow as tf

from keras_dhnn.losses.pair_mean import pair_mean

COSTS = tf.constant([[1.0, 2.0], [3.0, 8.0]])
SIMILARITY = tf.constant([[1.0, 0.0], [0.0, 0.0]])


def test_known_values():
    assert float(pair_mean(COSTS, SIMILARITY)) == pytest.approx(14 / 4)
    assert float(pair_mean(COSTS, SIMILARITY, "balanced")) == pytest.approx(0.5 * 1 + 0.5 * 13 / 3)


def test_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match=r"mean, balanced. Received: 'half'"):
        pair_mean(COSTS, SIMILARITY, "half")
