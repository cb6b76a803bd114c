import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.losses.quantization import Quantization, eta_in_means, quantization, signs

OUTPUTS = [[0.5, -2.0, 0.0], [-0.25, 1.5, -1.0]]
# Distances to the signs +1 -1 +1 / -1 +1 -1 are 0.5 1 1 / 0.75 0.5 0.
L1, L2 = 3.75 / 6, (0.25 + 1 + 1 + 0.5625 + 0.25) / 6


@pytest.mark.parametrize(("norm", "expected"), [("l1", L1), ("l2", L2)])
def test_known_values(norm, expected):
    assert float(quantization(tf.constant(OUTPUTS), norm)) == pytest.approx(expected)
    assert float(Quantization(norm)(tf.zeros(2), tf.constant(OUTPUTS))) == pytest.approx(expected)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_gradient_matches_the_closed_form(norm):
    """MATH.md: L2 2 (f - b) / (n l); L1 sign(f - b) / (n l): + for f >= 1, + for -1 <= f < 0, - otherwise (eq. 7)."""
    outputs = np.random.default_rng(0).normal(size=(20, 8)) * 1.5
    variable = tf.Variable(outputs, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = quantization(variable, norm)
    if norm == "l2":
        expected = 2 * (outputs - np.where(outputs >= 0, 1, -1))
    else:
        expected = np.where((outputs >= 1) | ((outputs >= -1) & (outputs < 0)), 1, -1)
    np.testing.assert_allclose(tape.gradient(loss, variable), expected / outputs.size, atol=1e-6)


def test_zero_is_the_sign_plus():
    np.testing.assert_array_equal(signs(tf.constant([[0.0, -0.0, 1e-30, -1e-30]])), [[1, 1, 1, -1]])


@pytest.mark.parametrize(("norm", "expected"), [("l1", 2.5 / 2), ("l2", (0.25 + 4) / 2)])
def test_codes_that_are_given_stand_instead_of_the_signs(norm, expected):
    """Codes -1 -1 of outputs -0.5 1 are 0.5 and 2 away, where the outputs' own signs are 0.5 and 0 away."""
    assert float(quantization(tf.constant([[-0.5, 1.0]]), norm, tf.constant([[-1.0, -1.0]]))) == pytest.approx(expected)


@pytest.mark.parametrize(("norm", "expected"), [("l1", [0.5, 0.5]), ("l2", [0.5, 2.0])])
def test_codes_that_are_given_are_constants_for_the_gradient(norm, expected):
    """Codes b = 2 f have a gradient of their own, which does not count: 2 (f - b) / n of L2, sign(f - b) / n of L1."""
    outputs = tf.Variable([[-0.5, -2.0]])
    with tf.GradientTape() as tape:
        loss = quantization(outputs, norm, 2 * outputs)
    np.testing.assert_allclose(tape.gradient(loss, outputs), [expected])


def test_unknown_norm_is_refused():
    with pytest.raises(ValueError, match=r"l1, l2. Received: 'l3'"):
        quantization(tf.zeros((1, 8)), "l3")


def test_eta_in_means_gives_the_published_settings():
    """MATH.md: eta_paper 50 at s = 0.5 is 0.0135 for a bank of 7,400 and 1.56 for a batch of 128."""
    assert eta_in_means(50, 7400, 0.5, pairs="memory") == pytest.approx(0.0135, abs=5e-5)
    assert eta_in_means(50, 128, 0.5, pairs="batch") == pytest.approx(1.56, abs=5e-3)


def test_eta_in_means_makes_gradients_proportional_to_those_of_sums():
    """Per item: sum over its pairs (both ends) and eta_paper times its printed quantisation gradient, w = s l."""
    n, bits, s, eta_paper = 6, 8, 0.5, 3.0
    outputs = np.random.default_rng(2).normal(size=(n, bits))
    theta = np.eye(n)
    excess = 1 / (1 + np.exp(-outputs @ outputs.T / (s * bits))) - theta
    gap = outputs - np.where(outputs >= 0, 1, -1)
    # Eq. 11 as printed, without its factor 2 / w on the pairs: sum_j excess_ij f_j + 2 eta (f - b).
    printed = excess @ outputs + 2 * eta_paper * gap
    ours_eta = eta_in_means(eta_paper, n, s)
    ours = 2 / (n**2 * s * bits) * excess @ outputs + 2 * ours_eta / (n * bits) * gap
    np.testing.assert_allclose(ours * n**2 * s * bits / 2, printed, rtol=1e-9)
