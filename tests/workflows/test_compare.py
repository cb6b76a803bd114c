import dataclasses
import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_dhnn.codes import pack
from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError, RunError
from keras_dhnn.evaluation.scores import score
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import write_json
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.runs import Run
from keras_dhnn.workflows.compare import compare
from tests.fakes import make_coloured_dataset, make_dataset, partly_labelled


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "made", count=30)[0]


@pytest.fixture
def make_run(tmp_path, info):
    """Function that writes a finished run, with made-up codes, without training."""

    def make(name, *settings, info=info, colours=info.labels, noise=1.0, folder="runs"):
        experiment = Experiment().override("data.name=made", "data.queries=0.3", "data.protocol=grouped", *settings)
        run = Run.create(tmp_path / folder / name, experiment, info)
        split = draw_split(experiment.data, experiment.seed, info)
        split.save(run.split_path)
        labels = np.repeat(colours, 4)
        random = np.random.default_rng(experiment.seed)
        outputs = random.normal(size=(2, experiment.model.bits))[labels]
        labels = np.repeat(info.true_labels, 4)
        outputs = outputs + noise * random.normal(size=outputs.shape)
        _, _, metrics = score({"image": outputs}, split, info, experiment.seed)
        write_json(run.metrics_path, metrics | {"seconds": {"total": 61.4}})
        run.save_codes(pack(outputs), outputs, np.arange(len(labels)), labels)
        run.weights_path.write_text("")
        if info.table is not None:
            info.table.save(run.labels_path)
        return run.path

    return make


def test_scores_are_those_of_the_runs_and_settings_those_that_differ(make_run, tmp_path):
    paths = [make_run("a", "model.bits=16"), make_run("b", "model.bits=32", "loss.eta=0.2", noise=2.0)]
    result = compare(paths, tmp_path / "curves.png")
    assert [run["name"] for run in result["runs"]] == ["a", "b"]
    for path, run in zip(paths, result["runs"], strict=True):
        assert run["metrics"] == json.loads((path / "metrics.json").read_text())
    assert [run["settings"] for run in result["runs"]] == [
        {"model.bits": 16, "loss.eta": 0.1},
        {"model.bits": 32, "loss.eta": 0.2},
    ]
    assert result["unlike"] == {}
    assert Image.open(tmp_path / "curves.png").width > 300


def test_curves_are_those_of_the_runs(make_run, tmp_path, monkeypatch):
    drawn = {}
    draw = "keras_dhnn.workflows.compare.precision_recall_figure"
    monkeypatch.setattr(draw, lambda curves, title: drawn.update(curves, title=title) or Figure())
    paths = [make_run("good", noise=0.1), make_run("poor", noise=9.0)]
    result = compare(paths, tmp_path / "curves.png")
    scores = {run["name"]: run["metrics"]["map"]["expected"] for run in result["runs"]}
    assert drawn.pop("title") == "made, grouped"
    assert list(drawn) == [f"{name}, mAP {score:.4f}" for name, score in scores.items()]
    (good, poor) = drawn.values()
    # Precision at evenly spaced recalls has the mean average precision as its mean, but for interpolation, which adds.
    for (_, precision), mean in zip((good, poor), scores.values(), strict=True):
        assert mean - 0.02 < precision.mean() < mean + 0.1
    assert good[1].mean() > poor[1].mean() + 0.2


@pytest.mark.parametrize("setting", ["seed=1", "model.bits=32", "data.validation=0.3", "data.image_size=32"])
def test_runs_of_other_seeds_bits_and_training_compare(make_run, tmp_path, setting):
    assert compare([make_run("a"), make_run("b", setting)], tmp_path / "curves.png")["unlike"] == {}


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (("data.protocol=paper",), "protocol"),
        (("data.queries=0.5",), "share of queries"),
        (("data.group_pattern=[0-9]+", "seed=1"), "groups kept together"),
        (("data.protocol=paper", "data.queries=0.3", "seed=1"), "protocol"),
    ],
)
def test_unlike_protocols_are_refused(make_run, tmp_path, settings, field):
    paths = [make_run("a"), make_run("b", *settings)]
    with pytest.raises(RunError, match=f"{field}: a .*, b .*") as error:
        compare(paths, tmp_path / "curves.png")
    assert "--unlike" in str(error.value)
    assert not (tmp_path / "curves.png").exists()


def test_unlike_protocols_stand_side_by_side_when_told_to(make_run, tmp_path):
    paths = [make_run("a"), make_run("b", "data.protocol=paper")]
    result = compare(paths, tmp_path / "curves.png", unlike=True)
    assert result["unlike"]["protocol"] == {"a": "grouped", "b": "paper"}
    assert (tmp_path / "curves.png").exists()


def test_other_images_are_refused(make_run, info, tmp_path):
    others = dataclasses.replace(info, checksum="0" * 64)
    with pytest.raises(RunError, match="images: a made .*, b made 000000000000"):
        compare([make_run("a"), make_run("b", info=others)], tmp_path / "curves.png")


def test_scores_by_other_labels_are_refused(make_run, info, tmp_path):
    """By two classes, and by three of the same images, whose queries are those of a list."""
    names = [["sea", "land"][label] for label in info.labels]
    three = [*names[:4], "ice", *names[5:]]
    tables = {
        "a": Labels.of_names(("sea", "land"), [[name] for name in names]),
        # The same in another order.
        "b": Labels.of_names(("land", "sea"), [[name] for name in names]),
        "c": Labels.of_names(("sea", "land", "ice"), [[name] for name in three]),
        "d": Labels.of_names(("sea", "land", "ice"), [[name, "ice"] for name in names]),
    }
    (tmp_path / "queries.txt").write_text("\n".join(info.ids[::5]))
    how = ("data.protocol=standard", f"data.split={tmp_path / 'queries.txt'}")
    runs = {name: make_run(name, *how, info=info.with_labels(table)) for name, table in tables.items()}
    assert compare([runs["a"], runs["b"]], tmp_path / "curves.png")["unlike"] == {}
    for other in "cd":
        with pytest.raises(RunError, match=f"labels: a [0-9a-f]{{12}}, {other} [0-9a-f]{{12}}\n"):
            compare([runs["a"], runs[other]], tmp_path / "curves.png")
    # Runs of before do not say by which labels they were scored.
    metrics = json.loads((runs["c"] / "metrics.json").read_text())
    del metrics["labels"]
    write_json(runs["c"] / "metrics.json", metrics)
    assert compare([runs["a"], runs["c"]], tmp_path / "curves.png")["unlike"] == {}


@pytest.mark.parametrize("field", ["ties", "cut_off", "exclude_self"])
def test_scores_of_another_kind_are_refused(make_run, tmp_path, field):
    paths = [make_run("a"), make_run("b")]
    metrics = json.loads((paths[1] / "metrics.json").read_text())
    write_json(paths[1] / "metrics.json", metrics | {field: "other"})
    with pytest.raises(RunError, match=f"{field}: a .*, b other"):
        compare(paths, tmp_path / "curves.png")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"map": None}, r"\['map'\] is NoneType; expected dict"),
        ({"map": {"expected": "0.9"}}, r"\['map'\]\['expected'\] is str"),
        ({"precision_at": [1]}, r"\['precision_at'\] is list"),
        ({"queries": "9"}, r"\['queries'\] is str"),
        ({"checksum": None}, r"\['checksum'\] is NoneType"),
        ({"seconds": {}}, r"\['seconds'\] lacks 'total'"),
    ],
)
def test_scores_of_other_kinds_are_damage(make_run, tmp_path, changes, message):
    paths = [make_run("a"), make_run("b")]
    metrics = json.loads((paths[1] / "metrics.json").read_text())
    write_json(paths[1] / "metrics.json", metrics | changes)
    with pytest.raises(DataError, match=rf"metrics.json is damaged: .*{message}.*bring it back"):
        compare(paths, tmp_path / "curves.png")


def test_other_splits_of_one_seed_are_refused(make_run, tmp_path):
    paths = [make_run("a"), make_run("b")]
    other = Run(make_run("c", "seed=5")).split_path
    Run(paths[1]).split_path.write_bytes(other.read_bytes())
    with pytest.raises(RunError, match="split: a .*, b "):
        compare(paths, tmp_path / "curves.png")


def test_runs_of_one_name_go_by_their_paths(make_run, tmp_path):
    paths = [make_run("a"), make_run("a", folder="more")]
    names = [run["name"] for run in compare(paths, tmp_path / "curves.png")["runs"]]
    assert names == [str(path) for path in paths]


def test_one_run_and_one_run_twice_are_refused(make_run, tmp_path):
    path = make_run("a")
    with pytest.raises(RunError, match="two runs or more"):
        compare([path], tmp_path / "curves.png")
    with pytest.raises(RunError, match="two runs or more"):
        compare(path, tmp_path / "curves.png")
    with pytest.raises(RunError, match="twice"):
        compare([path, path], tmp_path / "curves.png")


def test_unfinished_run_is_refused(make_run, tmp_path):
    paths = [make_run("a"), make_run("b")]
    Run(paths[1]).codes_path.unlink()
    with pytest.raises(RunError, match="not finished"):
        compare(paths, tmp_path / "curves.png")


@pytest.mark.parametrize(("verb", "what"), [("tune", "a search"), ("grid", "a grid")])
def test_a_search_is_no_run(make_run, tmp_path, verb, what):
    path = make_run("a")
    Run(path).codes_path.unlink()
    write_json(path / "request.json", {"verb": verb})
    message = f"a is {what}, not a run. .* continue it: keras-dhnn {verb} --resume {path}"
    with pytest.raises(RunError, match=message):
        compare([make_run("b"), path], tmp_path / "curves.png")
    (path / "experiment.json").unlink()
    with pytest.raises(RunError, match=message):
        Run.open(path, finished=False)


def test_a_run_that_ended_without_a_result_is_not_to_be_continued(make_run, tmp_path):
    path = make_run("a")
    Run(path).codes_path.unlink()
    Run(path).keep_collapse("The loss is nan after epoch 3. Try a smaller learning rate.")
    with pytest.raises(RunError, match="a ended without a result, .*The loss is nan after epoch 3") as raised:
        compare([make_run("b"), path], tmp_path / "curves.png")
    assert "--resume" not in str(raised.value)


def test_figure_that_cannot_be_written(make_run, tmp_path):
    with pytest.raises(DataError, match="--out"):
        compare([make_run("a"), make_run("b")], tmp_path / "missing" / "curves.png")


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn, which is not."""
    curves = {}
    monkeypatch.setattr(
        "keras_dhnn.workflows.compare.precision_recall_figure", lambda new, _: curves.update(new) or Figure()
    )
    return curves


def of_several(info):
    names = [["plain"], ["plain", "wet"], ["wet"], []]
    return info.with_labels(Labels.of_names(("plain", "wet"), [names[number % 4] for number in range(info.count)]))


@pytest.mark.parametrize("labelled", [lambda info: partly_labelled(info, range(0, 120, 3)), of_several])
def test_curves_are_of_what_was_scored(make_run, tmp_path, drawn, labelled):
    """Some images have no label, or several: the curve is that of the counts behind the scores."""
    whole = make_coloured_dataset(tmp_path / "coloured", count=120)
    info = labelled(whole)
    paths = [make_run(name, info=info, colours=whole.labels % 2, noise=noise) for name, noise in (("a", 1), ("b", 3))]
    assert compare(paths, tmp_path / "curves.png")["without_curve"] == []
    for path, (what, curve) in zip(paths, drawn.items(), strict=True):
        run = Run(path)
        codes = run.load_codes()["outputs"]
        _, (evaluation,), metrics = score({"image": codes}, Split.load(run.split_path), info, run.experiment.seed)
        assert what == f"{path.name}, mAP {metrics['map']['expected']:.4f}"
        precision, recall = precision_recall_curve(evaluation.counts)
        np.testing.assert_allclose(curve, (recall, precision))


def test_runs_without_labels_stand_beside_each_other_without_curves(make_run, info, tmp_path, drawn):
    blank = partly_labelled(info, range(30))
    paths = [make_run("a", info=blank), make_run("b", "model.bits=16", info=blank)]
    result = compare(paths, tmp_path / "curves.png")
    assert [run["metrics"]["map"] for run in result["runs"]] == [None, None]
    assert (result["figure"], result["without_curve"], drawn) == (None, ["a", "b"], {})
    mixed = compare([make_run("c"), paths[0]], tmp_path / "curves.png", unlike=True)
    assert (mixed["without_curve"], len(drawn)) == (["a"], 1)
