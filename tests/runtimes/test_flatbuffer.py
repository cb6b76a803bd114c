import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0
from keras_dhnn.runtimes.flatbuffer import multiplications, network_key


def model(offset=-1.0, activation="relu", weights=0.1, skip=False):
    images = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Rescaling(1 / 127.5, offset)(images)
    y = tf.keras.layers.Conv2D(3, 3, padding="same", activation=activation)(x)
    network = tf.keras.Model(images, tf.keras.layers.Add()([images if skip else x, y]))
    network.set_weights([0 * one + weights for one in network.get_weights()])
    return network


def test_equal_networks_share_a_key_whatever_keras_calls_their_layers():
    assert network_key(model(), "facts") == network_key(model(), "facts")


def test_nor_what_it_calls_networks_inside_networks():
    def outer():
        images = tf.keras.Input((8, 8, 3))
        inner = model()
        outputs = tf.keras.layers.Add()([inner(images), model(offset=0.0)(images)])
        return tf.keras.Model(images, [outputs, inner(outputs)])

    assert network_key(outer(), "facts") == network_key(outer(), "facts")


@pytest.mark.parametrize(
    "other",
    [{"offset": 0.0}, {"activation": "tanh"}, {"weights": 0.2}, {"skip": True}],
    ids=["setting", "activation", "weights", "connection"],
)
def test_other_networks_have_other_keys(other):
    assert network_key(model(**other), "facts") != network_key(model(), "facts")


def test_a_key_depends_on_facts_and_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        lower = network_key(model(), "facts")
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert len({lower, network_key(model(), "facts"), network_key(model(), "others")}) == 3


def test_layers_inside_a_network_inside_a_network_count():
    images = tf.keras.Input((8, 8, 3))
    keys = {network_key(tf.keras.Model(images, model(offset)(images))) for offset in (-1.0, 0.0)}
    assert len(keys) == 2


def test_layers_that_cannot_be_saved_have_keys_too():
    class Shifted(tf.keras.layers.Layer):
        def __init__(self, by):
            super().__init__()
            self.by = by

        def call(self, images):
            return images + self.by

    images = tf.keras.Input((8, 8, 3))
    keys = {network_key(tf.keras.Model(images, Shifted(by)(images))) for by in (1.0, 2.0, 2.0)}
    assert len(keys) == 2


def test_multiplications_are_those_of_the_convolutions():
    assert multiplications(model()) == 8 * 8 * 3 * 3 * 3 * 3
    # Tan and Le's networks without squeeze-and-excitation: 0.40 thousand million at 224 pixels.
    assert multiplications(EfficientNetLite0()) == pytest.approx(0.40e9, rel=0.05)
