import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.losses.pairwise import PairwiseLikelihood, pairwise_likelihood
from keras_dhnn.losses.similarity import label_similarity


def sample(n=6, m=5, bits=8, seed=0):
    random = np.random.default_rng(seed)
    rows, columns = random.normal(size=(n, bits)), random.normal(size=(m, bits))
    similarity = (random.random((n, m)) < 0.3).astype(float)
    return [tf.constant(value, tf.float32) for value in (similarity, rows, columns)]


def reference(similarity, rows, columns, penalty):
    """Minus the log of the likelihood itself, p for similar pairs and 1 - p for others (eq. 1)."""
    probability = 1 / (1 + np.exp(-(rows.astype(np.float64) @ columns.T.astype(np.float64)) / penalty))
    return -np.where(similarity == 1, np.log(probability), np.log(1 - probability))


def test_mean_is_minus_the_log_of_the_likelihood():
    similarity, rows, columns = sample()
    expected = reference(similarity.numpy(), rows.numpy(), columns.numpy(), 4.0).mean()
    assert float(pairwise_likelihood(similarity, rows, columns, 4.0)) == pytest.approx(expected, rel=1e-5)


def test_balanced_gives_half_the_weight_to_similar_pairs():
    similarity, rows, columns = sample()
    costs, similar = reference(similarity.numpy(), rows.numpy(), columns.numpy(), 4.0), similarity.numpy() == 1
    expected = 0.5 * costs[similar].mean() + 0.5 * costs[~similar].mean()
    assert float(pairwise_likelihood(similarity, rows, columns, 4.0, "balanced")) == pytest.approx(expected, rel=1e-5)


def test_balanced_without_similar_pairs_is_finite():
    _, rows, columns = sample()
    costs = reference(np.zeros((6, 5)), rows.numpy(), columns.numpy(), 4.0)
    loss = pairwise_likelihood(tf.zeros((6, 5)), rows, columns, 4.0, "balanced")
    assert float(loss) == pytest.approx(0.5 * costs.mean(), rel=1e-5)


def test_large_outputs_do_not_overflow():
    rows = tf.constant([[1e3] * 8, [-1e3] * 8])
    # Pairs: same sign, dissimilar, cost 8e6; opposite sign, similar, cost 8e6.
    assert float(pairwise_likelihood(1 - tf.eye(2), rows, rows, 1.0)) == pytest.approx(8e6)


@pytest.mark.parametrize("bits", [32, 64])
def test_gradient_matches_the_closed_form(bits):
    """MATH.md: (2 / (n^2 P)) sum_j (sigmoid(upsilon_ij) - theta_ij) f_j."""
    outputs = np.random.default_rng(1).normal(size=(10, bits))
    labels = np.arange(10) % 3
    penalty = 0.5 * bits
    variable = tf.Variable(outputs, dtype=tf.float64)
    similarity = tf.cast(label_similarity(tf.constant(labels), tf.constant(labels)), tf.float64)
    with tf.GradientTape() as tape:
        loss = pairwise_likelihood(similarity, variable, variable, penalty)
    excess = 1 / (1 + np.exp(-outputs @ outputs.T / penalty)) - (labels[:, None] == labels)
    expected = 2 / (10**2 * penalty) * excess @ outputs
    np.testing.assert_allclose(tape.gradient(loss, variable), expected, rtol=1e-6, atol=1e-12)


def test_unknown_weighting_is_refused():
    with pytest.raises(ValueError, match=r"mean, balanced. Received: 'half'"):
        pairwise_likelihood(*sample(), 1.0, "half")


def test_class_equals_function_and_survives_its_config():
    _, rows, _ = sample()
    labels = tf.constant([0, 1, 0, 2, 1, 0])
    loss = PairwiseLikelihood.from_config(PairwiseLikelihood(4.0, "balanced").get_config())
    expected = pairwise_likelihood(label_similarity(labels, labels), rows, rows, 4.0, "balanced")
    assert float(loss(labels, rows)) == pytest.approx(float(expected))


def as_in_version_0_1(similarity, rows, columns, penalty, weighting):
    """What version 0.1 computed, in its order of operations."""
    upsilon = tf.matmul(rows, columns, transpose_b=True) / penalty
    costs = tf.nn.softplus(upsilon) - similarity * upsilon
    if weighting == "mean":
        return tf.reduce_mean(costs)
    similar = tf.math.divide_no_nan(tf.reduce_sum(similarity * costs), tf.reduce_sum(similarity))
    unlike = 1 - similarity
    return 0.5 * similar + 0.5 * tf.math.divide_no_nan(tf.reduce_sum(unlike * costs), tf.reduce_sum(unlike))


@pytest.mark.parametrize("weighting", ["mean", "balanced"])
def test_a_seed_gives_the_codes_of_version_0_1(weighting):
    """Value and gradient are equal to the last bit: another rounding ends, thousands of steps later, in other codes."""
    similarity, rows, _ = sample(n=64, m=64, bits=32)

    @tf.function
    def compute(loss, outputs):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            value = loss(similarity, outputs, outputs, 16.0, weighting)
        return value, tape.gradient(value, outputs)

    (value, gradient), (before, gradient_before) = compute(pairwise_likelihood, rows), compute(as_in_version_0_1, rows)
    assert float(value) == float(before)
    np.testing.assert_array_equal(gradient, gradient_before)
