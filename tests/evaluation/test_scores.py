import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from keras_dhnn.codes import pack
from keras_dhnn.errors import SettingError
from keras_dhnn.evaluation.scores import (
    check_scorable,
    evaluate,
    evaluate_all,
    expected_map,
    known_part,
    relevant,
    score,
)
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from tests.metrics import brute_force

INFO = SimpleNamespace(name="toy", checksum="abc", synthetic=True, classes=("beach", "forest"), label_sets=None)
INFO.truth = Labels(INFO.classes, np.eye(2, dtype=bool))


def split(queries, database):
    return Split("paper", 0, 1, np.array(queries), np.array(database), np.array([], np.int64))


def test_scores_of_a_toy_ranking_by_hand():
    """Query 0 (class 0) finds, by distance: class 0, class 1, class 0. AP = (1/1 + 2/3) / 2 = 5/6."""
    outputs = np.ones((4, 8))
    outputs[1, :1] = -1
    outputs[2, :2] = -1
    outputs[3, :3] = -1
    labels = np.array([0, 0, 1, 0])
    metrics = evaluate({"image": outputs}, labels, split([0], [1, 2, 3]), INFO, seed=7).metrics
    assert metrics["map"] == pytest.approx(dict.fromkeys(("expected", "stable", "pessimistic", "optimistic"), 5 / 6))
    assert metrics["map_per_class"] == pytest.approx({"beach": 5 / 6})
    assert metrics["precision_at"]["10"] == pytest.approx(2 / 3)
    assert metrics["best_precision_at"]["10"] == pytest.approx(2 / 3)
    assert metrics["precision_within_radius_2"] == pytest.approx(1 / 2)
    assert metrics["distinct_codes"] == 3
    health = metrics["code_health"]
    assert health["code_entropy"] == pytest.approx(np.log2(3))
    assert [health[n] for n in ("dead_bits", "quantization_gap", "distance_within", "distance_between")] == [6, 0, 2, 1]
    assert expected_map({"image": outputs}, labels, split([0], [1, 2, 3])) == pytest.approx(5 / 6)


def test_best_precision_is_that_of_all_relevant_ones_first():
    """Query 0 has 13 relevant in the database of 120, query 1 has 107: (10 + 10) / 20, (13 + 50) / 100, 113 / 200."""
    labels = np.array([0, 1] + 13 * [0] + 107 * [1])
    outputs = np.where(labels[:, None], -1.0, 1.0) * np.ones(8)
    metrics = evaluate({"image": outputs}, labels, split([0, 1], np.arange(2, 122)), INFO, seed=0).metrics
    assert metrics["best_precision_at"] == pytest.approx({"10": 1, "50": 0.63, "100": 0.565})
    assert metrics["precision_at"] == pytest.approx(metrics["best_precision_at"])


def test_every_score_carries_its_protocol():
    random = np.random.default_rng(0)
    chosen = split([0, 5], [1, 2, 3, 4])
    metrics = evaluate({"image": random.normal(size=(6, 16))}, np.arange(6) % 2, chosen, INFO, seed=7).metrics
    expected = {
        "data": "toy",
        "checksum": "abc",
        "synthetic": True,
        "labels": hashlib.sha256(b'["beach", "forest", 2]' + bytes([0b10010000])).hexdigest()[:12],
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
    metrics = evaluate({"image": np.ones((3, 8))}, np.array([1, 0, 0]), split([0], [1, 2]), INFO, seed=0).metrics
    assert metrics["queries_without_relevant"] == 1
    assert metrics["map"]["expected"] == 0


DUAL = {
    "pan": np.array([[1.0] * 8, [-1.0] * 8, [1.0] * 8, [-1.0] * 8]),
    "mul": np.array([[1.0] * 8, [1.0] * 8, [-1.0] * 8, [1.0] * 8]),
}


def test_tasks_across_sources_by_hand():
    """Item 0 (class 0) searches items 1 to 3 (classes 0, 1, 1), a sample on one side in both sources.

    pan->mul: its code +; found at distance 0 are items 1 and 3, one of them relevant: AP = (1 + 1/2) / 2.
    mul->pan: its code +; item 2 is at distance 0, items 1 and 3 at 8: item 1 has rank 2 or 3, AP = (1/2 + 1/3) / 2.
    """
    labels, chosen = np.array([0, 0, 1, 1]), split([0], [1, 2, 3])
    evaluations, metrics = evaluate_all(DUAL, labels, chosen, INFO, seed=0)
    scores = {name: task["map"]["expected"] for name, task in metrics["tasks"].items()}
    assert [evaluation.task for evaluation in evaluations] == [
        ("pan", "mul"),
        ("mul", "pan"),
        ("pan", "pan"),
        ("mul", "mul"),
    ]
    assert scores == pytest.approx({"pan->mul": 3 / 4, "mul->pan": 5 / 12, "pan->pan": 5 / 12, "mul->mul": 3 / 4})
    assert metrics["map"]["expected"] == pytest.approx((3 / 4 + 5 / 12) / 2)
    assert metrics["map_per_class"] == {"beach": pytest.approx((3 / 4 + 5 / 12) / 2)}
    assert expected_map(DUAL, labels, chosen) == pytest.approx((3 / 4 + 5 / 12) / 2)
    assert (metrics["bits"], metrics["queries"], metrics["distinct_codes"]) == (8, 1, 2)
    assert "split" not in metrics["tasks"]["pan->mul"]
    # In both databases item 2, of class 1, differs in all bits from items 1 and 3, of classes 0 and 1.
    assert (metrics["code_health"]["distance_within"], metrics["code_health"]["distance_between"]) == (8, 4)


def test_of_one_source_all_is_its_evaluation():
    (evaluation,), metrics = evaluate_all({"image": DUAL["pan"]}, np.array([0, 0, 1, 1]), split([0], [1]), INFO, seed=0)
    assert metrics == evaluation.metrics
    assert "tasks" not in metrics


def test_what_one_source_lacks_the_mean_of_two_lacks():
    labels, chosen = np.array([0, 0, 1, 2]), split([0], [1, 2, 3])
    metrics = evaluate_all(DUAL, labels, chosen, INFO, seed=0)[1]
    assert metrics["code_health"]["distance_within"] is None


def test_f1_is_that_of_precision_and_recall_by_numpy():
    """Of items with several labels, in a database smaller than a cut-off; no two are at one distance of the query."""
    random = np.random.default_rng(5)
    sets = random.random((60, 3)) < 0.4
    sets[:2] = [[1, 0, 0], [0, 1, 1]]
    info = SimpleNamespace(**{**vars(INFO), "label_sets": Labels(("a", "b", "c"), sets)})
    outputs = np.ones((60, 64))
    for item, differing in enumerate(random.permutation(58) + 1, 2):
        outputs[item, :differing] = -1
    chosen = split([0, 1], np.arange(2, 60))
    labels = np.zeros(60, int)
    metrics = evaluate({"image": outputs}, labels, chosen, info, seed=0).metrics
    order = 2 + np.argsort((outputs[2:] < 0).sum(axis=1))
    for k in (10, 50, 100):
        scores = []
        for query in (0, 1):
            found = (sets[order] & sets[query]).any(axis=1)
            precision, recall = found[:k].mean(), found[:k].sum() / found.sum()
            scores.append(2 * precision * recall / (precision + recall))
        assert metrics["f1_at"][str(k)] == pytest.approx(np.mean(scores)), k
    assert set(metrics["f1_at"]) == {"10", "50", "100"}


def test_f1_of_a_perfect_ranking_of_few_items_is_one():
    info = SimpleNamespace(**{**vars(INFO), "label_sets": Labels(("a",), np.ones((41, 1), bool))})
    metrics = evaluate({"image": np.ones((41, 8))}, np.zeros(41, int), split([0], np.arange(1, 41)), info, 0).metrics
    assert metrics["f1_at"] == pytest.approx({"10": 2 * 0.25 / 1.25, "50": 1, "100": 1})


def test_the_known_part_is_that_of_every_side():
    chosen = Split("grouped", 3, 1, np.array([0, 1]), np.arange(2, 8), np.array([3, 4, 6]))
    known = np.array([True, False, True, True, False, True, False, True])
    part = known_part(chosen, known)
    assert (part.queries.tolist(), part.database.tolist()) == ([0], [2, 3, 5, 7])
    assert part.validation.tolist() == [3]
    assert (part.protocol, part.seed, part.turns) == ("grouped", 3, 1)
    assert known_part(chosen, np.ones(8, bool)) is chosen


@pytest.mark.parametrize("side", [[0, 1], np.arange(2, 8)], ids=["queries", "database"])
def test_without_a_known_side_there_is_no_known_part(side):
    known = np.ones(8, bool)
    known[side] = False
    assert known_part(split([0, 1], np.arange(2, 8)), known) is None


def test_scores_are_those_of_the_known_part():
    """Item 2, of no class, would come first and count as wrong; item 1, of none, would search in vain."""
    classes = ("beach", "forest", "unlabelled")
    known, labels = np.array([True, False, False, True, True]), np.array([0, 2, 2, 1, 0])
    info = SimpleNamespace(**{**vars(INFO), "classes": classes}, true_labels=labels, truly_known=known)
    outputs = np.ones((5, 8))
    outputs[3, :1], outputs[4, :2] = -1, -1
    scored, (evaluation,), metrics = score({"image": outputs}, split([0, 1], [2, 3, 4]), info, seed=0)
    assert (scored.queries.tolist(), scored.database.tolist()) == ([0], [3, 4])
    assert metrics is evaluation.metrics
    assert metrics["map"]["expected"] == pytest.approx(1 / 2)
    assert (metrics["queries"], metrics["database"], metrics["split"]) == (1, 2, scored.hash)


def test_without_labels_scores_are_what_can_be_said_without():
    info = SimpleNamespace(**vars(INFO), true_labels=np.zeros(3, int), truly_known=np.zeros(3, bool))
    scored, evaluations, metrics = score({"image": np.ones((3, 8))}, split([0], [1, 2]), info, seed=0)
    assert (scored, evaluations, metrics["map"], metrics["distinct_codes"]) == (None, [], None, 1)
    with pytest.raises(SettingError, match="No label of toy .* 1 queries or of the 2 items"):
        check_scorable(split([0], [1, 2]), info)


def test_distinct_codes_of_two_directions_are_the_fewer():
    """Of mul the database has three codes, of pan one."""
    outputs = {"pan": np.ones((4, 8)), "mul": np.ones((4, 8))}
    outputs["mul"][2, 0] = outputs["mul"][3, 1] = -1
    metrics = evaluate_all(outputs, np.array([0, 0, 1, 1]), split([0], [1, 2, 3]), INFO, seed=0)[1]
    assert {name: task["distinct_codes"] for name, task in metrics["tasks"].items()} == {
        "pan->mul": 3,
        "mul->pan": 1,
        "pan->pan": 1,
        "mul->mul": 3,
    }
    assert metrics["distinct_codes"] == 1


@pytest.mark.parametrize("several", [False, True], ids=["one label", "several"])
def test_items_are_relevant_by_class_or_by_a_shared_label(several):
    sets = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1]], bool)
    info = SimpleNamespace(
        true_labels=np.array([0, 1, 0, 1]), label_sets=Labels(("a", "b", "c"), sets) if several else None
    )
    found = relevant(info, Items(4), np.array([[0], [5]]), np.array([1, 7, 8, 15]))
    expected = [[1, 1, 1, 0], [1, 1, 0, 1]] if several else [[1, 0, 1, 0], [0, 1, 0, 1]]
    np.testing.assert_array_equal(found, np.array(expected, bool))


def test_map_at_k_is_that_of_every_order_of_ties():
    """Against the definition, over all orders of tied items of each query."""
    random = np.random.default_rng(3)
    outputs, labels = np.where(random.random((9, 8)) < 0.15, -1.0, 1.0), random.integers(0, 2, 9)
    chosen = split([0, 1, 2], np.arange(3, 9))
    metrics = evaluate({"image": outputs}, labels, chosen, INFO, seed=0, at=(1, 2, 4, 100)).metrics
    codes = pack(outputs)
    per_query = list(brute_force.queries(codes[:3], codes[3:], labels[:3], labels[3:], own=[-1] * 3))
    for k, found in metrics["map_at"].items():
        all_orders = [brute_force.over_orders(brute_force.average_precision, d, g, int(k)) for d, g in per_query]
        expected = {
            "expected": np.mean,
            "stable": lambda scores: scores[0],
            "pessimistic": np.min,
            "optimistic": np.max,
        }
        for name, reduce in expected.items():
            assert found[name] == pytest.approx(np.mean([reduce(scores) for scores in all_orders])), (k, name)
    assert metrics["map_at"]["100"] == pytest.approx(metrics["map"])
    assert len({found["expected"] for found in metrics["map_at"].values()}) > 2


def test_map_at_k_of_two_sources_is_the_mean_of_both_directions():
    labels, chosen = np.array([0, 0, 1, 1]), split([0, 2], [1, 3])
    metrics = evaluate_all(DUAL, labels, chosen, INFO, seed=0, at=(1,))[1]
    across = [metrics["tasks"][name]["map_at"]["1"]["expected"] for name in ("pan->mul", "mul->pan")]
    assert metrics["map_at"]["1"]["expected"] == pytest.approx(np.mean(across))
