import numpy as np

from keras_dhnn.unlabelled import suggestions
from keras_dhnn.unlabelled.inference import UNKNOWN
from keras_dhnn.unlabelled.structure import find_structure
from keras_dhnn.unlabelled.suggestions import suggest
from tests.unlabelled.blobs import blobs

NOTHING = np.full(200, UNKNOWN)


def test_without_labels_the_first_are_one_of_each_class():
    features, labels = blobs(5, 40)
    chosen = suggest(find_structure(features), NOTHING, 5)
    assert len(set(labels[chosen])) == 5


def test_classes_that_are_labelled_are_left_to_the_others():
    features, labels = blobs(5, 40)
    known = np.where(labels < 3, labels, UNKNOWN)
    chosen = suggest(find_structure(features), known, 2)
    assert set(labels[chosen]) == {3, 4}


def test_near_duplicates_are_suggested_once():
    features, _ = blobs(1, 20)
    random = np.random.default_rng(2)
    copies = np.repeat(features, 10, axis=0) + 1e-3 * random.standard_normal((200, 32))
    chosen = suggest(find_structure(copies), NOTHING, 12)
    assert len(set(chosen // 10)) == 12


def test_each_is_suggested_once_and_no_more_than_there_are():
    features, labels = blobs(5, 40)
    known = np.where(np.arange(200) < 190, labels, UNKNOWN)
    chosen = suggest(find_structure(features), known, 50)
    np.testing.assert_array_equal(np.sort(chosen), np.arange(190, 200))


def test_of_many_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(suggestions, "MOST", 60)
    features, labels = blobs(5, 40)
    chosen = suggest(find_structure(features), NOTHING, 5)
    assert len(set(labels[chosen])) == 5
