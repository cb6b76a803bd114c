import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.backbones.build import build_backbone
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0
from keras_dhnn.models.band_scaling import BandScaling, scale_bands
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.hash_head import hash_head

LOW, HIGH = [0.0, -10.0, 1000.0, 0.0, 2.0], [1.0, 10.0, 9000.0, 65535.0, 3.0]


@pytest.fixture
def pixels():
    shares = np.random.default_rng(0).uniform(-0.2, 1.2, (2, 32, 32, 5))
    return (np.array(LOW) + shares * np.subtract(HIGH, LOW)).astype(np.float32)


@pytest.fixture
def backbone():
    return EfficientNetLite0((32, 32, 5), stem=8, stages=((1, 3, 1, 1, 4), (2, 3, 2, 2, 8)), head=16, pooled=("head",))


def scaled(pixels):
    return np.clip(255 * (pixels - LOW) / np.subtract(HIGH, LOW), 0, 255).astype(np.float32)


def test_layer_scales_and_cuts_off(pixels):
    np.testing.assert_allclose(BandScaling(LOW, HIGH)(pixels), scaled(pixels), atol=1e-3)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float64"])
def test_layer_takes_any_type(dtype):
    layer = BandScaling([0], [100])
    np.testing.assert_allclose(layer(np.array([[0], [50], [100], [200]], dtype)), [[0], [127.5], [255], [255]])


def test_what_is_not_a_number_becomes_zero():
    values = np.array([[np.nan], [np.inf], [-np.inf]], np.float32)
    np.testing.assert_array_equal(BandScaling([5], [6])(values), [[0], [255], [0]])


@pytest.mark.parametrize(("low", "high"), [([0, 0], [1]), ([0, 1], [1, 1]), ([2], [1])])
def test_layer_rejects_bounds_out_of_order(low, high):
    with pytest.raises(ValueError, match="Expected as many numbers each, every high above its low"):
        BandScaling(low, high)


def test_layer_has_a_round_trip():
    layer = BandScaling(LOW, HIGH, name="x")
    assert BandScaling.from_config(layer.get_config()).get_config() == layer.get_config()


def test_backbone_sees_scaled_pixels(backbone, pixels):
    expected = backbone(scaled(pixels))
    np.testing.assert_allclose(scale_bands(backbone, LOW, HIGH)(pixels), expected, atol=1e-4)


@pytest.mark.parametrize("cut", ["images", "stage1", "features"])
def test_cuts_go_through_the_backbone_inside(backbone, pixels, cut):
    model = scale_bands(backbone, LOW, HIGH)
    below, above = cut_backbone(model, cut)
    np.testing.assert_array_equal(above(below(pixels)), model(pixels))
    assert below(pixels).shape[1:] == above.input_shape[1:]


def test_training_above_a_cut_trains_the_whole(backbone, pixels):
    dhnn = DHNN(scale_bands(backbone, LOW, HIGH), hash_head(16, 8))
    below, above = dhnn.above("stage1")
    before = dhnn({"image": pixels})["image"].numpy()
    for weights in above.trainable_weights:
        weights.assign_add(tf.ones_like(weights) * 0.01)
    after = dhnn({"image": pixels})["image"].numpy()
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(above({"image": below(pixels)})["image"], after, atol=1e-5)


def test_unknown_cut_names_the_stages(backbone):
    with pytest.raises(ValueError, match=r"stage1, stage2"):
        cut_backbone(scale_bands(backbone, LOW, HIGH), "stage9")


def test_scaling_is_saved_with_the_model(backbone, pixels, tmp_path):
    dhnn = DHNN(scale_bands(backbone, LOW, HIGH), hash_head(16, 8))
    dhnn.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded({"image": pixels})["image"], dhnn({"image": pixels})["image"])


def test_weights_tell_scalings_apart(backbone):
    """Cached activations are found by the weights of what computed them."""
    one, other = (scale_bands(backbone, LOW, high).get_weights() for high in (HIGH, [2, *HIGH[1:]]))
    assert any(not np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_a_keras_application_can_be_saved_and_loaded(tmp_path):
    model = build_backbone("MobileNetV2", (32, 32, 3), "none")
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-5)
