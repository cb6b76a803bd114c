import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.models.band_statistics import CUTS, BandStatistics, with_band_statistics
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.hash_head import hash_head
from tests.fakes import tiny_backbone

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 5)).astype(np.float32)
EXPECTED = np.concatenate([(IMAGES.mean((1, 2)) - 127) / 128, IMAGES.std((1, 2)) / 128], axis=1)


def test_are_means_and_standard_deviations():
    np.testing.assert_allclose(BandStatistics()(IMAGES), EXPECTED, atol=1e-5)


def test_of_a_constant_band_have_a_gradient():
    images = tf.fill((1, 4, 4, 2), 9.0)
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(BandStatistics()(images))
    assert np.isfinite(tape.gradient(loss, images)).all()


def test_follow_the_features_of_scaled_pixels():
    backbone = tiny_backbone((16, 16, 5))
    model = scale_bands(with_band_statistics(backbone), [0] * 5, [1] * 5)
    np.testing.assert_allclose(
        model(IMAGES / 255), np.concatenate([backbone(IMAGES), EXPECTED], axis=1), rtol=1e-4, atol=1e-4
    )


def test_network_with_them_is_cut_at_features_saved_and_loaded(tmp_path):
    backbone = with_band_statistics(tiny_backbone((16, 16, 5)))
    model = DHNN(backbone, hash_head(backbone.output_shape[-1], 8))
    below, above = model.above("features")
    np.testing.assert_allclose(above(below(IMAGES))["image"], model(IMAGES)["image"], atol=1e-5)
    model.save(tmp_path / "model.keras")
    images, loaded = {"image": IMAGES}, tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(loaded(images)["image"], model(images)["image"], atol=1e-5)


@pytest.mark.parametrize("scaled", [False, True], ids=("plain", "scaled"))
def test_stages_are_refused_with_the_cuts_that_are_left(scaled):
    backbone = with_band_statistics(tiny_backbone((16, 16, 5)))
    backbone = scale_bands(backbone, [0] * 5, [1] * 5) if scaled else backbone
    for cut in CUTS:
        cut_backbone(backbone, cut)
    with pytest.raises(ValueError, match="Expected images or features, .*statistics=false. Received: 'stage1'"):
        cut_backbone(backbone, "stage1")
