import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.pan_cnn import PANCNN

TINY = {"filters": (2, 3, 4, 5), "units": (5, 6)}
CONVOLUTIONS = (7 * 7 * 32 + 32) + (5 * 5 * 32 * 64 + 64) + (5 * 5 * 64 * 128 + 128) + (5 * 5 * 128 * 256 + 256)


def images(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def test_number_of_parameters():
    dense = (1 * 1 * 256 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert PANCNN().count_params() == CONVOLUTIONS + dense == 2_390_016


def test_number_of_parameters_with_padding():
    dense = (8 * 8 * 256 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert PANCNN(padding="same").count_params() == CONVOLUTIONS + dense == 18_905_088


@pytest.mark.parametrize(
    ("padding", "sides"), [("valid", (84, 41, 19, 18, 7, 3, 1)), ("same", (86, 42, 21, 20, 10, 10, 8))]
)
def test_sizes_along_the_network(padding, sides):
    model = PANCNN(padding=padding)
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "pool4")
    assert tuple(model.get_layer(name).output.shape[1] for name in names) == sides
    assert model.output_shape == (None, 1024)


def test_layers_are_those_of_the_table():
    model = PANCNN()
    convolutions = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size[0], c.strides[0]) for c in convolutions] == [
        (32, 7, 3),
        (64, 5, 2),
        (128, 5, 2),
        (256, 5, 1),
    ]
    pools = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.MaxPooling2D)]
    assert [(pool.pool_size[0], pool.strides[0]) for pool in pools] == [(3, 2), (2, 1), (3, 1)]


def test_normalisation_is_inside_the_network():
    mean, variance = np.array([90.0]), np.array([400.0])
    with_statistics = PANCNN(**TINY, mean=mean, variance=variance)
    plain = PANCNN(**TINY, mean=0.0, variance=1.0)
    plain.set_weights(with_statistics.get_weights())
    x = images(3, 256, 256, 1)
    expected = plain(((x - mean) / np.sqrt(variance)).astype("float32"))
    np.testing.assert_allclose(with_statistics(x), expected, rtol=1e-4, atol=1e-5)


def test_config_round_trip_keeps_outputs(tmp_path):
    mean, variance = np.array([90.0], "float32"), np.array([400.0])
    model = PANCNN((70, 75, 1), **TINY, padding="same", mean=mean, variance=variance, dropout=0.25, name="branch")
    x = images(2, 70, 75, 1)
    clone = PANCNN.from_config(model.get_config())
    assert clone.get_config() == model.get_config()
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))

    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, PANCNN)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_dropout_acts_only_while_training():
    model = PANCNN(**TINY | {"units": (50, 50)}, dropout=0.5)
    x = images(4, 256, 256, 1)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))
    assert np.any(model(x, training=True) != model(x, training=True))


@pytest.mark.parametrize(("padding", "smallest"), [("same", 67), ("valid", 241)])
def test_smallest_image_leaves_one_pixel_and_a_smaller_one_is_rejected(padding, smallest):
    model = PANCNN((smallest, smallest, 1), **TINY, padding=padding)
    assert model.get_layer("pool4").output.shape == (None, 1, 1, 5)
    with pytest.raises(ValueError, match=f"at least {smallest} pixels"):
        PANCNN((smallest, smallest - 1, 1), **TINY, padding=padding)


@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", (2, 3)), ("padding", "full"), ("mean", [1.0, 2.0, 3.0]), ("variance", [1.0, 2.0])],
)
def test_wrong_argument_is_named(name, value):
    with pytest.raises(ValueError, match=f"argument `{name}`"):
        PANCNN(**TINY | {name: value})
