import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn import backend

# --- rotate


@pytest.mark.parametrize("quarter", [1, 2, 3])
@pytest.mark.parametrize("shape", [(8, 8, 3), (9, 9, 1), (2, 8, 8, 4)])
def test_rotate_by_quarter_turns_is_rot90(quarter, shape):
    images = np.random.default_rng(0).uniform(0, 255, shape).astype("float32")
    turned = backend.rotate(tf.constant(images), 90.0 * quarter)
    np.testing.assert_allclose(turned, np.rot90(images, quarter, axes=(-3, -2)), atol=0.05)


def test_rotate_takes_an_angle_per_image():
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    turned = backend.rotate(tf.constant(images), tf.constant([0.0, 90.0]))
    np.testing.assert_allclose(turned[0], images[0], atol=0.05)
    np.testing.assert_allclose(turned[1], np.rot90(images[1]), atol=0.05)


def test_rotate_mirrors_at_the_edges():
    """Bilinear interpolation of the image continued by mirrored copies, computed independently by SciPy."""
    ndimage = pytest.importorskip("scipy.ndimage")
    image = np.random.default_rng(0).uniform(0, 255, (20, 20)).astype("float32")
    turned = backend.rotate(tf.constant(image[..., None]), 30.0)[..., 0]
    expected = ndimage.rotate(image, 30.0, reshape=False, order=1, mode="reflect")
    np.testing.assert_allclose(turned, expected, atol=0.05)


# --- multi_optimizer


def build():
    tf.keras.utils.set_random_seed(0)
    model = tf.keras.Sequential([tf.keras.layers.Dense(4, name="backbone"), tf.keras.layers.Dense(3, name="hash")])
    model.build((None, 5))
    return model


def test_multi_optimizer_steps_each_layer_at_its_own_rate():
    model = build()
    before = model.get_weights()
    sgd = tf.keras.optimizers.SGD
    optimizer = backend.multi_optimizer([(sgd(0.1), model.layers[0]), (sgd(10.0), model.layers[1:])])
    optimizer.apply_gradients([(tf.ones_like(weight), weight) for weight in model.trainable_variables])
    steps = [old - new for old, new in zip(before, model.get_weights(), strict=True)]
    for step, rate in zip(steps, [0.1, 0.1, 10, 10], strict=True):
        np.testing.assert_allclose(step, np.full_like(step, rate), rtol=1e-5)


@pytest.mark.parametrize("adam", [tf.keras.optimizers.Adam, tf.keras.optimizers.legacy.Adam])
def test_multi_optimizer_continues_exactly_from_a_checkpoint(adam, tmp_path):
    x = np.random.default_rng(0).normal(size=(16, 5)).astype("float32")

    def compiled():
        model, decay = build(), tf.keras.optimizers.schedules.CosineDecay
        pairs = [(adam(decay(1e-3, 20)), model.layers[0]), (adam(decay(1e-2, 20)), model.layers[1])]
        model.compile(optimizer=backend.multi_optimizer(pairs), loss="mse")
        return model, tf.train.Checkpoint(model=model, optimizer=model.optimizer)

    def fit(model, epochs):
        model.fit(x, x[:, :3], epochs=epochs, batch_size=8, shuffle=False, verbose=0)

    whole, _ = compiled()
    fit(whole, 6)
    first, checkpoint = compiled()
    fit(first, 3)
    path = checkpoint.save(str(tmp_path / "state"))
    second, checkpoint = compiled()
    status = checkpoint.restore(path)
    fit(second, 3)
    status.assert_consumed()
    for expected, received in zip(whole.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_multi_optimizer_rejects_a_layer_in_two_pairs():
    model, sgd = build(), tf.keras.optimizers.SGD
    with pytest.raises(ValueError, match=r"argument `pairs`. .*hash/bias:0, hash/kernel:0 more than once"):
        backend.multi_optimizer([(sgd(), model.layers), (sgd(), model.layers[1])])


def test_multi_optimizer_rejects_a_layer_that_is_not_built():
    with pytest.raises(ValueError, match=r"Expected built layers with weights. Received: unbuilt"):
        backend.multi_optimizer([(tf.keras.optimizers.SGD(), tf.keras.layers.Dense(3, name="unbuilt"))])


# --- import


def test_import_is_silent_about_the_end_of_life_of_addons():
    code = "import tensorflow, warnings; warnings.simplefilter('error'); import keras_dhnn.backend"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "TensorFlow Addons" not in done.stderr
    assert done.returncode == 0, done.stderr
