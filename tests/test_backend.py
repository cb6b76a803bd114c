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


@pytest.mark.skipif(backend.NEWEST, reason="tensorflow-addons, the oracle, is of the owner's lane")
@pytest.mark.parametrize("shape", [(31, 17, 3), (4, 24, 24, 2), (1, 8, 8, 1)])
def test_rotation_without_addons_is_that_of_addons(shape):
    random = np.random.default_rng(1)
    images = tf.constant(random.uniform(0, 255, shape).astype("float32"))
    angles = np.float32(random.uniform(-180, 180, shape[0] if len(shape) == 4 else ()))
    expected = backend.rotate(images, angles)
    np.testing.assert_allclose(backend.rotate_by_projection(images, angles * (np.pi / 180)), expected, atol=1e-5)


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


def numpy_adam(weight, gradients, peak):
    """Adam of Kingma and Ba (2015, section 2), with a rate that decays to 0 as half a cosine."""
    mean = square = np.zeros_like(weight)
    for step, gradient in enumerate(gradients):
        rate = peak * (1 + np.cos(np.pi * step / len(gradients))) / 2
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        unbiased = rate * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        weight = weight - unbiased * mean / (np.sqrt(square) + 1e-7)
    return weight


def test_multi_optimizer_steps_as_adam_does_for_50_steps():
    """In the owner's lane tensorflow-addons', in the newest what replaces it: both within 1e-6 of NumPy's."""
    model, steps, decay = build(), 50, tf.keras.optimizers.schedules.CosineDecay
    before, random = model.get_weights(), np.random.default_rng(5)
    gradients = [random.normal(size=(steps, *weight.shape)).astype("float32") for weight in before]
    rates = [1e-3, 1e-3, 1e-2, 1e-2]
    pairs = [(backend.Adam(decay(rate, steps)), layer) for rate, layer in zip(rates[::2], model.layers, strict=True)]
    optimizer = backend.multi_optimizer(pairs)
    for step in range(steps):
        own = [tf.constant(gradient[step]) for gradient in gradients]
        optimizer.apply_gradients(zip(own, model.trainable_variables, strict=True))
    for start, gradient, rate, received in zip(before, gradients, rates, model.get_weights(), strict=True):
        expected = numpy_adam(start.astype("float64"), gradient.astype("float64"), rate)
        np.testing.assert_allclose(received, expected, atol=1e-6)


def test_a_checkpoint_holds_the_moments_of_every_part(tmp_path):
    model = build()
    optimizer = backend.multi_optimizer([(backend.Adam(0.1), layer) for layer in model.layers])
    for step in (1.0, 2.0, 3.0):
        optimizer.apply_gradients([(tf.fill(weight.shape, step), weight) for weight in model.trainable_variables])
    path = tf.train.Checkpoint(model=model, optimizer=optimizer).write(str(tmp_path / "state"))
    stored = [tf.train.load_variable(path, name) for name, shape in tf.train.list_variables(path) if shape]
    # Adam's mean of the gradients 1, 2, 3.
    means = [array for array in stored if np.allclose(array, 0.1 * (3 + 0.9 * 2 + 0.81 * 1))]
    assert sorted(map(np.shape, means)) == sorted(tuple(weight.shape) for weight in model.trainable_variables)


@pytest.mark.parametrize("adam", {tf.keras.optimizers.Adam, backend.Adam})
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
    with pytest.raises(ValueError, match=r"argument `pairs`. .*hash/bias.*, .*hash/kernel.*"):
        backend.multi_optimizer([(sgd(), model.layers), (sgd(), model.layers[1])])


def test_multi_optimizer_rejects_a_layer_that_is_not_built():
    with pytest.raises(ValueError, match=r"Expected built layers with weights. Received: 'unbuilt'"):
        backend.multi_optimizer([(tf.keras.optimizers.SGD(), tf.keras.layers.Dense(3, name="unbuilt"))])


# --- import


def test_import_is_silent_about_the_end_of_life_of_addons():
    code = "import tensorflow, warnings; warnings.simplefilter('error'); import keras_dhnn.backend"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "TensorFlow Addons" not in done.stderr
    assert done.returncode == 0, done.stderr
