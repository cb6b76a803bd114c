import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.cnn_f import CNNF, IMAGENET_MEAN, LocalResponseNormalization, MeanSubtraction

TINY = {"input_shape": (39, 51, 3), "filters": (6, 8, 8, 8, 8), "units": (10, 12)}


@pytest.fixture(scope="module")
def full_size():
    return CNNF()


def test_full_size_has_the_sizes_of_table_1(full_size):
    sides = {name: full_size.get_layer(name).output.shape[1:] for name in ("conv1", "pool1", "conv2", "pool2", "pool5")}
    assert sides == {
        "conv1": (54, 54, 64),
        "pool1": (27, 27, 64),
        "conv2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "pool5": (6, 6, 256),
    }
    assert full_size.output_shape == (None, 4096)


def test_full_size_has_the_published_number_of_parameters(full_size):
    convolutions = (11 * 11 * 3 * 64 + 64) + (5 * 5 * 64 * 256 + 256) + 3 * (3 * 3 * 256 * 256 + 256)
    dense = (6 * 6 * 256 * 4096 + 4096) + (4096 * 4096 + 4096)
    assert convolutions + dense == 56_737_536
    assert sum(np.prod(weight.shape) for weight in full_size.trainable_weights) == convolutions + dense
    assert full_size.count_params() == convolutions + dense + 3  # the mean colour


def test_layers_are_those_of_the_table():
    model = CNNF(**TINY)
    convolutions = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.Conv2D)]
    assert [(layer.kernel_size[0], layer.strides[0], layer.padding) for layer in convolutions] == [
        (11, 4, "valid"),
        (5, 1, "same"),
        (3, 1, "same"),
        (3, 1, "same"),
        (3, 1, "same"),
    ]
    pools = [layer for layer in model.layers if isinstance(layer, tf.keras.layers.MaxPooling2D)]
    assert [(layer.name, layer.pool_size[0], layer.strides[0]) for layer in pools] == [
        ("pool1", 3, 2),
        ("pool2", 3, 2),
        ("pool5", 3, 2),
    ]
    order = [layer.name for layer in model.layers]
    assert order.index("conv1") < order.index("norm1") < order.index("pool1") < order.index("conv2")


def test_config_round_trip_keeps_outputs(tmp_path):
    model = CNNF(**TINY, mean=[1.0, 2.0, 3.0], scale=1 / 64, dropout=0.5, name="branch")
    images = np.random.default_rng(0).uniform(0, 255, (2, 39, 51, 3)).astype("float32")
    clone = CNNF.from_config(model.get_config())
    assert clone.get_config() == model.get_config()
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(images, verbose=0), model.predict(images, verbose=0))

    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, CNNF)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


def test_dropout_acts_only_while_training():
    model = CNNF(**TINY, scale=1 / 64, dropout=0.5)
    images = np.random.default_rng(0).uniform(0, 255, (4, 39, 51, 3)).astype("float32")
    np.testing.assert_array_equal(model(images, training=False), model(images, training=False))
    assert np.any(model(images, training=True) != model(images, training=True))


def test_random_weights_with_scale_give_features_near_unit_variance():
    tf.keras.utils.set_random_seed(0)
    model = CNNF(input_shape=(63, 63, 3), filters=(32,) * 5, units=(64, 64), scale=1 / 64)
    images = np.random.default_rng(0).uniform(0, 255, (16, 63, 63, 3)).astype("float32")
    assert 0.1 < np.std(model(images)) < 10


def test_every_weight_gets_a_gradient():
    model = CNNF(**TINY, scale=1 / 64)
    images = np.random.default_rng(0).uniform(0, 255, (8, 39, 51, 3)).astype("float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(images, training=True)))
    gradients = tape.gradient(loss, model.trainable_weights)
    assert len(gradients) == 14
    assert all(np.any(gradient) for gradient in gradients)


def test_smallest_image_passes_and_a_smaller_one_is_rejected():
    assert CNNF(**TINY | {"input_shape": (39, 39, 3)}).get_layer("pool5").output.shape == (None, 1, 1, 8)
    with pytest.raises(ValueError, match="at least 39x39 pixels"):
        CNNF(**TINY | {"input_shape": (38, 39, 3)})


@pytest.mark.parametrize(("name", "value"), [("filters", (4, 4)), ("units", (4,)), ("units", (4, 4, 4))])
def test_wrong_number_of_layers_is_rejected(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        CNNF(**TINY | {name: value})


def test_mean_subtraction_by_hand():
    layer = MeanSubtraction([100.0, 50.0], scale=0.5)
    np.testing.assert_allclose(layer(np.array([[[[110.0, 50.0]]]], "float32")), [[[[5.0, 0.0]]]])
    assert not layer.trainable_weights
    assert len(layer.weights) == 1


def test_mean_subtraction_takes_one_number_for_all_bands():
    layer = MeanSubtraction(10)
    np.testing.assert_allclose(layer(np.full((1, 1, 1, 5), 12.0, "float32")), np.full((1, 1, 1, 5), 2.0))


def test_mean_of_other_length_than_bands_is_rejected():
    with pytest.raises(ValueError, match=r"`mean`.*4 bands"):
        CNNF(**TINY | {"input_shape": (39, 39, 4)}, mean=IMAGENET_MEAN)


def normalise_by_loop(x, size, bias, alpha, beta):
    result = np.empty_like(x)
    channels = x.shape[-1]
    for channel in range(channels):
        window = x[..., max(0, channel - size // 2) : min(channels, channel + size // 2 + 1)]
        result[..., channel] = x[..., channel] / (bias + alpha * (window**2).sum(-1)) ** beta
    return result


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization_matches_a_loop(size):
    x = np.random.default_rng(1).normal(0, 60, (2, 3, 4, 7))
    layer = LocalResponseNormalization(size, bias=1.5, alpha=1e-3, beta=0.6)
    expected = normalise_by_loop(x, size, 1.5, 1e-3, 0.6)
    np.testing.assert_allclose(layer(x.astype("float32")), expected, rtol=1e-4, atol=1e-5)


def test_local_response_normalization_defaults_by_hand():
    # The middle channel sees all five: 5 * 100^2 * 1e-4 = 5; the first sees three.
    y = LocalResponseNormalization()(np.full((1, 1, 1, 5), 100.0, "float32"))
    np.testing.assert_allclose(y[0, 0, 0, 2], 100 / 7**0.75, rtol=1e-5)
    np.testing.assert_allclose(y[0, 0, 0, 0], 100 / 5**0.75, rtol=1e-5)


def test_local_response_normalization_config_round_trip():
    layer = LocalResponseNormalization(3, 1.0, 2e-4, 0.5)
    assert LocalResponseNormalization.from_config(layer.get_config()).get_config() == layer.get_config()


def test_local_response_normalization_in_bfloat16():
    layer = LocalResponseNormalization(dtype="mixed_bfloat16")
    y = layer(np.full((1, 1, 1, 5), 100.0, "float32"))
    assert y.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(y[0, 0, 0, 2], tf.float32), 100 / 7**0.75, rtol=1e-2)


@pytest.mark.parametrize("size", [0, 4, -1])
def test_even_window_is_rejected(size):
    with pytest.raises(ValueError, match="`size`"):
        LocalResponseNormalization(size)
