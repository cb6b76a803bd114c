from types import SimpleNamespace

import numpy as np
import pytest

from keras_dhnn.evaluate import evaluate, expected_map
from keras_dhnn.pipelines.splits import Split

INFO = SimpleNamespace(name="toy", checksum="abc", synthetic=True, classes=("beach", "forest"))


def split(queries, database):
    return Split("paper", 0, 1, np.array(queries), np.array(database), np.array([], np.int64))


def test_scores_of_a_toy_ranking_by_hand():
    """Query 0 (class 0) finds, by distance: class 0, class 1, class 0. AP = (1/1 + 2/3) / 2 = 5/6."""
    outputs = np.ones((4, 8))
    outputs[1, :1] = -1
    outputs[2, :2] = -1
    outputs[3, :3] = -1
    labels = np.array([0, 0, 1, 0])
    metrics = evaluate(outputs, labels, split([0], [1, 2, 3]), INFO, seed=7).metrics
    assert metrics["map"] == pytest.approx(dict.fromkeys(("expected", "stable", "pessimistic", "optimistic"), 5 / 6))
    assert metrics["map_per_class"] == pytest.approx({"beach": 5 / 6})
    assert metrics["precision_at"]["10"] == pytest.approx(2 / 3)
    assert metrics["precision_within_radius_2"] == pytest.approx(1 / 2)
    assert metrics["distinct_codes"] == 3
    assert expected_map(outputs, labels, split([0], [1, 2, 3])) == pytest.approx(5 / 6)


def test_every_score_carries_its_protocol():
    random = np.random.default_rng(0)
    chosen = split([0, 5], [1, 2, 3, 4])
    metrics = evaluate(random.normal(size=(6, 16)), np.arange(6) % 2, chosen, INFO, seed=7).metrics
    expected = {
        "data": "toy",
        "checksum": "abc",
        "synthetic": True,
        "protocol": "paper",
        "split": chosen.hash,
        "queries": 2,
        "database": 4,
        "bits": 16,
        "seed": 7,
        "cut_off": None,
        "exclude_self": False,
    }
    assert expected.items() <= metrics.items()


def test_queries_without_anything_relevant_are_reported_and_count_zero():
    metrics = evaluate(np.ones((3, 8)), np.array([1, 0, 0]), split([0], [1, 2]), INFO, seed=0).metrics
    assert metrics["queries_without_relevant"] == 1
    assert metrics["map"]["expected"] == 0
