import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.losses.balance import Balance, balance

OUTPUTS = np.random.default_rng(0).normal(0.3, 1, (6, 8)).astype(np.float32)


def test_is_the_mean_over_bits_of_squared_means_over_items():
    assert float(balance(tf.constant([[1.0, 3.0], [-1.0, 1.0]]))) == (0**2 + 2**2) / 2
    np.testing.assert_allclose(balance(OUTPUTS), (OUTPUTS.mean(axis=0) ** 2).mean(), rtol=1e-6)


def test_gradient_is_two_means_over_n_l():
    outputs = tf.Variable(OUTPUTS)
    with tf.GradientTape() as tape:
        loss = balance(outputs)
    expected = np.broadcast_to(2 * OUTPUTS.mean(axis=0) / OUTPUTS.size, OUTPUTS.shape)
    np.testing.assert_allclose(tape.gradient(loss, outputs), expected, atol=1e-7)


def test_overall_means_give_value_and_gradient():
    outputs, overall = tf.Variable(OUTPUTS), np.linspace(-1, 1, 8, dtype=np.float32)
    with tf.GradientTape() as tape:
        loss = balance(outputs, overall)
    assert float(loss) == pytest.approx((overall**2).mean(), rel=1e-6)
    expected = np.broadcast_to(2 * overall / OUTPUTS.size, OUTPUTS.shape)
    np.testing.assert_allclose(tape.gradient(loss, outputs), expected, atol=1e-7)


def test_class_is_the_function_and_survives_its_config():
    loss = Balance.from_config(Balance(name="b").get_config())
    assert (loss.name, float(loss(np.zeros(6), OUTPUTS))) == ("b", pytest.approx(float(balance(OUTPUTS))))
