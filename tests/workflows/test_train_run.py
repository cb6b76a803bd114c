"""What a run keeps when something goes wrong: beside it, in it, and after its end."""

import logging
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError, RunError
from keras_dhnn.files import read_json
from keras_dhnn.files.owner import owned
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.report import report
from keras_dhnn.runs import Run
from keras_dhnn.workflows.evaluate import evaluate
from keras_dhnn.workflows.train_run import train_run
from tests.command_line import command_line
from tests.fakes import make_coloured_dataset

SETTINGS = (
    "data.name=colours",
    "data.protocol=grouped",
    "data.queries=0.3",
    "data.validation=0.2",
    "data.image_size=0",
    "model.backbone=tests.fakes:tiny_backbone",
    "model.bits=16",
    "model.hidden=0",
    "head.epochs=1",
    "fine_tune.epochs=0",
)
RESULTS = ("codes.npz", "experiment.json", "history.json", "metrics.json", "weights.npz", "split.npz", "files.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "data"
    make_coloured_dataset(folder / "colours")
    return folder


@pytest.fixture(scope="module")
def info(data):
    return DatasetInfo.load(data / "colours")


@pytest.fixture(scope="module")
def finished(info, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("finished") / "run", Experiment().override(*SETTINGS), info)
    train_run(run, info)
    return run


@pytest.fixture
def copied(finished, tmp_path):
    return Run(shutil.copytree(finished.path, tmp_path / "copy"))


@pytest.fixture
def run(monkeypatch, capfd, data):
    """The command line; the sets of options are those that every call here has."""
    call = command_line(monkeypatch, capfd)
    return lambda *arguments: call(*arguments, "--data", data)


def fit_command(*more):
    return ("fit", "colours", "--quiet", *(part for text in SETTINGS for part in ("--set", text)), *more)


def fails(*_, **__):
    raise RuntimeError("no font\nfor this")


@pytest.mark.parametrize(
    "broken",
    [
        "gallery_figure",
        "write_projector",
        "write_health",
        "figure_to_array",
    ],
)
def test_whatever_fails_after_the_results_fails_alone(copied, info, monkeypatch, caplog, broken, data):
    for name in ("figures", "tensorboard"):
        shutil.rmtree(copied.path / name)
    monkeypatch.setattr(report, broken, fails)
    metrics = evaluate(copied, data=data)
    assert metrics["map"] == copied.metrics["map"]
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert lines, "it is said"
    assert all("RuntimeError: no font for this" in line and "\n" not in line for line in lines)
    assert all(line.endswith(f"keras-dhnn evaluate {copied.path}") for line in lines)
    figures = {path.name for path in copied.figures.glob("*")}
    assert len(figures) >= (0 if broken == "figure_to_array" else 2), "the others are drawn"


def test_results_are_written_before_what_may_fail(info, tmp_path, monkeypatch, data):
    run = Run.create(tmp_path / "run", Experiment().override(*SETTINGS), info)

    def killed(run, *_, **__):
        assert {path.name for path in run.path.iterdir()} >= set(RESULTS)
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_dhnn.workflows.train_run.write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        train_run(run, info)
    monkeypatch.undo()
    again = Run.open(run.path)
    evaluate(again, data=data)
    assert (again.figures / "gallery.png").is_file()


@pytest.mark.parametrize("name", ["weights.npz", "codes.npz", "split.npz", "experiment.json", "metrics.json"])
@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_changed_bytes_of_a_run_are_noticed(copied, run, name, damage):
    path = copied.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:-1])
    if damage == "gone":
        path.unlink()
    with pytest.raises(RunError, match=name if damage != "gone" else "."):
        Run.open(copied.path)
    status, out, err = run("evaluate", copied.path)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["codes.npz", "metrics.json", "environment.json", "history.json"])
def test_without_a_list_damage_is_named_where_it_is_read(copied, info, name):
    (copied.path / "files.json").unlink()
    (copied.path / name).write_bytes(b"")

    def read(run):
        run.check_data(info)
        return run.load_codes(), run.metrics, run.history

    with pytest.raises(DataError, match=name):
        read(Run.open(copied.path))


def test_evaluate_replaces_the_scores_that_are_checked(copied, info, data):
    shutil.rmtree(copied.figures)
    evaluate(Run.open(copied.path), data=data)
    assert not Run.open(copied.path).damage()
    assert "metrics.json" in read_json(copied.path / "files.json", remedy="")["files"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_run_that_cannot_be_written_is_scored_all_the_same(copied, run):
    for path in (copied.path, copied.figures, copied.tensorboard):
        path.chmod(0o555)
    status, out, _ = run("evaluate", copied.path)
    assert (status, "mean average precision" in out) == (0, True)


def test_scores_that_cannot_be_written_are_given(copied, info, monkeypatch, caplog, data):
    def refused(*_):
        raise PermissionError(13, "Permission denied", str(copied.metrics_path))

    monkeypatch.setattr(Run, "replace_metrics", refused)
    assert evaluate(copied, data=data)["map"]["expected"] > 0
    assert "metrics.json could not be made (PermissionError" in caplog.text


def test_a_run_that_is_being_trained_is_not_continued_by_another(info, tmp_path):
    run = Run.create(tmp_path / "run", Experiment().override(*SETTINGS), info)
    with owned(run.path), pytest.raises(RunError, match="is being written by process"):
        train_run(run, info)
    assert not run.checkpoints.exists()


def test_a_refused_resume_keeps_the_run(run, info, tmp_path):
    """Whatever a failing `--resume` meets, experiment, environment and split stay."""
    ours = Run.create(tmp_path / "run", Experiment().override(*SETTINGS, "fine_tune.cut=no_such"), info)
    ours = Run(ours.path)
    experiment = Experiment().override(*SETTINGS, "fine_tune.cut=no_such", "fine_tune.epochs=1")
    ours.experiment_path.write_text(experiment.to_json(), encoding="utf-8")
    ours.seal()
    before = {path.name: path.read_bytes() for path in ours.path.glob("[!.]*.json") if path.name != "files.json"}
    status, _, err = run("fit", "--resume", ours.path, "--quiet")
    assert status == 2
    assert "no_such" in err
    assert {path.name: path.read_bytes() for path in ours.path.glob("*.json") if path.name in before} == before


def test_a_refused_new_run_leaves_nothing(run, tmp_path):
    more = ("--set", "fine_tune.cut=no_such", "--set", "fine_tune.epochs=1", "--runs", tmp_path / "runs")
    status, _, _ = run(*fit_command(*more))
    assert status == 2
    assert not list((tmp_path / "runs").glob("*"))


def test_a_run_is_created_once(info, tmp_path):
    experiment = Experiment().override(*SETTINGS)
    Run.create(tmp_path / "run", experiment, info)
    with pytest.raises(RunError, match="holds a run already"):
        Run.create(tmp_path / "run", experiment, info)
    with owned(tmp_path), pytest.raises(RunError, match="is being written by"):
        Run.create(tmp_path, experiment, info)


CREATE = """
import sys, time
from pathlib import Path
from keras_dhnn.files import new_folder
folder, when = Path(sys.argv[1]), float(sys.argv[2])
for number in range(20):
    while time.time() < when + number / 50:
        pass
    print(new_folder(folder, f"round{number}"))
"""


def test_no_two_processes_get_the_same_folder(tmp_path):
    import time

    when = str(time.time() + 2)
    processes = [
        subprocess.Popen([sys.executable, "-c", CREATE, str(tmp_path), when], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    chosen = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert len(chosen) == len(set(chosen)) == 40


@pytest.mark.parametrize("name", ["../../x", "..", ".", "", "a/b", "a\nb", "-x", "a;touch PWN"])
def test_names_that_are_no_folder_of_their_own_are_refused(run, tmp_path, name):
    status, _, err = run(*fit_command("--runs", tmp_path / "runs", f"--name={name}"))
    assert status == 2
    assert ("Expected as the name of a run" if name else "--name is empty. Expected a value") in err
    assert not (tmp_path / "runs").exists()


def test_codes_are_those_of_the_model(finished):
    stored = finished.load_codes()
    np.testing.assert_array_equal(np.unpackbits(stored["codes"], axis=1), stored["outputs"] >= 0)


def test_a_run_whose_loss_is_not_finite_says_so_when_it_is_opened(run, tmp_path):
    settings = ("--set", "head.learning_rate=1e30", "--set", "training.optimizer=sgd", "--set", "head.epochs=9")
    status, _, err = run(*fit_command("--runs", tmp_path, "--name", "endless", *settings))
    assert (status, "The loss is" in err) == (2, True)
    with pytest.raises(RunError, match=r"ended without a result, and would again: The loss is (nan|inf) after epoch"):
        Run.open(tmp_path / "endless")
