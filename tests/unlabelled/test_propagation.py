import numpy as np

from keras_dhnn.unlabelled.graph import normalised
from keras_dhnn.unlabelled.propagation import propagate
from tests.unlabelled.test_diffusion import graph_of


def test_many_rounds_are_the_closed_form():
    graph, _ = graph_of(3, 20, noise=1.0)
    given = np.zeros((60, 3))
    given[[0, 20, 40], [0, 1, 2]] = 1
    closed = 0.2 * np.linalg.solve(np.eye(60) - 0.8 * normalised(graph).toarray(), given)
    np.testing.assert_allclose(propagate(graph, given, spread=0.8, rounds=80), closed, atol=1e-6)


def test_rounds_are_the_recursion():
    graph, _ = graph_of(2, 10)
    given = np.eye(20, 2)
    walks, mass = normalised(graph).toarray(), given
    for _ in range(3):
        mass = 0.95 * walks @ mass + 0.05 * given
    np.testing.assert_allclose(propagate(graph, given, rounds=3), mass, atol=1e-6)
