"""`keras-dhnn compare` as a user meets it; what it compares is tested in tests/workflows/test_compare.py."""

import json
import shutil

import numpy as np
import pytest

from keras_dhnn.codes import pack
from keras_dhnn.config import Experiment
from keras_dhnn.evaluation.scores import evaluate
from keras_dhnn.files import write_json
from keras_dhnn.runs import Run
from keras_dhnn.workflows.train_run import load_split
from tests.fakes import make_dataset


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder with six runs by one protocol, and one by another."""
    root = tmp_path_factory.mktemp("project")
    info, _ = make_dataset(root / "data" / "made", count=30)
    settings = {f"run{number}": ("data.protocol=grouped", f"seed={number}") for number in range(6)}
    for name, changes in {**settings, "other": ("data.protocol=paper",)}.items():
        ours = Run.create(root / "runs" / name, Experiment().override("data.queries=0.3", *changes), info)
        split, outputs = load_split(ours, info), np.random.default_rng(0).normal(size=(120, 16))
        labels = np.repeat(info.labels, 4)
        metrics = evaluate({"image": outputs}, labels, split, info, ours.experiment.seed).metrics
        write_json(ours.metrics_path, metrics | {"seconds": {"total": 61.4}})
        ours.save_codes(pack(outputs), outputs, np.arange(120), labels)
        ours.weights_path.write_text("")
    return root / "runs"


def test_scores_stand_side_by_side(run, runs):
    status, out, err = run("compare", runs / "run0", runs / "run1")
    metrics = [json.loads((runs / name / "metrics.json").read_text()) for name in ("run0", "run1")]
    rows = {line.split("│")[0].strip(): [cell.strip() for cell in line.split("│")[1:]] for line in out.splitlines()}
    assert (status, err) == (0, "")
    assert rows["mAP"] == [f"{m['map']['expected']:.4f}" for m in metrics]
    assert rows["precision at 10"] == [f"{m['precision_at']['10']:.4f}" for m in metrics]
    assert rows["distinct codes"] == [str(m["distinct_codes"]) for m in metrics]
    assert rows["seconds"] == ["61", "61"]
    assert rows["seed"] == ["0", "1"]
    assert rows["split"] == [m["split"] for m in metrics]
    assert rows["protocol"] == ["grouped", "grouped"]
    assert (runs / "comparison.png").is_file()
    assert str(runs / "comparison.png") in out.replace("\n", "")


def test_many_runs_take_several_tables(run, runs):
    _, out, _ = run("compare", *(runs / f"run{number}" for number in range(6)))
    assert out.count("precision at 100") == 2
    assert all(f"run{number}" in out for number in range(6))


def test_unlike_protocols_exit_2_and_say_what_differs(run, runs):
    status, out, err = run("compare", runs / "run0", runs / "other")
    assert (status, out) == (2, "")
    assert "protocol: run0 grouped, other paper" in err
    assert "--unlike" in err


def test_unlike_protocols_are_put_side_by_side_with_a_warning(run, runs, tmp_path):
    status, out, _ = run("compare", runs / "run0", runs / "other", "--unlike", "--out", tmp_path / "curves.png")
    assert status == 0
    assert "Unlike in protocol" in out
    assert "these scores do not compare" in out
    assert (tmp_path / "curves.png").is_file()


def test_json(run, runs, tmp_path):
    _, out, _ = run("compare", runs / "run0", runs / "run1", "--json", "--out", tmp_path / "curves.png")
    result = json.loads(out)
    assert [one["name"] for one in result["runs"]] == ["run0", "run1"]
    assert result["figure"] == str(tmp_path / "curves.png")


def test_a_run_that_no_label_scores_says_so(run, runs, tmp_path):
    copy = Run(shutil.copytree(runs / "run0", tmp_path / "blank"))
    scores = ("map", "map_per_class", "precision_at", "best_precision_at", "precision_within_radius_2")
    kept = {name: value for name, value in copy.metrics.items() if name not in scores}
    write_json(copy.metrics_path, {**kept, "map": None})
    status, out, err = run("compare", runs / "run0", copy.path, "--out", tmp_path / "curves.png")
    rows = {line.split("│")[0].strip(): [cell.strip() for cell in line.split("│")[1:]] for line in out.splitlines()}
    assert (status, err) == (0, "")
    assert rows["mAP"] == [f"{Run(runs / 'run0').metrics['map']['expected']:.4f}", "no labels"]
    assert rows["precision at 10"][1] == ""
    assert "No curve of blank" in out
    status, out, _ = run("compare", copy.path, shutil.copytree(copy.path, tmp_path / "blank2"))
    assert (status, "curves" in out) == (0, False)
    assert not (tmp_path / "comparison.png").exists()
