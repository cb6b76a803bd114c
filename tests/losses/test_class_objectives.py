"""Triplets, class centres and classification against their definitions, known values and finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.losses.angular import SCALE, Angular, angular
from keras_dhnn.losses.central import CentralSimilarity, central_similarity
from keras_dhnn.losses.centres import hash_centres
from keras_dhnn.losses.classification import Classification, classification
from keras_dhnn.losses.objectives import OBJECTIVES, objective_of
from keras_dhnn.losses.similarity import label_similarity
from keras_dhnn.losses.triplet import TripletSemiHard, triplet_semi_hard

LABELS = np.arange(12) % 3
OUTPUTS = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
CENTRES = hash_centres(3, 8)


def triplets(outputs, margin):
    """Pair by pair, negative by negative."""
    costs = []
    distance = ((outputs[:, None] - outputs) ** 2).mean(axis=2)
    for anchor, positive in zip(*np.nonzero(LABELS[:, None] == LABELS), strict=True):
        if anchor != positive:
            negatives = distance[anchor, LABELS[anchor] != LABELS]
            farther = negatives[negatives > distance[anchor, positive]]
            chosen = farther.min() if farther.size else negatives.max()
            costs.append(max(distance[anchor, positive] - chosen + margin, 0))
    return np.mean(costs)


@pytest.mark.parametrize("margin", [0.1, 1.0, 4.0])
def test_triplets_are_those_of_the_definition(margin):
    loss = triplet_semi_hard(tf.constant(LABELS), tf.constant(OUTPUTS), margin)
    assert float(loss) == pytest.approx(triplets(OUTPUTS, margin), rel=1e-5)


def test_triplets_are_those_of_tensorflow_addons():
    addons = pytest.importorskip("tensorflow_addons", reason="tensorflow-addons imports up to TensorFlow 2.15")
    theirs = addons.losses.triplet_semihard_loss(LABELS, OUTPUTS / np.sqrt(8), 1.0, distance_metric="squared-L2")
    assert float(triplet_semi_hard(tf.constant(LABELS), tf.constant(OUTPUTS))) == pytest.approx(float(theirs), rel=1e-4)


def test_known_values():
    """A centre's own bits at 0 cost log 2 each; equal cosines are chance less the margin."""
    zero, one = tf.zeros((2, 8)), tf.constant(CENTRES[:2], tf.float32)
    assert float(central_similarity(tf.constant([0, 1]), zero, CENTRES)) == pytest.approx(np.log(2))
    assert float(central_similarity(tf.constant([0, 1]), one, CENTRES)) == pytest.approx(np.log1p(np.exp(-1)))
    expected = np.log1p(2 * np.exp(-SCALE * (1 - 0.2)))  # the three centres are at right angles
    assert float(angular(tf.constant([0, 1]), 7 * one, CENTRES)) == pytest.approx(expected, rel=1e-4)
    assert float(classification(tf.constant([0, 2]), tf.zeros((2, 4)))) == pytest.approx(np.log(4))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_finite_differences(name):
    loss = objective_of(name, bits=8, penalty=4.0, margin=None, centres=CENTRES)

    def value(outputs):
        outputs = tf.cast(outputs, tf.float32)
        labels = tf.constant(LABELS)
        return loss(labels, outputs, outputs, label_similarity(labels, labels), None)

    variable = tf.Variable(OUTPUTS)
    with tf.GradientTape() as tape:
        total = value(variable)
    gradient = tape.gradient(total, variable).numpy()
    assert np.isfinite(gradient).all()
    step = 1e-3 * gradient / np.linalg.norm(gradient)
    expected = (float(value(OUTPUTS + step)) - float(value(OUTPUTS - step))) / 2
    assert np.sum(gradient * step) == pytest.approx(expected, rel=0.05)


def test_no_two_alike_cost_no_triplet():
    variable = tf.Variable(OUTPUTS[:3])
    with tf.GradientTape() as tape:
        loss = triplet_semi_hard(tf.constant([0, 1, 2]), variable)
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, variable), np.zeros((3, 8)))


@pytest.mark.parametrize(
    ("classes", "bits", "least"), [(21, 64, 32), (21, 32, 16), (8, 8, 4), (16, 8, 4), (21, 96, 40)]
)
def test_centres_are_half_of_the_bits_apart(classes, bits, least):
    centres = hash_centres(classes, bits).astype(int)
    distances = (bits - centres @ centres.T) // 2
    assert distances[~np.eye(classes, dtype=bool)].min() >= least


def test_centres_of_more_classes_than_rows_are_all_different_and_the_seeds():
    centres = hash_centres(21, 8)
    assert centres.dtype == np.int8
    assert len(np.unique(centres, axis=0)) == 21
    np.testing.assert_array_equal(centres, hash_centres(21, 8))
    assert (hash_centres(21, 8, seed=1) != centres).any()


def test_classes_equal_functions_and_survive_their_config():
    labels, outputs = tf.constant(LABELS), tf.constant(OUTPUTS)
    for loss, expected in (
        (TripletSemiHard(0.5), triplet_semi_hard(labels, outputs, 0.5)),
        (CentralSimilarity(CENTRES), central_similarity(labels, outputs, CENTRES)),
        (Angular(CENTRES, 0.3), angular(labels, outputs, CENTRES, 0.3)),
        (Classification(), classification(labels, outputs)),
    ):
        assert float(type(loss).from_config(loss.get_config())(labels, outputs)) == pytest.approx(float(expected))


def test_an_objective_that_does_not_exist():
    with pytest.raises(SettingError, match="one of likelihood, contrastive, triplet"):
        objective_of("spam", bits=8, penalty=4.0)
