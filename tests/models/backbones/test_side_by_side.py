import numpy as np
import pytest

from keras_dhnn.errors import SettingError
from keras_dhnn.models.backbones.build import build_backbone
from keras_dhnn.models.dhnn import below_cuts, cut_backbone

BOTH = "efficientnet_lite0+efficientnet_lite2"


def images(side=32):
    return np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype(np.float32)


def test_features_are_those_of_each_one_after_the_other():
    expected = [build_backbone(name, (32, 32, 3))(images()) for name in BOTH.split("+")]
    found = build_backbone(BOTH, (32, 32, 3))(images())
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


def test_it_is_cut_at_its_images_and_features_alone():
    backbone = build_backbone(BOTH, (32, 32, 3), "none")
    for cut in ("images", "features"):
        below, above = cut_backbone(backbone, cut)
        np.testing.assert_allclose(above(below(images())), backbone(images()), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(below_cuts(backbone, ["features"])(images()), backbone(images()))
    with pytest.raises(SettingError, match=r"images or features.*--backbone efficientnet_lite0.*stage5"):
        cut_backbone(backbone, "stage5")


@pytest.mark.parametrize("name", ["efficientnet_lite0+efficientnet_lite0", "efficientnet_lite0+", "+"])
def test_each_stands_there_once(name):
    with pytest.raises(SettingError, match="each once"):
        build_backbone(name, (32, 32, 3), "none")


def test_weights_that_one_of_them_lacks_are_refused():
    with pytest.raises(SettingError, match="no ImageNet weights .*sat4_cnn"):
        build_backbone("efficientnet_lite0+sat4_cnn", (28, 28, 3), "imagenet")
