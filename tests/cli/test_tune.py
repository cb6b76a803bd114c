"""Searches and grids as their user meets them."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_dhnn import cli
from keras_dhnn.config import Experiment
from keras_dhnn.tuning import hypermodel, series
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset

SETTINGS = {
    "model.backbone": "tests.fakes:tiny_backbone",
    "model.hidden": 0,
    "model.bits": 16,
    "data.image_size": 16,
    "data.queries": 0.25,
    "data.validation": 0.2,
    "data.protocol": "grouped",
    "training.batch_size": 24,
    "head.epochs": 3,
    "fine_tune.epochs": 0,
}
CHANGES = [text for name, value in SETTINGS.items() for text in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    make_coloured_dataset(root / "data" / "coloured")
    make_dual_dataset(root / "data" / "twins")
    return root


def places(root, name=None):
    return ["--data", str(root / "data"), "--runs", str(root / "runs"), *(["--name", name] if name else [])]


@pytest.fixture(scope="module")
def tuned(root):
    """A finished search of 4 trials, one of which fails, and what it printed."""
    space = root / "space.json"
    space.write_text('{"eta": [0.01, 0.1], "head.cut": ["features", "nowhere"]}')
    command = [
        "tune",
        "coloured",
        *CHANGES,
        *places(root, "tuned"),
        "--tuner",
        "grid",
        "--space",
        str(space),
        "--quiet",
    ]
    result = CliRunner().invoke(cli.app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return root / "runs" / "tuned", result.stdout


def test_tune_leaves_trials_winner_figures_and_the_hparams_page(tuned):
    path, out = tuned
    rows = list(csv.DictReader((path / "trials.csv").open()))
    assert [row["status"] for row in rows] == ["completed", "failed", "completed", "failed"]
    assert [(row["loss.eta"], row["head.cut"]) for row in rows][:2] == [("0.01", "features"), ("0.01", "nowhere")]
    assert "a layer of the backbone" in rows[1]["reason"]
    winner = json.loads((path / "winner.json").read_text())
    best = max((row for row in rows if row["val_map"]), key=lambda row: float(row["val_map"]))
    assert winner["trial"] == best["trial"]
    assert f"trial {best['trial']}, on the queries: mAP {winner['map']['expected']:.4f}" in out
    assert "2 trials finished, 2 failed" in out
    for name in ("parallel-coordinates", "heat-map"):
        assert Image.open(path / "figures" / f"{name}.png").width > 200
    assert sorted(folder.name for folder in (path / "tensorboard").iterdir() if folder.is_dir()) == [
        row["trial"] for row in rows
    ]


def test_the_winner_is_what_fit_takes_and_reaches_its_score(tuned, root, run):
    path, _ = tuned
    experiment = Experiment.from_json((path / "experiment.json").read_text())
    winner = json.loads((path / "winner.json").read_text())
    assert experiment.settings["head.cut"] == "features"
    status, out, _ = run("fit", "--config", path / "experiment.json", *places(root, "winner"), "--quiet", "--json")
    assert status == 0
    metrics = json.loads(out)
    assert metrics["map"]["expected"] == pytest.approx(winner["map"]["expected"], abs=1e-6)
    assert metrics["split"] == winner["split"]


def test_resuming_a_finished_search_trains_nothing(tuned, root, run, monkeypatch):
    monkeypatch.setattr(hypermodel, "measure", lambda *_, **__: pytest.fail("trained"))
    status, out, _ = run("tune", "--resume", tuned[0], "--data", root / "data", "--quiet", "--json")
    assert status == 0
    result = json.loads(out)
    assert len(result["trials"]) == 4
    assert result["winner"] == json.loads((tuned[0] / "winner.json").read_text())


def test_a_folder_that_holds_a_search_is_not_searched_again(tuned, root, run):
    status, _, err = run("tune", "coloured", *CHANGES, *places(root, "tuned"))
    assert status == 2
    assert f"keras-dhnn tune --resume {tuned[0]}" in err


def test_another_verbs_folder_is_not_continued(tuned, root, run):
    status, _, err = run("grid", "--resume", tuned[0], "--data", root / "data")
    assert (status, "keras-dhnn tune --resume" in err) == (2, True)


def test_other_images_are_not_searched_on(tuned, root, run, tmp_path):
    make_coloured_dataset(tmp_path / "coloured", seed=5)
    status, _, err = run("tune", "--resume", tuned[0], "--data", tmp_path)
    assert (status, "other images" in err) == (2, True)


def test_when_no_trial_finishes_it_says_why(root, run, tmp_path):
    space = tmp_path / "space.json"
    space.write_text('{"head.cut": ["nowhere", "elsewhere"]}')
    command = ("tune", "coloured", *CHANGES, *places(root), "--tuner", "grid", "--space", space, "--quiet")
    status, out, err = run(*command)
    assert (status, out) == (2, "")
    assert "No trial of" in err
    assert "a layer of the backbone" in err


def test_interrupted_tune_says_how_to_continue(root, run, monkeypatch):
    def measure(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(hypermodel, "measure", measure)
    status, _, err = run("tune", "coloured", *CHANGES, *places(root, "killed"), "--quiet")
    assert status == 130
    assert f"keras-dhnn tune --resume {root / 'runs' / 'killed'}" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tuner", "annealing"), "bayesian, random, hyperband, grid"),
        (("--vary", "turns"), "--space"),
        (("--vary", "sigma"), "'sigma'"),
        (("--space", "nowhere.json"), "There is no file nowhere.json"),
        (("--config", "nowhere.json"), "There is no file nowhere.json"),
        (("--set", "data.validation=0"), "data.validation above 0"),
    ],
)
def test_mistakes_are_one_message(root, run, arguments, message):
    status, out, err = run("tune", "coloured", *CHANGES, *places(root), "--quiet", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("verb", ["fit", "grid", "tune"])
def test_a_config_that_is_none_is_named(root, run, tmp_path, verb):
    (tmp_path / "text.json").write_bytes(b"\xff learning rate 3")
    (tmp_path / "other.json").write_text('{"loss": {"etta": 1}}')
    for name, message in ((".", "no file"), ("text.json", "text in UTF-8"), ("other.json", "'loss.etta'")):
        status, out, err = run(verb, "coloured", "--config", tmp_path / name, *places(root, "config"))
        assert (status, out) == (2, "")
        assert message in err
        assert str(tmp_path / name) in err
        assert "Traceback" not in err


@pytest.mark.parametrize(("verb", "blocked"), [("tune", "trials"), ("grid", "rows")])
def test_a_file_in_the_way_of_a_folder_is_named(root, run, tmp_path, verb, blocked):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / blocked).write_text("a file where a folder must be")
    where = ("--data", root / "data", "--runs", tmp_path, "--name", "job", "--quiet")
    status, out, err = run(verb, "coloured", *CHANGES, *where, *(["--over", "s=1"] if verb == "grid" else []))
    assert (status, out) == (2, "")
    assert err.startswith(f"keras-dhnn: {tmp_path / 'job' / blocked}")
    assert "Check that this path" in err


def test_a_full_disk_is_one_message(root, run, tmp_path, monkeypatch):
    failed = {"failed": "not tried"}
    monkeypatch.setattr("keras_dhnn.tuning.grid.fit_series", lambda names, *_, **__: dict.fromkeys(names, failed))

    def full(name, mode, **how):
        return open("/dev/full", "wb") if Path(name).name == ".grid.json.partial" else open(name, mode, **how)

    monkeypatch.setattr("keras_dhnn.files.writing.open", full, raising=False)
    where = ("--data", root / "data", "--runs", tmp_path, "--name", "job", "--quiet")
    status, out, err = run("grid", "coloured", *CHANGES, *where, "--over", "s=1")
    assert (status, out) == (2, "")
    assert err == (
        f"keras-dhnn: {tmp_path / 'job' / 'grid.json'}: No space left on device. Free space there, then run the same "
        "command again.\n"
    )


@pytest.mark.parametrize("verb", ["tune", "grid"])
def test_there_must_be_something_to_continue(run, verb):
    status, _, err = run(verb, "--resume", "nowhere")
    assert (status, "nothing to continue at nowhere" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("tune", "coloured", "--vary", "s", "--trials", "3", "--hours", "1"), "NAME, --vary"),
        (("tune", "--space", "a.json", "--set", "seed=1", "--tuner", "grid", "--quiet"), "--tuner, --space, --set"),
        (
            ("tune", "--config", "a.json", "--seed", "0", "--name", "other", "--synthetic"),
            "--name, --config, --synthetic, --seed",
        ),
        (("grid", "--over", "s=1", "--paper-eta", "--validation", "--json"), "--over, --paper-eta"),
        (("grid", "--runs", "runs", "--queries", "0.1"), "--queries, --runs"),
        (("fit", "coloured", "--bits", "16", "--group-pattern", "a"), "NAME, --group-pattern, --bits"),
        (("fit", "--protocol", "paper", "--strategy", "mirrored", "--backbone", "cnn_f"), "--protocol, --backbone"),
    ],
)
def test_resume_names_the_options_that_it_would_drop(run, arguments, named):
    status, out, err = run(*arguments, "--resume", "nowhere", "--data", "data")
    assert (status, out) == (2, "")
    assert f"Leave out {named}, or start anew" in err


def test_a_search_takes_more_trials_when_it_is_continued(tuned, root, run, monkeypatch):
    monkeypatch.setattr(hypermodel, "measure", lambda *_, **__: pytest.fail("trained"))
    again = ("tune", "--resume", tuned[0], "--data", root / "data", "--trials", "9", "--hours", "1", "--quiet")
    assert run(*again)[0] == 0


def test_tune_validates_on_a_tenth_of_the_database(root, run, monkeypatch):
    seen = []
    result = {"val_map": 0.5, "distinct_codes": 1, "epochs": 1, "seconds": 1}
    monkeypatch.setattr(hypermodel, "measure", lambda experiment, *_, **__: seen.append(experiment) or result)
    monkeypatch.setattr("keras_dhnn.tuning.search.measure", lambda *_, **__: pytest.fail("scored"))
    with pytest.raises(pytest.fail.Exception, match="scored"):
        run("tune", "coloured", *places(root), "--trials", "2", "--quiet", "--set", "model.bits=16")
    assert [experiment.data.validation for experiment in seen] == [0.1, 0.1]


def test_tune_searches_the_weights_that_have_an_effect(root, run, monkeypatch):
    seen = []
    monkeypatch.setattr("keras_dhnn.workflows.tune._search", lambda path, request, *_: seen.append(request["space"]))
    for name in ("coloured", "twins"):
        assert run("tune", name, *CHANGES, *places(root, f"space-{name}"))[0] == 0
    assert [list(space) for space in seen] == [
        ["loss.similarity_factor", "loss.eta"],
        ["loss.alpha", "loss.beta", "loss.gamma"],
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("twins", ("tune", "--vary", "s,eta"), "eta. Its objective has the weights: alpha, beta, gamma"),
        ("twins", ("tune", "--space", "eta.json"), "eta. Its objective has the weights: alpha, beta, gamma"),
        ("coloured", ("tune", "--vary", "gamma"), "gamma. Its objective has the weights: eta"),
        ("twins", ("grid", "--over", "eta=0.1,1"), "eta. Its objective has the weights: alpha, beta, gamma"),
        ("twins", ("grid", "--over", "s=0.5", "--paper-eta"), "eta. Its objective has the weights: alpha, beta, gamma"),
        ("coloured", ("grid", "--over", "alpha=0,1"), "alpha. Its objective has the weights: eta"),
    ],
)
def test_weights_without_an_effect_are_refused(root, run, tmp_path, monkeypatch, name, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eta.json").write_text('{"eta": [0.1, 1]}')
    verb, *arguments = arguments
    status, out, err = run(verb, name, *CHANGES, *places(root, "useless"), *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert not (root / "runs" / "useless").exists()


GRID = ("--over", "s=0.25,0.5", "--over", "eta=5,50", "--paper-eta")


def test_grid_prints_a_table_and_resumes(root, run, monkeypatch):
    command = ("grid", "coloured", *CHANGES, *places(root, "grid"), *GRID, "--quiet")
    status, out, _ = run(*command)
    assert status == 0
    rows = list(csv.DictReader((root / "runs" / "grid" / "cells.csv").open()))
    assert [(row["s"], row["eta"]) for row in rows] == [("0.25", "5"), ("0.25", "50"), ("0.5", "5"), ("0.5", "50")]
    # 2 eta_paper / (batch s); of each class's 12 images 3 are queries and 2 validate, so that a batch is all 21 others.
    expected = [2 * eta / (21 * s) for s in (0.25, 0.5) for eta in (5, 50)]
    assert [float(row["loss.eta"]) for row in rows] == pytest.approx(expected)
    for row in rows:
        assert f"{float(row['map']):.4f}" in out
    best = max(float(row["map"]) for row in rows)
    assert f"*{best:.4f}" in out
    assert "eta = 50" in out
    assert Image.open(root / "runs" / "grid" / "figures" / "heat-map.png").width > 200
    monkeypatch.setattr(series, "measure", lambda *_, **__: pytest.fail("trained"))
    status, again, _ = run("grid", "--resume", root / "runs" / "grid", "--data", root / "data", "--quiet", "--json")
    assert status == 0
    result = json.loads(again)
    assert result["best"]["map"] == best
    assert [cell["at"] for cell in result["cells"]][1] == {"s": "0.25", "eta": "50"}


def test_grid_of_two_sources_has_a_table_for_each_direction(root, run):
    axes = ("--over", "alpha=0,1", "--over", "beta=0.1,10")
    status, out, _ = run("grid", "twins", *CHANGES, *places(root, "directions"), *axes, "--quiet")
    assert status == 0
    rows = list(csv.DictReader((root / "runs" / "directions" / "cells.csv").open()))
    assert [(row["alpha"], row["beta"]) for row in rows] == [("0", "0.1"), ("0", "10"), ("1", "0.1"), ("1", "10")]
    for row in rows:
        across = [float(row["map pan->mul"]), float(row["map mul->pan"])]
        assert float(row["map"]) == pytest.approx(sum(across) / 2)
        assert 0 < float(row["map mul->mul"]) <= 1
    tables = out.split("mAP ")[1:]
    for task, table in zip(("pan->mul", "mul->pan"), tables, strict=True):
        assert table.startswith(task.replace("->", " -> "))
        scores = [float(row[f"map {task}"]) for row in rows]
        for score in scores:
            assert f"{score:.4f}" in table
        assert f"*{max(scores):.4f}" in table
    assert f"Best mean of both directions: {max(float(row['map']) for row in rows):.4f} at" in out


def test_grid_by_validation_marks_another_score(root, run):
    _, out, _ = run("grid", "--resume", root / "runs" / "grid", "--data", root / "data", "--validation", "--quiet")
    rows = list(csv.DictReader((root / "runs" / "grid" / "cells.csv").open()))
    assert f"*{max(float(row['val_map']) for row in rows):.4f}" in out
    assert "validation mAP" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one setting or more"),
        (("--over", "s"), "NAME=VALUE"),
        (("--over", "s=0.5", "--over", "loss.similarity_factor=1"), "each once"),
        (("--over", "eta=much"), "loss.eta"),
        (("--over", "eta=5", "--paper-eta", "--set", "loss.pair_weighting=balanced"), "loss.pair_weighting=mean"),
    ],
)
def test_grids_mistakes_are_one_message_and_leave_no_folder(root, run, arguments, message):
    status, out, err = run("grid", "coloured", *CHANGES, *places(root, "mistake"), *arguments, "--quiet")
    assert (status, out) == (2, "")
    assert message in err
    assert not (root / "runs" / "mistake").exists()


def test_a_grid_that_failed_everywhere_is_an_error(root, run):
    status, _, err = run("grid", "coloured", *CHANGES, *places(root), "--over", "head.cut=nowhere,elsewhere", "--quiet")
    assert (status, "a layer of the backbone" in err) == (2, True)


class Together:
    """Processes of one search on loopback, by their names.

    Args:
        root: the project.
        name: of the search.
        space: its space.
        trials: how many.
    """

    def __init__(self, root, name, space, trials):
        self.path, self.data, self.processes = root / "runs" / name, root / "data", {}
        file = root / f"{name}.json"
        file.write_text(json.dumps(space))
        self.new = ["coloured", *CHANGES, *places(root, name), "--space", str(file), "--tuner", "random"]
        self.new += ["--trials", str(trials)]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self, name, resume=False):
        asked = ["--resume", str(self.path), "--data", str(self.data)] if resume else self.new
        parallel = {"TUNER_ID": name, "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": str(self.port)}
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "keras_dhnn", "tune", *asked, "--quiet", "--json"],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **{f"KERASTUNER_{key}": parallel[key] for key in parallel}},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_in_trial(self, trial, name):
        """Kills a process when a trial is under way, which no other is; gives what the trial's file says."""
        file, deadline = self.path / "trials" / f"trial_{trial}" / "trial.json", time.monotonic() + 240
        while not file.exists():
            assert self.processes[name].poll() is None, self.processes[name].communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.processes[name].kill()
        self.processes[name].communicate()
        return json.loads(file.read_text())

    def end(self):
        """`{name: (stdout, stderr)}` of all processes, each of which ends well."""
        outputs = {name: process.communicate(timeout=240) for name, process in self.processes.items()}
        for name, process in self.processes.items():
            assert process.returncode == 0, outputs[name][1]
        return outputs

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes.values():
            process.kill()


@pytest.mark.slow
def test_a_chief_and_two_workers_search_together(root):
    """Three processes of one command; one point of the space fails, on whichever worker gets it."""
    space = {"eta": {"min": 0.01, "max": 1, "log": True}, "head.cut": ["features", "images", "nowhere"]}
    with Together(root, "together", space, 12) as search:
        for name in ("chief", "worker0", "worker1"):
            search.start(name)
        outputs = search.end()
    for name in ("worker0", "worker1"):
        assert outputs[name][0] == ""
        assert f"{name} is done" in outputs[name][1]
    trials = json.loads(outputs["chief"][0])["trials"]
    assert len(trials) == 12
    assert len({json.dumps(trial["settings"]) for trial in trials}) == 12  # no point twice
    for trial in trials:
        failed = trial["settings"]["head.cut"] == "nowhere"
        assert trial["status"] == ("failed" if failed else "completed")
        assert ("a layer of the backbone" in (trial["reason"] or "")) == failed
    results = [json.loads(file.read_text()) for file in search.path.glob("trials/trial_*/result.json")]
    assert {result["worker"] for result in results} == {"worker0", "worker1"}
    assert json.loads((search.path / "winner.json").read_text())["map"]["expected"] > 0.3


@pytest.mark.slow
def test_a_worker_and_then_the_chief_are_killed_and_started_again(root):
    """The worker gets its trial back; the chief, when it is there again, the result of a worker that outlived it."""
    with Together(root, "killed-both", {"eta": {"min": 0.01, "max": 1, "log": True}}, 3) as search:
        search.start("chief")
        search.start("worker0")
        first = search.kill_in_trial(0, "worker0")
        assert first["status"] == "RUNNING"
        search.start("worker0")
        second = search.kill_in_trial(1, "chief")
        assert second["status"] == "RUNNING"
        search.start("chief", resume=True)
        outputs = search.end()
    assert "worker0 is done" in outputs["worker0"][1]
    trials = json.loads(outputs["chief"][0])["trials"]
    assert [trial["status"] for trial in trials] == ["completed"] * 3
    for trial, before in zip(trials, (first, second), strict=False):
        assert trial["settings"]["loss.eta"] == before["hyperparameters"]["values"]["loss.eta"]
    oracle = json.loads((search.path / "trials" / "oracle.json").read_text())
    assert oracle["end_order"] == ["0", "1", "2"]  # none twice
