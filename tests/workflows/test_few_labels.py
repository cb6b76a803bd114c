"""From a tree of images to scores, where labels are missing, few or several."""

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.config import Data
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.experiment import presets
from keras_dhnn.experiment.split import FEW, draw_split
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.runs import Run
from keras_dhnn.workflows.evaluate import evaluate
from keras_dhnn.workflows.fit import fit
from keras_dhnn.workflows.open_run import open_run
from keras_dhnn.workflows.prepare import load_prepared, prepare
from keras_dhnn.workflows.suggest import suggest

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
SETTINGS = (
    *("data.image_size=0", "model.backbone=tests.fakes:tiny_backbone", "model.bits=16", "model.hidden=0"),
    *("head.epochs=12", "head.learning_rate=0.01", "training.batch_size=24", "model.weight_decay=0"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Noisy images of three colours, ordered by number and not by colour, prepared without classes."""
    folder, random = tmp_path_factory.mktemp("project"), np.random.default_rng(0)
    (folder / "images" / "deep").mkdir(parents=True)
    rows = []
    for number in range(90):
        name = list(COLOURS)[number % 3]
        pixels = np.array(COLOURS[name]) + random.normal(0, 30, 3) + random.normal(0, 10, (16, 16, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "images" / "deep" / f"{number:02}.png")
        rows.append(f"{number:02},{name}")
    for name, count in (("all", 90), ("few", 6)):
        (folder / f"{name}.csv").write_text("\n".join(["path,label", *rows[:count]]) + "\n")
    prepare("colours", folder / "images", layout="images", data=folder / "data")
    return folder


def run_of(project, name, **how):
    run = fit("colours", settings=SETTINGS, data=project / "data", runs=project / "runs", run_name=name, **how)
    return Run(run.path)


def test_without_labels_codes_are_learned_and_scored_by_a_table(project):
    run = run_of(project, "none")
    metrics = run.metrics
    assert metrics["map"] is None
    assert metrics["labels_used"] == {"given": 0, "inferred": 0, "mean_margin": None}
    assert set(metrics["neighbour_agreement"]) == {"10"}
    assert 1 < metrics["distinct_codes"] <= 81
    assert (run.figures / "gallery.png").is_file()
    scores = evaluate(run, labels=project / "all.csv", data=project / "data")
    assert scores["map"]["expected"] > 0.9
    assert scores["queries"] == 9


def test_few_labels_are_never_queries_and_all_images_are_learned_from(project):
    run = run_of(project, "few", labels=project / "few.csv")
    assert run.metrics["labels_used"]["given"] == 6
    assert run.metrics["labels_used"]["inferred"] == 76
    assert 0.5 < run.metrics["labels_used"]["mean_margin"] <= 1
    assert not np.isin(np.arange(6), Split.load(run.split_path).queries).any()
    assert evaluate(run, labels=project / "all.csv", data=project / "data")["map"]["expected"] > 0.95


def test_a_run_keeps_its_labels_whatever_becomes_of_their_file(project, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text((project / "few.csv").read_text())
    run = run_of(project, "kept", labels=table)
    table.unlink()
    _, info = open_run(run.path, project / "data")
    assert np.flatnonzero(info.known).tolist() == list(range(6))
    assert info.classes[:3] == ("red", "green", "blue")


def test_several_labels_are_similar_by_what_they_share(project, tmp_path):
    sets = ("warm|plain", "cold|plain", "cold|plain|wet")
    rows = [f"{number:02},{sets[number % 3]}" for number in range(90)]
    (tmp_path / "several.csv").write_text("\n".join(["path,labels", *rows]) + "\n")
    run = run_of(project, "several", labels=tmp_path / "several.csv")
    assert run.metrics["labels_used"] == {"given": 81, "inferred": 0, "mean_margin": None}
    assert run.metrics["map"]["expected"] == 1  # all share "plain"
    assert run.metrics["ndcg_at_100"] > 0.95
    assert set(run.metrics["map_per_class"]) == {"warm", "plain", "cold", "wet"}


def test_suggestions_are_of_each_colour_and_none_that_has_a_label(project, monkeypatch):
    preset = presets.load_preset
    monkeypatch.setattr("keras_dhnn.workflows.suggest.load_preset", lambda *how: preset(*how).override(*SETTINGS))
    chosen = suggest("colours", count=3, data=project / "data")
    assert {int(name[5:7]) % 3 for name in chosen} == {0, 1, 2}
    more = suggest("colours", count=84, labels=project / "few.csv", data=project / "data")
    assert len(set(more)) == 84
    assert not {f"deep/{number:02}.png" for number in range(6)} & set(more)
    with pytest.raises(DataError, match="Every image of .* has a label"):
        suggest("colours", count=3, labels=project / "all.csv", data=project / "data")
    with pytest.raises(SettingError, match="above 0"):
        suggest("colours", count=0, data=project / "data")


def test_prepared_labels_stay_until_others_are_given(project, tmp_path):
    how = {"layout": "images", "data": tmp_path}
    assert int(prepare("x", project / "images", labels=project / "few.csv", **how).info.known.sum()) == 6
    assert int(prepare("x", project / "images", **how).info.known.sum()) == 6
    again = prepare("x", project / "images", labels=project / "all.csv", **how)
    assert again.info.known.all()
    assert not again.fresh
    assert load_prepared("x", tmp_path).classes == tuple(COLOURS)


def test_labels_of_one_class_are_refused(project, tmp_path):
    table = tmp_path / "red.csv"
    table.write_text("path,label\n00,red\n03,red\n")
    refused = r"red\.csv: 2 images have labels, all the same: 'red'\. .* two at least are needed\. .*'not red'"
    how = {"layout": "images", "data": tmp_path / "data"}
    with pytest.raises(DataError, match=refused):
        prepare("x", project / "images", labels=table, **how)
    assert not load_prepared("x", tmp_path / "data").known.any()
    with pytest.raises(DataError, match=refused):
        run_of(project, "one", labels=table)
    assert not (project / "runs" / "one").exists()
    labels = Labels(("red",), np.arange(90)[:, None] % 3 == 0)
    labels.save(tmp_path / "data" / "x" / "labels.npz")  # as it was kept before such were refused
    with pytest.raises(DataError, match="x: 30 images have labels, all the same: 'red'"):
        fit("x", data=tmp_path / "data", runs=tmp_path / "runs")
    table.write_text("path,label\n00,red\n03,red\n01,not red\n")
    assert prepare("x", project / "images", labels=table, **how).info.classes[:2] == ("red", "not red")


def test_a_folder_of_one_class_that_was_prepared_before_such_were_refused_is_not_learned_from(tmp_path, monkeypatch):
    for number in range(8):
        place = tmp_path / "images" / ("red", "unlabelled")[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (30 * number, 0, 0)).save(place)
    how = {"layout": "folder", "data": tmp_path / "data"}
    with pytest.raises(DataError, match="images: 4 images have labels, all the same: 'red'"):
        prepare("x", tmp_path / "images", **how)
    monkeypatch.setattr("keras_dhnn.pipelines.datasets.folder_listing.check_classes", lambda *_: None)
    monkeypatch.setattr("keras_dhnn.pipelines.datasets.folder.check_classes", lambda *_: None)
    prepare("x", tmp_path / "images", **how)
    with pytest.raises(DataError, match="x: 4 images have labels, all the same: 'red'"):
        fit("x", data=tmp_path / "data", runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_where_classes_have_many_labels_these_search_too(project):
    info = load_prepared("colours", project / "data")
    labels = np.zeros((90, 2), bool)
    labels[: FEW + 5, 0] = True
    labels[FEW + 5 : FEW + 10, 1] = True
    seen = info.with_labels(Labels(("many", "few"), labels))
    split = draw_split(Data(protocol="grouped", queries=0.2, turns=1), 0, seen)
    assert np.isin(np.arange(FEW + 5), split.queries).sum() == 5
    assert not np.isin(np.arange(FEW + 5, FEW + 10), split.queries).any()
    assert len(split.queries) == 5 + 12
    assert len(split.validation) == 0
    with pytest.raises(SettingError, match="grouped or standard where labels are missing"):
        draw_split(Data(protocol="paper", turns=1), 0, seen)
