"""The sum of a loss's terms, and its gradient."""

import numpy as np
import tensorflow as tf

from keras_dhnn.losses.sum_of_terms import sum_of_terms


def test_value_and_gradient_are_those_of_a_sum():
    terms = [tf.Variable(value) for value in (1.5, -0.25, 3.0)]
    with tf.GradientTape() as tape:
        loss = sum_of_terms([terms[0], 2.0 * terms[1], -0.5 * terms[2], 0.25])
    assert loss.numpy() == 1.5 - 0.5 - 1.5 + 0.25
    np.testing.assert_array_equal(tape.gradient(loss, terms), [1.0, 2.0, -0.5])


def test_no_addition_is_left_that_tensorflow_could_reorder():
    graph = tf.function(lambda *terms: sum_of_terms(terms)).get_concrete_function(*[tf.TensorSpec([], tf.float32)] * 4)
    kinds = {operation.type for operation in graph.graph.get_operations()}
    assert "Sum" in kinds
    assert not kinds & {"Add", "AddV2", "AddN"}
