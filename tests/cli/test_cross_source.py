"""Cross-source retrieval by the command line: two sources, four tasks."""

import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from keras_dhnn import cli
from keras_dhnn.evaluation.scores import evaluate
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.report import report
from keras_dhnn.runs import Run
from keras_dhnn.training.callbacks.snapshots import load_snapshots
from tests.dual import make_dual_dataset

SETTINGS = (
    "model.backbone=tests.fakes:tiny_backbone",
    "data.image_size=0",
    "model.hidden=0",
    "data.queries=0.25",
    "data.validation=0.2",
    "head.epochs=10",
    "head.learning_rate=0.02",
    "training.batch_size=24",
    "loss.gamma=0.1",
)
SMALL = tuple(text for setting in SETTINGS for text in ("--set", setting))
TASKS = ["pan->mul", "mul->pan", "pan->pan", "mul->mul"]


def invoke(*arguments):
    """Exit status of the command line in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["keras-dhnn", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as stop:
            return stop.code or 0
    return 0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Folder of a data set `twins` and a finished run `run`, evaluated with --tsne."""
    root = tmp_path_factory.mktemp("project")
    make_dual_dataset(root / "data" / "twins")
    places = ("--data", root / "data")
    fit = ("fit", "twins", "--bits", 16, *SMALL, *places, "--runs", root / "runs", "--name", "run", "--quiet")
    assert invoke(*fit) == 0
    assert invoke("evaluate", root / "runs" / "run", *places, "--tsne") == 0
    return root


def test_scores_are_of_four_tasks_and_of_both_directions(root):
    metrics = Run.open(root / "runs" / "run").metrics
    scores = {name: task["map"]["expected"] for name, task in metrics["tasks"].items()}
    assert list(scores) == TASKS
    assert metrics["map"]["expected"] == pytest.approx((scores["pan->mul"] + scores["mul->pan"]) / 2)
    assert metrics["map"]["expected"] > metrics["map_untrained"] + 0.1
    assert 0 < metrics["map_float_features"] < 1


def test_codes_of_each_source_are_their_outputs_signs(root):
    run = Run.open(root / "runs" / "run")
    for source in ("pan", "mul"):
        stored = run.load_codes(source)
        assert stored["outputs"].shape == (36, 16)
        np.testing.assert_array_equal(stored["codes"], np.packbits(stored["outputs"] >= 0, axis=1))


def test_figures_are_drawn_for_each_direction_and_source(root):
    folder = root / "runs" / "run" / "figures"
    for name in (
        "precision-recall",
        "gallery-pan-to-mul",
        "gallery-mul-to-pan",
        "code-health-pan",
        "tsne",
        "tsne-training",
    ):
        assert Image.open(folder / f"{name}.png").width > 200


def test_gallery_says_of_every_result_whether_it_is_right(root):
    """Of plain bools: the figure frames what `is False`."""
    run, info = Run.open(root / "runs" / "run"), DatasetInfo.load(root / "data" / "twins")
    split, (outputs, _, labels) = Split.load(run.split_path), run.load_outputs(("pan", "mul"))
    evaluation = evaluate(outputs, labels, split, info, 0, ("pan", "mul"))
    found = [(result, row.name) for row in report._gallery(info, split, evaluation) for result in row.results.values()]
    assert all(result.correct is (result.name == name) for result, name in found)
    assert found[0][0].image.shape == (8, 8, 3)


def test_snapshots_begin_with_the_untrained_network(root):
    run = Run.open(root / "runs" / "run")
    snapshots = load_snapshots(run.snapshots)
    assert list(snapshots) == [0, 10]
    items, outputs = snapshots[0]
    assert set(items) <= set(Split.load(run.split_path).fitting)
    assert np.abs(outputs["pan"] - snapshots[10][1]["pan"]).max() > 0.1
    final = run.load_codes("pan")["outputs"][items]
    assert np.abs(final - outputs["pan"]).max() > 0.1


def test_tensorboard_has_each_term_and_each_source(root):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = root / "runs" / "run" / "tensorboard"
    terms = {"inter_source", "intra_source", "quantization", "balance", "val_map_pan_to_mul", "val_map_mul_to_pan"}
    assert terms <= set(EventAccumulator(str(folder / "head")).Reload().Tags()["tensors"])
    evaluation = set(EventAccumulator(str(folder / "evaluation")).Reload().Tags()["tensors"])
    assert {"map/pan-to-mul", "map/mul-to-mul", "gallery-mul-to-pan"} <= evaluation
    for source in ("pan", "mul"):
        assert (folder / "evaluation" / source / "projector_config.pbtxt").is_file()
        tags = EventAccumulator(str(folder / "evaluation" / source)).Reload().Tags()["tensors"]
        assert "code-health/distinct_codes" in tags


def test_scores_are_printed_by_task(root, capfd):
    assert invoke("evaluate", root / "runs" / "run", "--data", root / "data") == 0
    out = capfd.readouterr().out
    assert all(task.replace("->", " -> ") in out for task in TASKS)


def test_query_searches_the_other_source(root, tmp_path, capfd):
    run = Run.open(root / "runs" / "run")
    Image.fromarray(np.full((20, 20), 60, np.uint8)).save(tmp_path / "dark.png")
    how = ("--data", root / "data", "--json", "-k", 5)
    assert invoke("query", run.path, tmp_path / "dark.png", "--from", "pan", "--to", "mul", *how) == 0
    result = json.loads(capfd.readouterr().out)
    database = Split.load(run.split_path).database
    assert [one["rank"] for one in result["results"]] == [1, 2, 3, 4, 5]
    assert all(one["item"] in database for one in result["results"])
    assert result["results"][0]["class"] == "class0"
    assert Image.open(result["figure"]).width > 200


@pytest.mark.parametrize("task", [(), ("--from", "pan"), ("--from", "pan", "--to", "sar")])
def test_query_wants_both_sources_named(root, tmp_path, capfd, task):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    assert invoke("query", root / "runs" / "run", tmp_path / "a.png", *task, "--data", root / "data") == 2
    assert "--from pan --to mul" in capfd.readouterr().err


def test_runs_of_two_sources_compare(root, tmp_path, capfd):
    path = root / "runs" / "run"
    shutil.copytree(path, tmp_path / "again")
    assert invoke("compare", path, tmp_path / "again", "--out", tmp_path / "curves.png") == 0
    assert Image.open(tmp_path / "curves.png").width > 300


def ablate(root, *more):
    where = ("--data", root / "data", "--runs", root / "runs", "--quiet", "--protocol", "grouped")
    return invoke("ablate", "twins", *SMALL, *where, *more)


def test_ablation_prints_table_iv_and_keeps_finished_rows(root, capfd, monkeypatch):
    assert ablate(root, "--set", "head.epochs=1", "--bits", "8", "16", "--json") == 0
    table = json.loads(capfd.readouterr().out)
    rows = ["IRSC", "IRSC+IASC", "IRSC+IASC+BQC", "IRSC+IASC+BQC+FDC", "DCMH"]
    assert [(row["row"], row["bits"]) for row in table["rows"]] == [(name, bits) for bits in (8, 16) for name in rows]
    assert all(list(row["tasks"]) == TASKS for row in table["rows"])
    monkeypatch.setattr("keras_dhnn.tuning.measure.train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert ablate(root, "--set", "head.epochs=1", "--bits", "8", "16") == 0
    out = capfd.readouterr().out
    assert "IRSC+IASC+BQC+FDC" in out
    assert f"{table['rows'][0]['tasks']['pan->mul']:.4f}" in out


def test_ablation_takes_queries_and_backbones_as_fit_does(root, tmp_path, monkeypatch):
    seen = []

    def ablate_all(experiment, *_, **__):
        seen.append(experiment)
        return {}

    monkeypatch.setattr("keras_dhnn.workflows.ablate.fit_rows", ablate_all)
    where = ("--data", root / "data", "--runs", tmp_path, "--json")
    options = ("--queries", 0.25, "--backbone", "pan=pan_cnn", "--backbone", "mul=mul_cnn", "--protocol", "grouped")
    assert invoke("ablate", "twins", *options, "--seed", 3, "--set", "loss.gamma=0.5", *where) == 0
    (experiment,) = seen
    assert (experiment.data.queries, experiment.data.protocol, experiment.seed) == (0.25, "grouped", 3)
    assert experiment.model.backbone == {"pan": "pan_cnn", "mul": "mul_cnn"}
    assert experiment.data.image_size == {"pan": 0, "mul": 0}  # what fit makes of them
    assert experiment.loss.gamma == 0.5


def test_ablation_into_a_file_is_one_message(root, tmp_path, capfd):
    (tmp_path / "runs").write_text("a file where a folder must be")
    where = ("--data", root / "data", "--runs", tmp_path / "runs", "--quiet")
    assert invoke("ablate", "twins", *SMALL, *where) == 2
    err = capfd.readouterr().err
    assert f"keras-dhnn: {tmp_path / 'runs' / 'twins-grouped-ablation'}: Not a directory. Check that this path" in err


def test_a_code_length_is_ablated_once(root, capfd):
    assert ablate(root, "--bits", "16", "16", "--name", "twice") == 2
    assert "--bits. Expected no value twice. Received: 16" in capfd.readouterr().err
    assert not (root / "runs" / "twice").exists()


def test_sweep_takes_the_values_of_the_paper():
    from keras_dhnn.config import Experiment
    from keras_dhnn.tuning.ablation import rows_of

    rows = rows_of(Experiment(), "beta")
    assert list(rows) == ["beta=0", "beta=0.1", "beta=1", "beta=10"]
    assert [Experiment().override(*changes).loss.beta for changes in rows.values()] == [0, 0.1, 1, 10]


def test_ablation_rows_set_weights_to_nothing():
    from keras_dhnn.config import Experiment
    from keras_dhnn.tuning.ablation import rows_of

    full = Experiment().override("loss.alpha=1", "loss.beta=0.1", "loss.gamma=0.5")
    losses = {name: full.override(*changes).loss for name, changes in rows_of(full).items()}
    weights = {name: (loss.alpha, loss.beta, loss.gamma) for name, loss in losses.items()}
    assert weights == {
        "IRSC": (0, 0, 0),
        "IRSC+IASC": (1, 0, 0),
        "IRSC+IASC+BQC": (1, 0.1, 0),
        "IRSC+IASC+BQC+FDC": (1, 0.1, 0.5),
        "DCMH": (0, 0.1, 0.5),
    }
    with pytest.raises(ValueError, match="loss.gamma is 0 .*: --set loss.gamma=0.05$"):
        rows_of(full.override("loss.gamma=0"))


def test_settings_that_are_refused_leave_an_ablation_free(root, capfd):
    name = ("--name", "refused", "--set", "head.epochs=1")
    assert ablate(root, *name, "--bits", "8", "7") == 2
    assert not (root / "runs" / "refused").exists()
    assert ablate(root, *name, "--bits", "8", "--set", "head.cut=stage99") == 2
    assert "stage99" in capfd.readouterr().err
    assert not any((root / "runs" / "refused" / "rows").iterdir())
    assert ablate(root, *name, "--bits", "8", "--sweep", "gamma") == 0


def test_an_ablation_goes_on_after_a_row_that_collapsed(root, capfd, monkeypatch):
    from keras_dhnn.errors import CollapseError
    from keras_dhnn.tuning import ablation, measure

    def collapsing(experiment, *args, **kwargs):
        if not experiment.loss.beta:
            raise CollapseError("All images have the same hash code after epoch 9.")
        return trained(experiment, *args, **kwargs)

    trained = measure.train
    monkeypatch.setattr(ablation, "ROWS", {name: ablation.ROWS[name] for name in ("IRSC", "DCMH")})
    monkeypatch.setattr(measure, "train", collapsing)
    arguments = ("--bits", 8, "--set", "head.epochs=1", "--name", "collapsed")
    assert ablate(root, *arguments) == 0
    out = capfd.readouterr().out
    assert out.count("│ failed │") == 4  # tasks
    assert "IRSC, 8 bits failed: All images have the same hash code after epoch 9." in out
    assert (root / "runs" / "collapsed" / "pan-to-mul-8.png").exists()
    monkeypatch.setattr(measure, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    assert ablate(root, *arguments, "--json") == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert [row["row"] for row in rows if "failed" in row] == ["IRSC"]


def test_sweep_trains_and_prints_a_row_a_value(root, capfd):
    assert ablate(root, "--bits", 8, "--set", "head.epochs=1", "--sweep", "gamma", "--json") == 0
    table = json.loads(capfd.readouterr().out)
    assert [row["row"] for row in table["rows"]] == ["gamma=0", "gamma=0.1", "gamma=1", "gamma=10"]
    assert all(0 < score <= 1 for row in table["rows"] for score in row["tasks"].values())
    assert (root / "runs" / "twins-grouped-gamma" / "mul-to-pan-8.png").exists()


def test_an_ablation_that_is_killed_in_a_row_ends_with_the_same_scores(root, capfd, monkeypatch):
    from keras_dhnn.tuning import ablation, measure

    class Killed(BaseException):
        pass

    def killed(experiment, info, split, folder, **kwargs):
        trained(experiment, info, split, folder, **{**kwargs, "epochs": 5})
        raise Killed

    arguments = ("--bits", 8, "--set", "head.epochs=10")
    trained = measure.train
    monkeypatch.setattr(ablation, "ROWS", {"IRSC+IASC+BQC+FDC": ()})
    monkeypatch.setattr(measure, "train", killed)
    with pytest.raises(Killed):
        ablate(root, *arguments, "--name", "killed")
    (state,) = (root / "runs" / "killed").rglob("state.json")
    assert json.loads(state.read_text())["epoch"] == 4  # the fifth
    found = []

    def resumed(experiment, info, split, folder, **kwargs):
        found.append(list(folder.rglob("state.json")))
        return trained(experiment, info, split, folder, **kwargs)

    monkeypatch.setattr(measure, "train", resumed)
    tables = []
    for name in ("killed", "whole"):
        assert ablate(root, *arguments, "--name", name, "--json") == 0
        tables.append(json.loads(capfd.readouterr().out))
    assert found == [[state], []]
    assert tables[0]["rows"] == tables[1]["rows"]


def test_ablation_of_other_settings_in_the_same_folder_is_refused(root, capfd):
    assert ablate(root, "--bits", "8", "--set", "head.epochs=1", "--seed", "5", "--name", "twins-grouped-ablation") == 2
    assert "--name" in capfd.readouterr().err
