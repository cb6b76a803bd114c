import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.losses.contrastive import Contrastive, contrastive
from keras_dhnn.losses.similarity import label_similarity

LABELS = np.arange(10) % 3
OUTPUTS = np.random.default_rng(0).normal(size=(10, 8))
SIMILARITY = (LABELS[:, None] == LABELS).astype(float)
MARGIN = 16.0


def reference(outputs):
    """Pair by pair, from the differences themselves."""
    costs = np.empty((len(outputs), len(outputs)))
    for i, one in enumerate(outputs):
        for j, other in enumerate(outputs):
            distance = np.sum((one - other) ** 2)
            costs[i, j] = 0.5 * (distance if LABELS[i] == LABELS[j] else max(MARGIN - distance, 0))
    return costs


def test_known_values():
    """Two bits: equal outputs of two classes cost margin / 2; (1, 1) and (-1, 1), 4 apart, cost 2 if similar."""
    rows, columns = tf.constant([[1.0, 1.0]]), tf.constant([[1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]])
    assert float(contrastive(tf.constant([[0.0, 1.0, 0.0]]), rows, columns, 5.0)) == pytest.approx((2.5 + 2 + 0.5) / 3)


@pytest.mark.parametrize("weighting", ["mean", "balanced"])
def test_equals_the_definition(weighting):
    costs = reference(OUTPUTS)
    assert 0 < np.mean(costs[SIMILARITY == 0] == 0) < 1  # some are beyond the margin, some are not
    expected = costs.mean()
    if weighting == "balanced":
        expected = 0.5 * costs[SIMILARITY == 1].mean() + 0.5 * costs[SIMILARITY == 0].mean()
    loss = contrastive(tf.constant(SIMILARITY), tf.constant(OUTPUTS), tf.constant(OUTPUTS), MARGIN, weighting)
    assert float(loss) == pytest.approx(expected)


def test_gradient_pulls_similar_items_and_pushes_those_within_the_margin():
    """(2 / n^2) sum_j (f_i - f_j) for similar j, and minus that for dissimilar ones nearer than the margin."""
    variable = tf.Variable(OUTPUTS)
    with tf.GradientTape() as tape:
        loss = contrastive(tf.constant(SIMILARITY), variable, variable, MARGIN)
    gaps = OUTPUTS[:, None] - OUTPUTS
    near = (gaps**2).sum(axis=2) < MARGIN
    sign = np.where(SIMILARITY == 1, 1.0, -1.0 * near)
    np.testing.assert_allclose(tape.gradient(loss, variable), 2 / 100 * (sign[..., None] * gaps).sum(axis=1), atol=1e-9)


def test_equal_outputs_cost_nothing_however_large():
    rows = tf.fill((2, 8), 1000.1)
    assert float(contrastive(tf.ones((2, 2)), rows, rows, MARGIN)) == pytest.approx(0, abs=2)


def test_no_pair_has_a_distance_below_zero():
    """In float32 the sums of squares that a distance of 0 is the difference of may differ."""
    rows = tf.constant(np.random.default_rng(0).normal(size=(64, 8)) * 1000, tf.float32)
    alike = [float(contrastive(tf.ones((1, 1)), row[None], row[None], MARGIN)) for row in rows]
    unlike = [float(contrastive(tf.zeros((1, 1)), row[None], row[None], MARGIN)) for row in rows]
    assert min(alike) >= 0
    assert max(unlike) <= MARGIN / 2


def test_class_equals_function_and_survives_its_config():
    outputs, labels = tf.constant(OUTPUTS, tf.float32), tf.constant(LABELS)
    loss = Contrastive.from_config(Contrastive(MARGIN, "balanced").get_config())
    expected = contrastive(label_similarity(labels, labels), outputs, outputs, MARGIN, "balanced")
    assert float(loss(labels, outputs)) == pytest.approx(float(expected))
