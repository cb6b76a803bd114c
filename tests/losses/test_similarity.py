import numpy as np
import tensorflow as tf

from keras_dhnn.losses.similarity import label_set_similarity, label_similarity

SETS = np.array([[1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], np.float32)


def test_label_sets_are_similar_by_jaccard():
    expected = [[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(label_set_similarity(SETS, SETS), expected, rtol=1e-6)


def test_of_one_label_each_it_is_equality():
    labels = np.array([0, 2, 1, 2])
    single = np.eye(4, dtype=np.float32)[labels]
    np.testing.assert_array_equal(
        label_set_similarity(single, single[:2]), label_similarity(tf.constant(labels), tf.constant(labels[:2]))
    )
