import numpy as np
import pytest

from keras_dhnn.evaluation.agreement import neighbour_agreement
from keras_dhnn.pipelines.splits import Split

RANDOM = np.random.default_rng(0)


def split_of(queries, database):
    return Split("grouped", 0, 1, np.arange(queries), np.arange(queries, queries + database), np.arange(0))


def test_by_hand():
    # The query's two nearest by angle are items 1 and 2; by code item 1 is at 0 bits, 2 and 3 tie at 1, 4 is at 2.
    features = np.array([[1, 0], [1, 0.1], [1, 0.2], [0, 1], [-1, 0]], float)
    outputs = np.ones((5, 8))
    outputs[2, 0] = outputs[3, 0] = -1
    outputs[4, :2] = -1
    assert neighbour_agreement(outputs, features, split_of(1, 4), at=(1, 2, 4, 9)) == {
        "1": 1.0,
        "2": pytest.approx((1 + 0.5) / 2),
        "4": 1.0,
    }


def test_it_is_the_mean_over_random_orders_of_ties():
    features, outputs = RANDOM.standard_normal((60, 6)), RANDOM.standard_normal((60, 8))
    found = neighbour_agreement(outputs, features, split_of(10, 50), at=(10,))["10"]
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    shares = []
    for query in range(10):
        near = set(10 + np.argsort(-(units[10:] @ units[query]))[:10])
        distances = ((outputs[10:] >= 0) != (outputs[query] >= 0)).sum(axis=1)
        for _ in range(300):
            order = 10 + np.lexsort((RANDOM.random(50), distances))
            shares.append(len(near & set(order[:10])) / 10)
    assert found == pytest.approx(np.mean(shares), abs=0.01)


def test_blocks_make_no_difference(monkeypatch):
    features, outputs = RANDOM.standard_normal((60, 6)), RANDOM.standard_normal((60, 8))
    whole = neighbour_agreement(outputs, features, split_of(10, 50))
    monkeypatch.setattr("keras_dhnn.evaluation.agreement._BLOCK_BYTES", 8 * 50 * 3)
    assert neighbour_agreement(outputs, features, split_of(10, 50)) == pytest.approx(whole)
