"""Which items are similar where labels are missing or several."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.training.pairs import LEAST_WEIGHT, InferredPairs, LabelSetPairs, check_labels, learn_pairs
from keras_dhnn.unlabelled.diffusion import walk_similarity
from keras_dhnn.unlabelled.inference import Inferred
from tests.tiny_training import TINY
from tests.unlabelled.blobs import blobs

ITEMS = tf.constant([0, 9, 14], tf.int64)


def test_label_sets_are_looked_up_by_image():
    sets = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], bool)
    theta, weights = LabelSetPairs(sets, Items(4))(ITEMS, ITEMS)
    np.testing.assert_allclose(theta, [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
    assert weights is None


def test_inferred_labels_count_as_far_as_they_are_sure():
    walks = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    labels, margins = np.array([5, 5, 7]), np.array([1, 0.25, 0.0])
    inferred = Inferred(labels.astype(np.int32), margins.astype(np.float32))
    pairs = InferredPairs(np.array([0, 2, 3]), walks, inferred, Items(4))
    theta, weights = pairs(ITEMS, ITEMS)
    sure = np.sqrt(np.outer(margins, margins))
    expected = sure * (labels[:, None] == labels) + (1 - sure) * walk_similarity(walks, walks)
    np.testing.assert_allclose(theta, expected, atol=1e-6)
    weight = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * margins
    np.testing.assert_allclose(weights, np.outer(weight, weight), atol=1e-6)


def test_of_no_labels_walks_alone_decide():
    walks = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    theta, weights = InferredPairs(np.array([0, 2, 3]), walks, None, Items(4))(ITEMS, ITEMS[:2])
    np.testing.assert_allclose(theta, walk_similarity(walks, walks[:2]), atol=1e-6)
    assert weights is None


def test_several_labels_count_by_what_they_share_where_one_image_has_none():
    features, labels = blobs(3, 40)
    table = Labels(("a", "b", "c", "d"), np.array([[1, 1, 1, 0], [1, 1, 0, 1], [0, 0, 1, 1]], bool)[labels])
    table.sets[7] = False
    info = SimpleNamespace(known=table.known, labels=table.as_classes()[1], label_sets=table)
    learned = learn_pairs(info, features, Split("grouped", 0, 1, [], np.arange(120), []), seed=0)
    assert (learned.given, learned.inferred) == (119, 1)
    items = tf.constant([0, 1, 40, 80], tf.int64)
    theta, weights = learned.pairs(items, items)
    full, _ = LabelSetPairs(table.sets, Items(1))(items, items)
    np.testing.assert_array_equal(theta, full)
    np.testing.assert_allclose(theta[0], [1, 1, 1 / 2, 1 / 4])
    np.testing.assert_array_equal(weights, np.ones((4, 4)))
    # The one without a label is like those that it lies among, and half like those that share half with them.
    theta, _ = learned.pairs(tf.constant([7], tf.int64), items)
    np.testing.assert_allclose(theta[0], [1, 1, 1 / 2, 1 / 4], atol=0.1)


@pytest.mark.parametrize("given", [0, 3])
def test_a_database_is_learned_from_and_nothing_else(given):
    features, labels = blobs(3, 40)
    known = np.zeros(120, bool)
    known[np.arange(given) * 40] = True
    info = SimpleNamespace(known=known, labels=labels, label_sets=None)
    queries = np.arange(5, 120, 10)
    database = np.setdiff1d(np.arange(120), queries)
    split = Split("grouped", 0, 1, queries, database, np.arange(0))
    features[5::10] = np.nan  # the queries
    learned = learn_pairs(info, features, split, seed=0)
    assert (learned.given, learned.inferred) == ((0, 0) if not given else (3, 105))
    theta, _ = learned.pairs(tf.constant(database), tf.constant(database))
    same = labels[database][:, None] == labels[database]
    assert theta.numpy()[same].mean() > 0.9
    assert theta.numpy()[~same].max() < 0.1


def test_several_labels_need_no_features():
    table = Labels(("a", "b"), np.array([[1, 0], [1, 1]], bool))
    info = SimpleNamespace(known=table.known, labels=np.array([0, 2]), label_sets=table)
    learned = learn_pairs(info, None, Split("grouped", 0, 1, [], [0, 1], []), seed=0)
    assert isinstance(learned.pairs, LabelSetPairs)
    assert learned.given == 2


def test_missing_labels_need_features():
    info = SimpleNamespace(known=np.array([True, False]), labels=np.array([0, -1]), label_sets=None)
    with pytest.raises(ValueError, match="`features`"):
        learn_pairs(info, None, Split("grouped", 0, 1, [], [0, 1], []), seed=0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("loss.objective=central", "`loss.objective`. Expected likelihood or contrastive where labels are missing"),
        ("loss.objective=angular", "`loss.objective`"),
        ("loss.objective=triplet", "`loss.objective`"),
        ("loss.classification=0.5", "`loss.classification`. Expected 0 where labels are missing or several"),
        ("model.start=centres", "`model.start`. Expected random"),
    ],
)
def test_what_takes_each_label_for_a_class_is_refused_where_some_are_missing_or_several(setting, message):
    known, some = np.ones(6, bool), np.arange(6) > 1
    several = Labels(("a", "b"), np.ones((6, 2), bool))
    experiment = TINY.override(setting)
    for labels in ({"known": some, "label_sets": None}, {"known": known, "label_sets": several}):
        info = SimpleNamespace(images={"image": None}, **labels)
        check_labels(TINY.override("loss.objective=contrastive"), info)
        with pytest.raises(SettingError, match=message):
            check_labels(experiment, info)
    check_labels(experiment, SimpleNamespace(images={"image": None}, known=known, label_sets=None))


def test_two_sources_are_trained_with_one_label_each():
    info = SimpleNamespace(images={"pan": None, "mul": None}, known=np.arange(6) > 1, label_sets=None)
    with pytest.raises(SettingError, match="Images of two sources are trained with one label each"):
        check_labels(TINY, info)
