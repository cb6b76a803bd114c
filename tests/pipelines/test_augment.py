import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.config import Augmentation
from keras_dhnn.pipelines.augment import augmentation, recolour

SEEDS = [tf.constant([7, number], tf.int32) for number in range(24)]
EVERYTHING = Augmentation(flips=True, angles=30.0, colour=0.4, crop=0.3)


def image(shape=(24, 24, 3), seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(0, 255, shape).astype("float32"))


def plane(side, bands=1):
    """The same linear ramp over the ground at any resolution: 100 + 40 * x + 60 * y at pixel centres, x, y in 0..1."""
    at = (np.arange(side, dtype="float32") + 0.5) / side
    ramp = 100 + 40 * at[None, :] + 60 * at[:, None]
    return tf.constant(np.repeat(ramp[..., None], bands, axis=2))


def test_nothing_on_is_none():
    assert augmentation(Augmentation()) is None


@pytest.mark.parametrize("settings", [{"flips": True}, {"angles": 30.0}, {"colour": 0.5}, {"crop": 0.3}])
def test_each_setting_alone_changes_images_and_is_random(settings):
    augment = augmentation(Augmentation(**settings))
    results = [augment({"image": image()}, seed)["image"].numpy() for seed in SEEDS]
    assert any(not np.array_equal(result, image()) for result in results)
    assert any(not np.array_equal(result, results[0]) for result in results)


def test_same_seed_same_result():
    augment = augmentation(EVERYTHING)
    for seed in SEEDS[:3]:
        first, second = augment({"image": image()}, seed), augment({"image": image()}, seed)
        np.testing.assert_array_equal(first["image"], second["image"])


def test_eager_and_tf_data_agree_and_keep_static_shapes():
    augment = augmentation(EVERYTHING)
    items = {"pan": tf.stack([image((32, 32, 1), n) for n in range(4)]), "mul": tf.stack([image((8, 8, 4))] * 4)}
    data = tf.data.Dataset.from_tensor_slices((items, tf.stack(SEEDS[:4]))).map(augment, num_parallel_calls=2)
    assert {name: tuple(spec.shape) for name, spec in data.element_spec.items()} == {
        "pan": (32, 32, 1),
        "mul": (8, 8, 4),
    }
    for number, received in enumerate(data):
        expected = augment({name: values[number] for name, values in items.items()}, SEEDS[number])
        for name in items:
            assert received[name].dtype == tf.float32
            np.testing.assert_allclose(received[name], expected[name], atol=1e-3)


def test_flips_are_exact_and_half_of_the_time():
    augment = augmentation(Augmentation(flips=True))
    original, mirrored = image().numpy(), image().numpy()[:, ::-1]
    results = [augment({"image": image()}, seed)["image"].numpy() for seed in SEEDS]
    kinds = [np.array_equal(result, mirrored) for result in results]
    for flipped, result in zip(kinds, results, strict=True):
        np.testing.assert_array_equal(result, mirrored if flipped else original)
    assert 6 <= sum(kinds) <= 18  # of 24


def test_angles_stay_within_bounds_and_fill_them():
    """The angle of the turned ramp's gradient, read at the centre, is the angle it was turned by."""
    augment = augmentation(Augmentation(angles=20.0))
    at = np.arange(65, dtype="float32")
    ramp = tf.constant(np.broadcast_to(at[None, :, None], (65, 65, 1)).copy())  # rises to the right
    angles = []
    for seed in SEEDS:
        turned = augment({"image": ramp}, seed)["image"].numpy()[..., 0]
        right, up = turned[32, 42] - turned[32, 22], turned[22, 32] - turned[42, 32]
        angles.append(np.degrees(np.arctan2(up, right)))
    assert np.abs(angles).max() <= 20.01
    assert np.abs(angles).max() > 14
    assert min(angles) < -5
    assert max(angles) > 5


@pytest.mark.parametrize("settings", [{"angles": 180.0}, {"crop": 0.6}, {"flips": True, "angles": 45.0, "crop": 0.3}])
def test_geometry_leaves_a_constant_image_constant(settings):
    """No black corners, no darkened edges."""
    augment = augmentation(Augmentation(**settings))
    for seed in SEEDS:
        received = augment({"image": tf.fill((20, 20, 3), 200.0)}, seed)["image"]
        np.testing.assert_allclose(received, np.full((20, 20, 3), 200.0), atol=1e-3)


def test_crop_of_a_ramp_is_the_ramp_of_a_window_inside():
    augment = augmentation(Augmentation(crop=0.5))
    sides = []
    for seed in SEEDS:
        received = augment({"image": plane(40)}, seed)["image"].numpy()[..., 0]
        inner = received[3:-3, 3:-3]  # at the edges bilinear interpolation has no neighbour outside
        across, down = np.diff(inner, axis=1) * 40 / 40, np.diff(inner, axis=0) * 40 / 60
        assert np.ptp(across) < 1e-2  # still a plane
        assert across.mean() == pytest.approx(down.mean(), abs=1e-3)  # same zoom both ways
        sides.append(across.mean())
        assert received.min() >= 100
        assert received.max() <= 200
    assert 0.5 <= min(sides) < 0.62
    assert 0.9 < max(sides) <= 1.001


def test_all_sources_get_the_same_geometry():
    """Area-averaging by 4 commutes with the geometry on a linear ramp, away from the mirrored edges."""
    augment = augmentation(Augmentation(flips=True, angles=10.0, crop=0.3))
    for seed in SEEDS:
        received = augment({"pan": plane(64), "mul": plane(16, bands=4)}, seed)
        averaged = tf.nn.avg_pool2d(received["pan"][None], 4, 4, "VALID")[0].numpy()
        np.testing.assert_allclose(np.repeat(averaged, 4, 2)[4:-4, 4:-4], received["mul"][4:-4, 4:-4], atol=0.05)


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_colour_stays_within_0_and_255(bands):
    augment = augmentation(Augmentation(colour=1.0))
    for seed in SEEDS:
        received = augment({"image": image((16, 16, bands))}, seed)["image"].numpy()
        assert np.isfinite(received).all()
        assert received.min() >= 0
        assert received.max() <= 255


def test_colour_multiplies_brightness_and_contrast():
    """Without clipping, mean and deviation are scaled by factors within 1 +- strength, the same for every band."""
    augment = augmentation(Augmentation(colour=0.2))
    original = 100 + (image((16, 16, 4)) - 128) / 8
    brightness, contrast = [], []
    for seed in SEEDS:
        received = augment({"image": original}, seed)["image"].numpy()
        brightness.append(received.mean((0, 1)) / original.numpy().mean((0, 1)))
        contrast.append(received.std((0, 1)) / original.numpy().std((0, 1)) / brightness[-1])
    for factors in (brightness, contrast):
        assert np.ptp(factors, axis=1).max() < 1e-3
        assert 0.8 <= np.min(factors) < 0.9
        assert 1.1 < np.max(factors) <= 1.2
    assert abs(np.corrcoef(np.array(brightness)[:, 0], np.array(contrast)[:, 0])[0, 1]) < 0.6  # drawn apart


def test_recolour_is_brightness_then_contrast_then_saturation():
    original = 100 + (image() - 128) / 4
    expected = tf.image.adjust_contrast(original * 1.2, 0.7)
    grey = tf.image.rgb_to_grayscale(expected)
    np.testing.assert_allclose(recolour(original, 1.2, 0.7, 1.3), grey + 1.3 * (expected - grey), atol=1e-2)
    np.testing.assert_allclose(
        recolour(original[..., :1], 1.2, 0.7, 1.3), tf.image.adjust_contrast(original[..., :1] * 1.2, 0.7), atol=1e-2
    )


def test_saturation_keeps_the_grey_of_an_image():
    """Brightness and contrast act on the grey image exactly as on the image; saturation does not touch it."""
    augment = augmentation(Augmentation(colour=0.3))
    original = 100 + (image() - 128) / 8
    for seed in SEEDS[:6]:
        grey = augment({"image": original, "grey": tf.image.rgb_to_grayscale(original)}, seed)
        np.testing.assert_allclose(tf.image.rgb_to_grayscale(grey["image"]), grey["grey"], atol=0.05)


def test_saturation_changes_only_images_of_three_bands():
    augment = augmentation(Augmentation(colour=0.3))
    grey = tf.repeat(100 + (image((16, 16, 1)) - 128) / 8, 3, axis=2)
    tinted = grey * tf.constant([1.2, 1.0, 0.8])
    for seed in SEEDS[:6]:
        received = augment({"grey": grey, "three": tinted, "four": tf.concat([tinted, grey[..., :1]], 2)}, seed)
        np.testing.assert_allclose(received["grey"][..., 0], received["grey"][..., 2], rtol=1e-4)
        ratio = {name: received[name].numpy().mean((0, 1))[:3] for name in ("three", "four")}
        assert ratio["four"][0] / ratio["four"][2] == pytest.approx(1.5, rel=1e-4)
        assert ratio["three"][0] / ratio["three"][2] != pytest.approx(1.5, rel=1e-3)


def test_switching_one_change_on_keeps_the_draws_of_the_others():
    flips, both = augmentation(Augmentation(flips=True)), augmentation(Augmentation(flips=True, colour=0.001))
    for seed in SEEDS:
        first, second = (augment({"image": image()}, seed)["image"] for augment in (flips, both))
        np.testing.assert_allclose(first, second, atol=2)
