"""Searches with a closed-form objective in the place of training."""

import contextlib
import json
import math
import shutil
from types import SimpleNamespace

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError, DataError, RunError
from keras_dhnn.tuning import hypermodel, oracles, search
from keras_dhnn.tuning.job import create_job
from keras_dhnn.tuning.search import best_trial, role, score_winner
from keras_dhnn.tuning.space import Choice, Range, Space
from keras_dhnn.tuning.trials import read_trials, trials_csv

BASE = Experiment().override("head.epochs=9", "fine_tune.epochs=0")
SPACE = Space({"loss.eta": Range(0.01, 1.0, log=True), "model.bits": Choice((16, 32))}, BASE)
SMALL = Space({"loss.eta": Choice((0.1, 0.2, 0.4)), "loss.quantization": Choice(("l1", "l2"))}, BASE)


def quality(experiment):
    """Highest, 0.9, at eta = 0.1 and 32 bits."""
    return 0.9 - math.log10(experiment.loss.eta / 0.1) ** 2 / 10 - (experiment.model.bits == 16) / 10


@pytest.fixture
def trained(monkeypatch):
    """`(experiment, epochs)` of each call to train."""
    calls = []

    def measure(experiment, info, folder, *, epochs=None, queries=False, bar=None):
        assert not queries
        calls.append((experiment, epochs))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "epochs").open("a") as file:
            file.write(f"{epochs} ")
        return {"val_map": quality(experiment), "distinct_codes": 5, "epochs": epochs or 9, "seconds": 1.0}

    monkeypatch.setattr(hypermodel, "measure", measure)
    return calls


def run(folder, space=SPACE, tuner="random", trials=6, **options):
    return search.search(space, None, folder, tuner=tuner, trials=trials, seed=1, **options)


def killing(monkeypatch, at):
    """Makes the call number `at` of training the last."""
    original, calls = hypermodel.measure, []

    def measure(*arguments, **options):
        calls.append(arguments)
        if len(calls) == at:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(hypermodel, "measure", measure)


def test_bayesian_search_finds_the_best(trained, tmp_path):
    best = best_trial(run(tmp_path, tuner="bayesian", trials=10))
    assert best["settings"]["model.bits"] == 32
    assert best["val_map"] > 0.899  # within a quarter of eta


def test_rows_hold_what_was_tried_and_what_came_out(trained, tmp_path):
    rows = run(tmp_path)
    assert [row["trial"] for row in rows] == list("012345")
    for row, (experiment, _) in zip(rows, trained, strict=True):
        assert BASE.replace(row["settings"]) == experiment
        assert row["val_map"] == quality(experiment)
        assert (row["status"], row["distinct_codes"], row["reason"]) == ("completed", 5, None)
    lines = trials_csv(rows, SPACE).splitlines()
    assert lines[0] == "trial,status,loss.eta,model.bits,val_map,distinct_codes,epochs,seconds,reason"
    rows[2] |= {"reason": "=HYPERLINK(1)"}
    assert trials_csv(rows, SPACE).splitlines()[3].endswith(",'=HYPERLINK(1)")
    assert lines[1].split(",")[:4] == ["0", "completed", *map(str, rows[0]["settings"].values())]


def test_grid_tries_every_combination_once(trained, tmp_path):
    rows = run(tmp_path, SMALL, "grid", None)
    assert [tuple(row["settings"].values()) for row in rows] == [
        (eta, norm) for eta in (0.1, 0.2, 0.4) for norm in ("l1", "l2")
    ]


def test_hyperband_continues_the_better_half_for_more_epochs(trained, tmp_path):
    run(tmp_path, tuner="hyperband", trials=13)
    epochs = [epochs for _, epochs in trained]
    assert set(epochs) == {1, 3, 9}
    first = [quality(experiment) for experiment, epochs in trained if epochs == 1]
    promoted = [quality(experiment) for experiment, epochs in trained if epochs == 3]
    assert sorted(promoted) == sorted(first)[-len(promoted) :]
    histories = {path.read_text() for path in tmp_path.glob("checkpoints/*/epochs")}
    assert {"1 ", "1 3 ", "1 3 9 "} <= histories


@pytest.mark.parametrize("tuner", ["bayesian", "random", "grid"])
def test_a_killed_search_redoes_the_trial_under_way_and_keeps_the_others(trained, tmp_path, monkeypatch, tuner):
    whole = run(tmp_path / "whole", SMALL, tuner)
    trained.clear()
    with monkeypatch.context() as patch:
        killing(patch, at=4)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", SMALL, tuner)
    before = read_trials(tmp_path / "killed", SMALL)
    assert [row["status"] for row in before] == ["completed"] * 3 + ["running"]
    resumed = run(tmp_path / "killed", SMALL, tuner)
    assert resumed[:3] == before[:3]
    assert resumed[3]["settings"] == before[3]["settings"]
    assert len(trained) == len(resumed) == len(whole)  # none twice
    if tuner != "bayesian":  # its random points start anew
        assert resumed == whole


@pytest.mark.parametrize("tuner", ["random", "grid", "hyperband"])
def test_a_search_killed_while_it_writes_continues(trained, tmp_path, monkeypatch, tuner):
    """Whatever file is being written when the search is killed: every combination is tried, none is lost."""
    expected = len(run(tmp_path / "whole", SMALL, tuner))
    writes = 0

    def count(path, value, write=oracles.write_json):
        nonlocal writes
        writes += 1
        if writes == at:
            raise KeyboardInterrupt
        write(path, value)

    for at in range(1, 40):
        writes, folder = 0, tmp_path / f"{at}"
        with monkeypatch.context() as patch:
            patch.setattr(oracles, "write_json", count)
            patch.setattr(search, "write_json", count)
            with contextlib.suppress(KeyboardInterrupt):
                run(folder, SMALL, tuner)
        rows = run(folder, SMALL, tuner)
        assert [row["status"] for row in rows] == ["completed"] * expected, at
        if tuner == "grid":
            assert len({tuple(row["settings"].values()) for row in rows}) == 6


def test_a_finished_search_trains_nothing_more_but_takes_more_trials(trained, tmp_path):
    first = run(tmp_path)
    assert run(tmp_path) == first
    assert len(trained) == 6
    assert run(tmp_path, trials=8)[:6] == first
    assert len(trained) == 8


def test_failed_trials_are_recorded_and_do_not_end_the_search(tmp_path, trained, monkeypatch):
    original = hypermodel.measure

    def measure(experiment, *arguments, **options):
        if experiment.model.bits == 16:
            raise CollapseError("The loss is nan after epoch 1.")
        return original(experiment, *arguments, **options)

    monkeypatch.setattr(hypermodel, "measure", measure)
    rows = run(tmp_path, trials=12)
    by_bits = {bits: [row for row in rows if row["settings"]["model.bits"] == bits] for bits in (16, 32)}
    assert by_bits[16]
    assert by_bits[32]
    assert {row["status"] for row in by_bits[32]} == {"completed"}
    for row in by_bits[16]:
        assert (row["status"], row["val_map"]) == ("failed", None)
        assert row["reason"] == "The loss is nan after epoch 1."
    assert best_trial(rows)["settings"]["model.bits"] == 32


def test_a_search_in_which_nothing_finished_is_an_error(tmp_path, monkeypatch):
    def measure(*arguments, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(hypermodel, "measure", measure)
    rows = run(tmp_path, trials=5)
    assert len(rows) == 5
    with pytest.raises(RunError, match=r"No trial of .* finished.*Out of memory: no room"):
        score_winner(rows, SPACE, None, tmp_path)


def test_a_search_that_had_no_time_says_how_to_go_on(tmp_path):
    with pytest.raises(RunError, match=f"No trial of .* finished in its time.*keras-dhnn tune --resume {tmp_path}"):
        score_winner([], SPACE, None, tmp_path)


def test_what_other_trials_would_meet_too_ends_the_search(tmp_path, monkeypatch):
    def measure(*arguments, **options):
        raise DataError("The images are gone.")

    monkeypatch.setattr(hypermodel, "measure", measure)
    with pytest.raises(DataError, match="gone"):
        run(tmp_path)


def test_no_trial_starts_after_the_hours(tmp_path, trained, monkeypatch):
    clock = 0.0
    original = hypermodel.measure

    def measure(*arguments, **options):
        nonlocal clock
        clock += 1000
        return original(*arguments, **options)

    monkeypatch.setattr(hypermodel, "measure", measure)
    monkeypatch.setattr(oracles.time, "monotonic", lambda: clock)
    assert len(run(tmp_path, trials=50, hours=1)) == 4
    assert len(run(tmp_path, trials=50, hours=1)) == 8  # of each call


def test_the_winner_alone_is_scored_and_once(tmp_path, trained, monkeypatch):
    rows, scored = run(tmp_path), []

    def measure(experiment, info, folder, *, queries, bar):
        assert queries
        assert (folder / "epochs").exists()  # goes on from what the trial left
        scored.append(experiment)
        told = {"data": "ucmd", "protocol": "standard", "synthetic": False, "queries": 2, "database": 8}
        return {"map": {"expected": 0.5}, **told}

    monkeypatch.setattr(search, "measure", measure)
    winner = score_winner(rows, SPACE, None, tmp_path)
    assert score_winner(rows, SPACE, None, tmp_path) == winner
    assert len(scored) == 1
    assert winner["trial"] == max(rows, key=lambda row: row["val_map"])["trial"]
    assert Experiment.from_json((tmp_path / "experiment.json").read_text()) == scored[0]
    assert quality(scored[0]) == max(row["val_map"] for row in rows)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [winner["trial"]]


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("name", ["../../precious", "..", "", "1", "{absolute}"])
def test_a_trial_that_is_not_its_folders_is_refused_and_nothing_is_removed(trained, tmp_path, name):
    run(tmp_path / "search", SMALL, "grid", 6)
    precious = tmp_path / "precious" / "kept"
    precious.parent.mkdir()
    precious.touch()
    before = sorted(tmp_path.rglob("*"))
    changed(tmp_path / "search/trials/trial_0/trial.json", trial_id=name.format(absolute=precious.parent))
    with pytest.raises(DataError, match=r"trial_0.trial.json is damaged.*Remove .*trial_0 to go on"):
        run(tmp_path / "search", SMALL, "grid", 6)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_trial_goes_on_from_no_other_folder_than_a_trials(trained, tmp_path):
    run(tmp_path / "search", tuner="hyperband", trials=5)
    path = tmp_path / "search/trials/trial_4/trial.json"
    hyperparameters = json.loads(path.read_text())["hyperparameters"]
    hyperparameters["values"]["tuner/trial_id"] = "../../precious"
    changed(path, hyperparameters=hyperparameters, status="RUNNING")
    with pytest.raises(DataError, match=r"names a trial '../../precious'; expected digits"):
        run(tmp_path / "search", tuner="hyperband", trials=5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"score": None}, "ended with the score None"),
        ({"score": "0.9"}, r"\['score'\] is str"),
        ({"message": 1}, r"\['message'\] is int"),
        ({"metrics": {}}, "lacks 'metrics'"),
        ({"metrics": {"metrics": {"val_map": {"direction": "max", "observations": [{}]}}}}, "lacks 'value'"),
        ({"hyperparameters": {"values": {}}}, "lacks 'space'"),
        ({"hyperparameters": {"space": [], "values": {}}}, "no value of loss.eta"),
        ({"hyperparameters": {"space": [], "values": {"loss.eta": "x", "loss.quantization": "l1"}}}, "loss.eta"),
    ],
)
def test_a_trial_of_other_kinds_is_refused_by_name(trained, tmp_path, values, message):
    run(tmp_path, SMALL, "grid", 6)
    changed(tmp_path / "trials/trial_0/trial.json", **values)
    with pytest.raises(DataError, match=rf"trial_0.trial.json is damaged.*{message}"):
        run(tmp_path, SMALL, "grid", 6)


def test_a_result_of_other_kinds_is_refused_by_name(trained, tmp_path):
    run(tmp_path, SMALL, "grid", 6)
    changed(tmp_path / "trials/trial_0/result.json", epochs="many")
    with pytest.raises(DataError, match=r"result.json is damaged.*\['epochs'\] is str"):
        run(tmp_path, SMALL, "grid", 6)


@pytest.mark.parametrize("tuner", ["bayesian", "random", "hyperband", "grid"])
def test_an_oracles_state_that_lacks_parts_is_refused_by_name(trained, tmp_path, tuner):
    run(tmp_path, SMALL, tuner, 3)
    (tmp_path / "trials/oracle.json").write_text("{}")
    with pytest.raises(DataError, match=r"oracle.json is damaged: its content lacks.*another --name"):
        run(tmp_path, SMALL, tuner, 3)


def test_what_an_oracle_cannot_read_of_its_state_is_said_in_one_message(trained, tmp_path):
    run(tmp_path, SMALL, "grid", 6)
    space = [{"class_name": "NoSuchPart", "config": {}}]
    changed(tmp_path / "trials/oracle.json", hyperparameters={"space": space, "values": {}})
    with pytest.raises(DataError, match=r"The state of the search in .*trials is damaged.*another --name"):
        run(tmp_path, SMALL, "grid", 6)


def test_a_search_goes_on_without_a_trial_that_was_removed(trained, tmp_path):
    rows = run(tmp_path, SMALL, "grid", 6)
    shutil.rmtree(tmp_path / "trials/trial_5")
    assert run(tmp_path, SMALL, "grid", 6)[:5] == rows[:5]


def test_a_search_needs_items_to_validate_on(tmp_path):
    base = BASE.override("data.validation=0")
    with pytest.raises(ValueError, match=r"data.validation=0.1"):
        run(tmp_path, Space(SPACE.parts, base))


def test_an_unknown_tuner_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"bayesian, random, hyperband, grid.*'annealing'"):
        run(tmp_path, tuner="annealing")


def test_nothing_but_results_goes_to_stdout(trained, tmp_path, capsys):
    run(tmp_path)
    run(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "alone"),
        ({"TUNER_ID": "chief", "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": "1"}, "chief"),
        ({"TUNER_ID": "worker0", "ORACLE_IP": "127.0.0.1", "ORACLE_PORT": "1"}, "worker"),
    ],
)
def test_role_by_the_environment(monkeypatch, environment, expected):
    for name in search.PARALLEL:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    assert role() == expected


def test_half_an_environment_is_refused(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.delenv("KERASTUNER_ORACLE_PORT", raising=False)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    with pytest.raises(ValueError, match=r"Not set: KERASTUNER_ORACLE_PORT"):
        role()


def test_a_worker_unlike_its_chief_takes_no_trial(trained, tmp_path, monkeypatch):
    """It asks its chief first: only a chief that listens has written what it was asked for."""
    info = SimpleNamespace(checksum="abc", table=None, directory=tmp_path)

    class Chief:
        def __init__(self, oracle):
            pass

        def get_space(self):
            request = {"base": json.loads(BASE.to_json()), "space": SPACE.to_json()}
            create_job(tmp_path, "tune", request, info)

        def create_trial(self, tuner_id):
            pytest.fail("asked for a trial")

    for name, value in (("TUNER_ID", "worker0"), ("ORACLE_IP", "127.0.0.1"), ("ORACLE_PORT", "1")):
        monkeypatch.setenv(f"KERASTUNER_{name}", value)
    monkeypatch.setattr("keras_tuner.src.distribute.oracle_client.OracleClient", Chief)
    space = Space(SPACE.parts, BASE.override("loss.quantization=l1"))
    with pytest.raises(RunError, match="quantization is 'l2', here 'l1'"):
        search.search(space, info, tmp_path, tuner="random", trials=6, seed=1)


def test_a_trials_files_are_json(trained, tmp_path):
    run(tmp_path, trials=2)
    for path in tmp_path.glob("trials/**/*.json"):
        json.loads(path.read_text())
