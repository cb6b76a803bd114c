import numpy as np
import pytest

from keras_dhnn.unlabelled.inference import UNKNOWN, infer_labels
from keras_dhnn.unlabelled.structure import find_structure
from tests.unlabelled.blobs import blobs


def labelled(labels, items):
    known = np.full(len(labels), UNKNOWN)
    known[items] = labels[items]
    return known


def test_one_label_a_class_tells_all_of_clear_classes():
    features, labels = blobs(5, 40)
    found = infer_labels(find_structure(features), labelled(labels, np.arange(5) * 40))
    np.testing.assert_array_equal(found.labels, labels)
    assert found.margins.min() > 0.5


def test_the_graph_helps_where_classes_are_no_heaps():
    # Two rings, one inside the other: no straight line tells them apart, and by one label each no classifier does.
    random, angles = np.random.default_rng(0), np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radii = np.repeat([1.0, 3.0], 200)[:, None] + 0.02 * random.standard_normal((400, 1))
    rings = radii * np.stack([np.cos(np.tile(angles, 2)), np.sin(np.tile(angles, 2))], axis=1)
    # In six dimensions by their squares and products, where cosines see the radius too.
    x, y = rings.T
    features = np.stack([x, y, x * y, x**2 - y**2, x**2 + y**2, (x**2 + y**2) ** 2], axis=1)
    labels = np.repeat([0, 1], 200)
    found = infer_labels(find_structure(features), labelled(labels, [0, 200]))
    assert np.mean(found.labels == labels) > 0.95


def test_given_labels_stay_and_are_sure():
    features, labels = blobs(3, 30)
    wrong = labelled(labels, np.arange(0, 90, 3))
    wrong[0] = 2
    found = infer_labels(find_structure(features), wrong)
    given = wrong != UNKNOWN
    np.testing.assert_array_equal(found.labels[given], wrong[given])
    np.testing.assert_array_equal(found.margins[given], 1)
    assert np.all((found.margins >= 0) & (found.margins <= 1))


def test_numbers_of_classes_need_not_follow_each_other():
    features, labels = blobs(3, 30)
    found = infer_labels(find_structure(features), labelled(10 * labels + 5, [0, 30, 60]))
    np.testing.assert_array_equal(found.labels, 10 * labels + 5)


def test_a_rare_class_is_not_swallowed_by_one_that_has_more_labels():
    features, labels = blobs(2, 60, noise=0.9)
    found = infer_labels(find_structure(features), labelled(labels, [*range(20), 60]))
    assert np.mean(found.labels[labels == 1] == 1) > 0.9


def test_of_one_class_alone_everything_is_that_class():
    features, labels = blobs(2, 20)
    found = infer_labels(find_structure(features), labelled(labels, [0, 1]))
    np.testing.assert_array_equal(found.labels, 0)


def test_it_rejects_labels_that_are_all_unknown():
    features, labels = blobs(2, 20)
    with pytest.raises(ValueError, match="at least one that is known"):
        infer_labels(find_structure(features), labelled(labels, []))
