from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.models.backbones import build
from keras_dhnn.models.backbones.build import ApplicationPreprocessing, build_backbone, starts_trained


def pixels(*shape):
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def test_keras_application_by_name_has_its_own_preprocessing():
    backbone = build_backbone("MobileNetV2", (64, 64, 3))
    images = pixels(2, 64, 64, 3)
    assert backbone.output_shape == (None, 1280)
    bare = tf.keras.Model(backbone.layers[2].input, backbone.output)  # after images and preprocessing
    expected = bare(tf.keras.applications.mobilenet_v2.preprocess_input(images.copy()))
    np.testing.assert_allclose(backbone(images), expected, atol=1e-5)


def test_preprocessing_of_the_caffe_kind():
    images = pixels(1, 8, 8, 3)
    expected = images[..., ::-1] - [103.939, 116.779, 123.68]
    np.testing.assert_allclose(ApplicationPreprocessing("vgg16")(images), expected, atol=1e-4)


def test_keras_application_for_other_bands_scales_to_plus_minus_one():
    backbone = build_backbone("MobileNetV2", (32, 32, 5))
    assert backbone.input_shape == (None, 32, 32, 5)
    rescaling = next(layer for layer in backbone.layers if isinstance(layer, tf.keras.layers.Rescaling))
    np.testing.assert_allclose(rescaling(np.array([0.0, 255.0])), [-1, 1], atol=1e-6)


def test_application_survives_saving(tmp_path):
    backbone = build_backbone("MobileNetV2", (32, 32, 3))
    backbone.save(tmp_path / "b.keras")
    loaded = tf.keras.models.load_model(tmp_path / "b.keras")
    np.testing.assert_array_equal(loaded(pixels(1, 32, 32, 3)), backbone(pixels(1, 32, 32, 3)))


def test_unknown_backbone_lists_what_there_is():
    with pytest.raises(ValueError, match=r"'VGG17'.*efficientnet_lite0.*VGG16.*package.module:function"):
        build_backbone("VGG17", (32, 32, 3))


def test_custom_backbone_is_imported():
    assert build_backbone("tests.fakes:tiny_backbone", (16, 16, 2)).input_shape == (None, 16, 16, 2)


@pytest.mark.parametrize("name", ["tests.nowhere:build", "tests.fakes:nothing"])
def test_custom_backbone_that_is_not_there(name):
    with pytest.raises(ValueError, match="cannot be imported"):
        build_backbone(name, (16, 16, 3))


def test_custom_backbone_must_give_feature_vectors():
    with pytest.raises(ValueError, match=r"\(B, d\) features"):
        build_backbone("tensorflow:zeros", (16, 16, 3))


def test_random_weights_on_request():
    """ImageNet's first convolution is the same each time, a random one is not."""
    kernels = [
        build_backbone("efficientnet_lite0", (32, 32, 3), weights).get_layer("stem_conv").get_weights()[0]
        for weights in ("auto", "imagenet", "none")
    ]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.1


def test_weights_from_a_keras_file(tmp_path):
    one = build_backbone("sat4_cnn", (28, 28, 4))
    one.save_weights(tmp_path / "w.weights.h5")
    other = build_backbone("sat4_cnn", (28, 28, 4), str(tmp_path / "w.weights.h5"))
    np.testing.assert_array_equal(one(pixels(2, 28, 28, 4)), other(pixels(2, 28, 28, 4)))


def test_imagenet_weights_of_cnn_f_are_a_file_of_the_users():
    with pytest.raises(ValueError, match=r"imagenet-vgg-f.mat.*model.weights=PATH"):
        build_backbone("cnn_f", (224, 224, 3), "imagenet")


def test_sat4_cnn_has_no_imagenet_weights():
    with pytest.raises(ValueError, match="no ImageNet weights"):
        build_backbone("sat4_cnn", (28, 28, 4), "imagenet")


@pytest.mark.parametrize(
    ("name", "weights", "pretrained"),
    [
        ("efficientnet_lite0", "auto", True),
        ("efficientnet_lite0", "none", False),
        ("cnn_f", "auto", False),
        ("cnn_f", "imagenet-vgg-f.mat", True),
        ("MobileNetV2", "auto", False),
        ("MobileNetV2", "imagenet", True),
    ],
)
def test_starts_trained(name, weights, pretrained):
    assert starts_trained(name, weights) == pretrained


def test_weights_that_cannot_be_fetched_are_one_message(monkeypatch):
    def offline(**_):
        raise OSError("URL fetch failure on https://x.example/weights.h5: None -- [Errno -3] no such host")

    keras = SimpleNamespace(applications=SimpleNamespace(MobileNetV2=offline))
    monkeypatch.setattr(build, "tf", SimpleNamespace(keras=keras))
    with pytest.raises(SettingError, match=r"of MobileNetV2 could not be fetched .*no such host.*model.weights="):
        build._of_keras("MobileNetV2", None, "imagenet")
