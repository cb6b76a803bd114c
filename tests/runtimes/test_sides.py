"""Networks side by side are converted one by one, and give together what the whole gives."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.side_by_side import side_by_side
from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.models.dhnn import below_cuts
from keras_dhnn.runtimes import RUNTIME, Encoder, installed_runtimes
from keras_dhnn.runtimes.sides import sides_of

FAST = [runtime for runtime in installed_runtimes() if runtime != "tensorflow"]


def small(name, size, seed):
    tf.keras.utils.set_random_seed(seed)
    images = tf.keras.Input((16, 16, 3), name="images")
    pooled = tf.keras.layers.Conv2D(size, 3, activation="relu", name=f"{name}_conv")(images)
    return tf.keras.Model(images, tf.keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(pooled), name=name)


@pytest.fixture(scope="module")
def parts():
    return small("one", 4, 0), small("two", 3, 1)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).uniform(0, 255, (11, 16, 16, 3)).astype(np.float32)


def plain(parts):
    return side_by_side(parts)


def scaled(parts):
    return scale_bands(side_by_side(parts), [0.0, 10.0, 20.0], [100.0, 200.0, 250.0])


def cut(parts):
    return below_cuts(scaled(parts), ["features"])


def wrapped(parts):
    images = tf.keras.Input((16, 16, 3))
    return tf.keras.Model(images, side_by_side(parts)(images))


@pytest.mark.parametrize("build", [plain, scaled, cut, wrapped])
def test_sides_give_together_what_the_network_gives(parts, images, build):
    network = build(parts)
    sides = sides_of(network)
    assert [side.output_shape[-1] for side in sides] == [4, 3]
    joined = np.concatenate([side(images).numpy() for side in sides], axis=-1)
    np.testing.assert_array_equal(joined, network(images).numpy())


def joined_inside():
    images = tf.keras.Input((16, 16, 3))
    layer = tf.keras.layers.GlobalAveragePooling2D
    return tf.keras.Model(images, tf.keras.layers.Concatenate()([layer()(images), layer()(-images)]))


def of_one():
    return small("alone", 4, 0)


def of_one_layer():
    return tf.keras.Sequential([tf.keras.Input((16, 16, 3)), tf.keras.layers.GlobalAveragePooling2D()])


def with_a_layer_above(parts):
    network = side_by_side(parts)
    return tf.keras.Model(network.input, tf.keras.layers.Dense(2)(network.output))


def of_two_outputs(parts):
    network = side_by_side(parts)
    return tf.keras.Model(network.input, [network.output, network.layers[-1].input[0]])


@pytest.mark.parametrize("build", [joined_inside, of_one, of_one_layer, with_a_layer_above, of_two_outputs])
def test_another_network_is_its_only_side(parts, build):
    network = build(parts) if build.__code__.co_argcount else build()
    assert sides_of(network) == [network]


@pytest.mark.parametrize("runtime", FAST)
@pytest.mark.parametrize("build", [plain, scaled])
def test_an_encoder_runs_each_and_shares_conversions(parts, images, runtime, build, tmp_path, monkeypatch):
    monkeypatch.setenv(RUNTIME, runtime)
    network = build(parts)
    encoder = Encoder(network, len(images), kept=tmp_path, threads=2)
    assert encoder.runtime == runtime
    found = np.concatenate([outputs for (outputs,) in encoder.outputs([images[:7], images[7:]])])
    np.testing.assert_allclose(found, network(images).numpy(), rtol=1e-5, atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 2
    # The sides of another pair, of which one is the same.
    Encoder(build((parts[0], small("three", 5, 3))), len(images), kept=tmp_path, threads=2)
    assert len(list(tmp_path.iterdir())) == 3
