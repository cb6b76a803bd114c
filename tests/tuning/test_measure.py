import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.codes import pack
from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.metrics.ranking import mean_average_precision
from keras_dhnn.training.network import Network
from keras_dhnn.tuning.measure import FAILURES, measure, reason
from tests.fakes import make_coloured_dataset, partly_labelled

EXPERIMENT = Experiment().override(
    "data.name=coloured",
    "data.protocol=grouped",
    "data.image_size=16",
    "model.backbone=tests.fakes:tiny_backbone",
    "model.bits=16",
    "model.hidden=0",
    "training.batch_size=24",
    "loss.pair_weighting=balanced",
    "head.epochs=4",
    "head.learning_rate=0.01",
    "fine_tune.epochs=0",
)


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


def test_a_trial_does_not_look_at_the_queries(info, tmp_path, monkeypatch):
    monkeypatch.setattr(Network, "encode", lambda *_: pytest.fail("encoded all items"))
    result = measure(EXPERIMENT, info, tmp_path)
    assert set(result) == {"val_map", "distinct_codes", "epochs", "seconds"}
    assert 0.3 < result["val_map"] <= 1
    assert result["epochs"] == 4


def test_with_queries_it_gives_the_test_score_and_its_protocol(info, tmp_path):
    result = measure(EXPERIMENT, info, tmp_path, queries=True)
    assert result["map"]["pessimistic"] <= result["map"]["expected"] <= result["map"]["optimistic"]
    assert (result["protocol"], result["bits"]) == ("grouped", 16)


def test_what_has_no_label_neither_searches_nor_counts(tmp_path):
    """Every third image has none: what is left is scored, as by NumPy."""
    info = partly_labelled(make_coloured_dataset(tmp_path / "coloured", count=120), range(0, 120, 3))
    outputs = {}
    row = measure(EXPERIMENT, info, tmp_path / "state", queries=True, also=lambda out, _: outputs.update(out) or {})
    split, known = draw_split(EXPERIMENT.data, 0, info), np.repeat(np.arange(120) % 3 > 0, 4)
    queries, database = (items[known[items]] for items in (split.queries, split.database))
    assert 0 < len(queries) < len(split.queries)
    codes, labels = pack(outputs["image"]), np.repeat(np.arange(120) // 40, 4)
    expected = mean_average_precision(codes[queries], codes[database], labels[queries], labels[database])
    assert row["map"]["expected"] == pytest.approx(expected.expected)
    assert (row["queries"], row["database"]) == (len(queries), len(database))
    assert set(row["map_per_class"]) == {"new0", "new1", "new2"}


def test_without_any_label_to_score_by_nothing_is_trained(tmp_path):
    info = partly_labelled(make_coloured_dataset(tmp_path / "coloured"), range(36))
    with pytest.raises(FAILURES, match="No label of coloured is known to score by"):
        measure(EXPERIMENT, info, tmp_path / "state", queries=True)
    assert not (tmp_path / "state").exists()


def test_a_budget_pauses_and_the_rest_continues(info, tmp_path):
    assert measure(EXPERIMENT, info, tmp_path / "parts", epochs=1)["epochs"] == 1
    assert measure(EXPERIMENT, info, tmp_path / "parts", epochs=3)["epochs"] == 3
    parts = measure(EXPERIMENT, info, tmp_path / "parts", queries=True)
    whole = measure(EXPERIMENT, info, tmp_path / "whole", queries=True)
    assert {**parts, "seconds": 0} == {**whole, "seconds": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.backbone=nowhere", "nowhere"),
        ("fine_tune.cut=stage9", "stage9"),
        ("head.learning_rate=1e30", "The loss is nan"),
    ],
)
def test_what_an_experiment_can_fail_of(info, tmp_path, change, message):
    experiment = EXPERIMENT.override(change, "training.optimizer=sgd", "fine_tune.epochs=1")
    with pytest.raises(FAILURES, match=message):
        measure(experiment, info, tmp_path)


def test_reasons_are_one_line():
    assert reason(CollapseError("The loss is nan\nafter epoch 2.")) == "The loss is nan after epoch 2."
    assert reason(MemoryError()) == "Out of memory: MemoryError"
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nmore", 8)
    assert reason(error) == "Out of memory: OOM when allocating tensor"
