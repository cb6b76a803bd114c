"""Test what the losses have in common as losses of Keras."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.losses.contrastive import Contrastive
from keras_dhnn.losses.pairwise import PairwiseLikelihood
from keras_dhnn.losses.triplet import TripletSemiHard

LOSSES = [PairwiseLikelihood(8.0), Contrastive(16.0), TripletSemiHard(1.0)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_large_labels_are_told_apart(loss):
    outputs = tf.constant(np.random.default_rng(0).normal(size=(16, 16)), tf.float32)
    labels = np.arange(16) % 4
    assert float(loss(labels + 2**40, outputs)) == float(loss(labels, outputs))


def test_weights_of_items_are_refused():
    # Pairs of which one item weighs nothing have no weight that follows from those of items.
    with pytest.raises(ValueError, match="`sample_weight`. Expected None: this loss is one number of a whole batch"):
        LOSSES[0](np.arange(4), tf.ones((4, 8)), sample_weight=np.ones(4))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_compiled_it_is_what_is_called(loss):
    inputs = tf.keras.Input((8,))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(16)(inputs))
    model.compile("sgd", loss)
    x, labels = np.random.default_rng(1).normal(size=(12, 8)).astype(np.float32), np.arange(12) % 3 + 2**40
    expected = float(loss(labels, model(x)))
    assert model.evaluate(x, labels, batch_size=12, verbose=0) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="sample_weight"):
        model.evaluate(x, labels, sample_weight=np.ones(12), batch_size=12, verbose=0)
