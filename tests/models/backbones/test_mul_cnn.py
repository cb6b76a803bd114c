import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.mul_cnn import MULCNN

TINY = {"filters": (2, 3, 4), "units": (5, 6)}
CONVOLUTIONS = (5 * 5 * 4 * 64 + 64) + (3 * 3 * 64 * 128 + 128) + (3 * 3 * 128 * 256 + 256)


def images(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def test_number_of_parameters():
    dense = (1 * 1 * 256 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert MULCNN().count_params() == CONVOLUTIONS + dense == 1_688_256


def test_number_of_parameters_with_padding():
    dense = (5 * 5 * 256 * 1024 + 1024) + (1024 * 1024 + 1024)
    assert MULCNN(padding="same").count_params() == CONVOLUTIONS + dense == 7_979_712


@pytest.mark.parametrize(("padding", "sides"), [("valid", (30, 14, 6, 4, 2, 1)), ("same", (32, 15, 8, 6, 6, 5))])
def test_sizes_along_the_network(padding, sides):
    model = MULCNN(padding=padding)
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "pool3")
    assert tuple(model.get_layer(name).output.shape[1] for name in names) == sides
    assert model.output_shape == (None, 1024)


def test_layers_are_those_of_the_table():
    model = MULCNN()
    convolutions = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size[0], c.strides[0]) for c in convolutions] == [(64, 5, 2), (128, 3, 2), (256, 3, 1)]
    pools = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.MaxPooling2D)]
    assert [(pool.pool_size[0], pool.strides[0]) for pool in pools] == [(3, 2), (3, 1), (2, 1)]


def test_normalisation_is_inside_the_network():
    mean, variance = np.array([90.0, 100.0, 110.0, 140.0]), np.array([400.0, 900.0, 100.0, 25.0])
    with_statistics = MULCNN(**TINY, mean=mean, variance=variance)
    plain = MULCNN(**TINY, mean=0.0, variance=1.0)
    plain.set_weights(with_statistics.get_weights())
    x = images(3, 64, 64, 4)
    expected = plain(((x - mean) / np.sqrt(variance)).astype("float32"))
    np.testing.assert_allclose(with_statistics(x), expected, rtol=1e-4, atol=1e-5)


def test_config_round_trip_keeps_outputs(tmp_path):
    mean, variance = np.array([90.0, 100.0, 110.0, 140.0], "float32"), np.array([400.0, 900.0, 100.0, 25.0])
    model = MULCNN((60, 61, 4), **TINY, padding="valid", mean=mean, variance=variance, dropout=0.25, name="branch")
    x = images(2, 60, 61, 4)
    clone = MULCNN.from_config(model.get_config())
    assert clone.get_config() == model.get_config()
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))

    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, MULCNN)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_dropout_acts_only_while_training():
    model = MULCNN(**TINY | {"units": (50, 50)}, dropout=0.5)
    x = images(4, 64, 64, 4)
    np.testing.assert_array_equal(model(x, training=False), model(x, training=False))
    assert np.any(model(x, training=True) != model(x, training=True))


@pytest.mark.parametrize(("padding", "smallest"), [("same", 29), ("valid", 57)])
def test_smallest_image_leaves_one_pixel_and_a_smaller_one_is_rejected(padding, smallest):
    model = MULCNN((smallest, smallest, 4), **TINY, padding=padding)
    assert model.get_layer("pool3").output.shape == (None, 1, 1, 4)
    with pytest.raises(ValueError, match=f"at least {smallest} pixels"):
        MULCNN((smallest, smallest - 1, 4), **TINY, padding=padding)


@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", (2, 3)), ("padding", "full"), ("mean", [1.0, 2.0, 3.0]), ("variance", [1.0, 2.0])],
)
def test_wrong_argument_is_named(name, value):
    with pytest.raises(ValueError, match=f"argument `{name}`"):
        MULCNN(**TINY | {name: value})
