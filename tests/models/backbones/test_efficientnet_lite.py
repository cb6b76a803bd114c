"""The port itself is tested on photographs, in test_pretrained.py."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0, EfficientNetLite1, EfficientNetLite2

TINY = {"input_shape": (32, 32, 3), "stem": 8, "stages": ((1, 3, 1, 1, 8), (2, 3, 2, 6, 16)), "head": 24}


def images():
    return np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def test_features_are_means_of_the_named_levels_in_order():
    tf.keras.utils.set_random_seed(0)  # of some weights a mean is so near 0 that its relative error is large
    model = EfficientNetLite0(**TINY, pooled=("stage2", "head"))
    levels = tf.keras.Model(model.input, [model.get_layer("stage2").output, model.get_layer("head_relu").output])
    expected = np.concatenate([level.numpy().mean(axis=(1, 2)) for level in levels(images())], axis=1)
    np.testing.assert_allclose(model(images()), expected, rtol=1e-5)
    assert model.output_shape == (None, 16 + 24)


@pytest.mark.parametrize(
    ("network", "parameters"),
    [(EfficientNetLite0, 4_652_008), (EfficientNetLite1, 5_416_680), (EfficientNetLite2, 6_092_072)],
)
def test_standard_networks_have_the_published_size(network, parameters):
    """With the classifier of 1,000 x 1,281; published are 4.7, 5.4 and 6.1 million."""
    counted = sum(int(tf.size(weights)) for weights in network().trainable_weights)
    assert counted + 1000 * 1281 == parameters


@pytest.mark.parametrize(
    ("network", "features"),
    [
        (EfficientNetLite0, 112 + 320 + 1280),
        (EfficientNetLite1, 40 + 80 + 112 + 192 + 320 + 1280),
        (EfficientNetLite2, 48 + 88 + 120 + 208 + 352 + 1280),
    ],
)
def test_length_of_the_features(network, features):
    assert network((32, 32, 3)).output_shape == (None, features)


def test_strides_halve_five_times():
    model = EfficientNetLite0()
    sides = [model.get_layer(f"stage{number}").output.shape[1] for number in range(1, 8)]
    assert sides == [112, 56, 28, 14, 14, 7, 7]


def test_config_round_trip():
    model = EfficientNetLite0(**TINY, pooled=("stage1", "stage2"))
    copy = EfficientNetLite0.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(images()), model(images()))
