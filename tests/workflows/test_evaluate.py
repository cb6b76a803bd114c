import json

import numpy as np
import pytest

from keras_dhnn.evaluation.scores import evaluate_all
from keras_dhnn.files import write_json
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.workflows import evaluate
from tests.fakes import make_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn of a run, which is not drawn."""
    shown = []
    monkeypatch.setattr(
        evaluate, "write_report", lambda run, info, split, outputs, evaluations, scores, tsne: shown.extend(evaluations)
    )
    return shown


def test_evaluate_scores_the_stored_codes(tmp_path, drawn):
    """Rounded to float16 a tiny negative output is -0.0, whose bit is that of a positive one."""
    info = make_dataset(tmp_path / "made", count=30)[0]
    run = write_run(tmp_path / "run", info)
    random, labels = np.random.default_rng(0), np.repeat(info.true_labels, 4)
    outputs = {"image": random.choice([-1e-9, 1e-9], (len(labels), 16)).astype(np.float32)}
    run.save_outputs(outputs, labels)
    write_json(run.history_path, {})
    _, expected = evaluate_all(outputs, labels, Split.load(run.split_path), info, run.experiment.seed)
    metrics = evaluate.evaluate(run, data=tmp_path)
    assert (
        evaluate.evaluate(run, at=3, data=tmp_path)["map_at"] == evaluate.evaluate(run, at=[3], data=tmp_path)["map_at"]
    )
    assert expected["distinct_codes"] > 50
    assert {name: metrics[name] for name in ("map", "distinct_codes")} == {
        name: expected[name] for name in ("map", "distinct_codes")
    }
    assert len(np.unique(drawn[0].codes[1], axis=0)) == expected["distinct_codes"]


@pytest.mark.parametrize("names", [("a", "b"), ("class1", "class0")], ids=["others", "folders"])
def test_other_labels_leave_the_runs_own_scores_alone(tmp_path, drawn, names):
    info = make_dataset(tmp_path / "made", count=30)[0]
    run = write_run(tmp_path / "run", info)
    write_json(run.history_path, {})
    orders = dict.fromkeys(("expected", "stable", "pessimistic", "optimistic"), 0.75)
    by_labels = {"map_untrained": 0.25, "map_float_features": 0.5, "wrong_labels": 0.125, "map_at": {"1": orders}}
    by_training = {"seconds": {"total": 9.0}, "labels_used": {"given": 1}, "neighbour_agreement": {"10": 0.5}}
    run.replace_metrics({**run.metrics, **by_labels, **by_training})
    before = run.metrics_path.read_bytes()
    other = tmp_path / "other.csv"
    other.write_text("\n".join(["path,label", *(f"{name},{names[n % 2]}" for n, name in enumerate(info.ids))]))
    metrics = evaluate.evaluate(run, labels=other, data=tmp_path)
    assert run.metrics_path.read_bytes() == before
    seen = info.with_labels(read_labels(other, info.ids), to_score=True)
    assert [seen.classes[label] for label in seen.true_labels] == [names[n % 2] for n in range(30)]
    outputs, codes, _ = run.load_outputs(["image"])
    split, labels = Split.load(run.split_path), np.repeat(seen.true_labels, 4)
    _, scores = evaluate_all(outputs, labels, split, seen, run.experiment.seed, codes)
    assert metrics == {**by_training, **scores}
    assert drawn[0].metrics == scores
    assert set(metrics["map_per_class"]) == set(names)
    again = evaluate.evaluate(run, data=tmp_path)
    assert json.loads(run.metrics_path.read_text()) == again
    assert again["map_untrained"] == 0.25
    assert again["map"] != metrics["map"]
