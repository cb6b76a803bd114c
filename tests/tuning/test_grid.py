import hashlib
import json

import numpy as np
import pytest

from keras_dhnn._version import __version__
from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError
from keras_dhnn.losses.quantization import eta_in_means
from keras_dhnn.tuning import series
from keras_dhnn.tuning.grid import Axis, fit_grid, grid_experiments
from keras_dhnn.tuning.tables import best_cell, grid_csv, grid_tables
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset, partly_labelled

AXES = [Axis.parse("s=0.25,0.5"), Axis.parse("eta=5,50,500")]
BASE = Experiment().override("data.name=coloured", "data.protocol=grouped", "data.queries=0.25")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "twins")


@pytest.fixture
def fitted(monkeypatch):
    """The experiments that were trained; their mAP is s + eta / 1000, and s = 0.5, eta = 500 collapses."""
    trained = []

    def measure(experiment, info, folder, *, queries, also, bar):
        folder.mkdir(parents=True)
        trained.append(experiment)
        loss = experiment.loss
        if (loss.similarity_factor, loss.eta) == (0.5, 500):
            raise CollapseError("The loss is nan\nafter epoch 1.")
        names = ("distinct_codes", "epochs", "seconds", "queries", "database", "seed")
        return {
            "map": {"expected": loss.similarity_factor + loss.eta / 1000},
            "val_map": 1 - loss.eta / 1000,
            "protocol": "grouped",
            "split": "abc",
            **dict.fromkeys(names, 1),
        }

    monkeypatch.setattr(series, "measure", measure)
    return trained


def test_axis_reads_a_name_and_values():
    assert Axis.parse("s= 0.25, 0.5") == Axis("s", "loss.similarity_factor", ("0.25", "0.5"))


@pytest.mark.parametrize("text", ["s", "s=", "s=1,,2", "s=1,1", "s=1,1.0", "=1"])
def test_axis_refuses_what_is_none(text):
    with pytest.raises(ValueError, match=r"NAME=VALUE|Unknown setting|--over s. Expected no value twice"):
        Axis.parse(text)


def test_cells_are_all_combinations_the_last_varying_fastest(info):
    experiments = grid_experiments(BASE, AXES, info)
    assert list(experiments)[:4] == [("0.25", "5"), ("0.25", "50"), ("0.25", "500"), ("0.5", "5")]
    assert experiments["0.5", "50"] == BASE.override("loss.similarity_factor=0.5", "loss.eta=50")


@pytest.mark.parametrize("axes", [[], [AXES[0], AXES[0]]])
def test_a_setting_stands_on_one_axis(info, axes):
    with pytest.raises(ValueError, match="each once"):
        grid_experiments(BASE, axes, info)


def test_papers_eta_is_converted_for_the_batch_and_s_of_each_cell(info):
    experiments = grid_experiments(BASE.override("training.batch_size=20"), AXES, info, paper_eta=True)
    assert experiments["0.25", "50"].loss.eta == eta_in_means(50, 20, 0.25) == 20.0


def test_papers_eta_is_converted_for_the_bank(info):
    # 36 images of 3 classes in 4 turns; of each class's 12, 3 are queries, and 1 of the other 9 validates: 96 are left.
    base = BASE.override("loss.pairs=memory", "loss.penalty=32")
    experiments = grid_experiments(base, AXES, info, paper_eta=True)
    assert experiments["0.25", "50"].loss.eta == pytest.approx(50 / (96 * 0.5))  # P = 32 of 64 bits: s = 0.5


def test_papers_eta_wants_plain_means(info):
    with pytest.raises(ValueError, match=r"loss.pair_weighting=mean.*'balanced'"):
        grid_experiments(BASE.override("loss.pair_weighting=balanced"), AXES, info, paper_eta=True)


def test_grid_has_the_scores_of_each_cell_and_the_reasons_of_those_that_failed(fitted, info, tmp_path):
    result = fit_grid(BASE, AXES, info, tmp_path)
    tables, rows, columns = grid_tables(result)
    assert (rows, columns) == (("s", ["0.25", "0.5"]), ("eta", ["5", "50", "500"]))
    np.testing.assert_allclose(tables[""], [[0.255, 0.3, 0.75], [0.505, 0.55, np.nan]])
    assert result["cells"][5] == {
        "at": {"s": "0.5", "eta": "500"},
        "settings": {"loss.eta": 500.0},
        "failed": "The loss is nan after epoch 1.",
    }
    assert best_cell(result)["at"] == {"s": "0.25", "eta": "500"}
    assert best_cell(result, "val_map")["at"] == {"s": "0.25", "eta": "5"}
    lines = grid_csv(result).splitlines()
    assert lines[0].startswith("s,eta,loss.eta,map,val_map")
    assert lines[2].startswith("0.25,50,50.0,0.3,0.95")
    assert lines[6].endswith(",The loss is nan after epoch 1.")
    result["cells"][5]["failed"] = "=HYPERLINK(1)"
    assert grid_csv(result).splitlines()[6].endswith(",'=HYPERLINK(1)")


def test_of_two_sources_each_task_has_a_column_and_its_best_cell(dual, tmp_path, monkeypatch):
    tasks = ("pan->mul", "mul->pan", "pan->pan", "mul->mul")

    def measure(experiment, *_, **__):
        scores = dict(zip(tasks, (experiment.loss.alpha, 1 - experiment.loss.alpha, 0.8, 0.9), strict=True))
        names = ("val_map", "distinct_codes", "epochs", "seconds", "protocol", "queries", "database", "split", "seed")
        found = {task: {"map": {"expected": score}} for task, score in scores.items()}
        return {"map": {"expected": 0.5}, "tasks": found, **dict.fromkeys(names, 1)}

    monkeypatch.setattr(series, "measure", measure)
    result = fit_grid(BASE, [Axis.parse("alpha=0.25,0.75")], dual, tmp_path)
    assert result["tasks"] == list(tasks)
    np.testing.assert_array_equal(grid_tables(result, "mul->pan")[0][""], [[0.75, 0.25]])
    assert best_cell(result, "pan->mul")["at"] == {"alpha": "0.75"}
    assert best_cell(result, "mul->pan")["at"] == {"alpha": "0.25"}
    header, first, _ = grid_csv(result).splitlines()
    assert header.endswith(",map pan->mul,map mul->pan,map pan->pan,map mul->mul,failed")
    assert first.endswith(",0.25,0.75,0.8,0.9,")


def test_settings_before_the_last_two_have_tables_of_their_own(fitted, info, tmp_path):
    result = fit_grid(BASE, [Axis.parse("quantization=l1,l2"), *AXES], info, tmp_path)
    tables, _, _ = grid_tables(result)
    assert list(tables) == ["quantization l1", "quantization l2"]
    assert tables["quantization l2"].shape == (2, 3)


def test_one_setting_makes_one_row(fitted, info, tmp_path):
    tables, (down, rows), _ = grid_tables(fit_grid(BASE, AXES[1:], info, tmp_path))
    assert (tables[""].shape, down, rows) == ((1, 3), "", [""])


def test_finished_cells_are_kept_and_a_longer_grid_trains_what_is_missing(fitted, info, tmp_path):
    first = fit_grid(BASE, AXES, info, tmp_path)
    assert len(fitted) == 6
    again = fit_grid(BASE, [Axis.parse("s=0.25,0.5,1"), AXES[1]], info, tmp_path)
    assert len(fitted) == 9
    assert again["cells"][:6] == first["cells"]
    assert not list((tmp_path / "checkpoints").iterdir())


def test_a_killed_grid_continues(fitted, info, tmp_path, monkeypatch):
    original, calls = series.measure, []

    def killed(experiment, *arguments, **options):
        calls.append(experiment)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(experiment, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(series, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            fit_grid(BASE, AXES, info, tmp_path)
    assert len(fit_grid(BASE, AXES, info, tmp_path)["cells"]) == 6
    assert len(fitted) == 6  # none twice


@pytest.mark.parametrize("failure", [MemoryError(), ValueError("A worker was lost.")])
def test_what_failed_of_no_collapse_is_tried_again(fitted, info, tmp_path, monkeypatch, failure):
    def fails(*_, **__):
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(series, "measure", fails)
        assert all("failed" in cell for cell in fit_grid(BASE, AXES, info, tmp_path)["cells"])
    first = fit_grid(BASE, AXES, info, tmp_path)["cells"]
    assert ["failed" in cell for cell in first] == [False] * 5 + [True]
    assert fit_grid(BASE, AXES, info, tmp_path)["cells"] == first
    assert len(fitted) == 6  # the collapse is kept


def test_rows_of_another_version_are_not_taken(fitted, info, tmp_path, monkeypatch):
    fit_grid(BASE, AXES, info, tmp_path)
    monkeypatch.setattr(series, "__version__", "0.0.1")
    fit_grid(BASE, AXES, info, tmp_path)
    assert len(fitted) == 12


def test_rows_of_other_images_are_not_taken(fitted, info, tmp_path):
    fit_grid(BASE, AXES, info, tmp_path)
    other = make_coloured_dataset(tmp_path / "coloured", seed=1)
    fit_grid(BASE, AXES, other, tmp_path)
    assert len(fitted) == 12


def test_a_row_holds_its_experiment(fitted, info, tmp_path):
    rows = series.fit_series({"plain": BASE}, info, tmp_path)
    assert Experiment.from_json(json.dumps(rows["plain"]["experiment"])) == BASE


def test_cells_of_other_labels_and_of_another_list_of_names_are_trained_anew(info, fitted, tmp_path):
    listed = tmp_path / "test.txt"
    base = BASE.override("data.protocol=standard", f"data.split={listed}")
    listed.write_text("class0/000\nclass1/012\n")
    fit_grid(base, AXES[:1], info, tmp_path / "grid")
    seen = [len(fitted)]
    for labelled in (partly_labelled(info, range(3)), partly_labelled(info, range(4)), info):
        fit_grid(base, AXES[:1], labelled, tmp_path / "grid")
        seen.append(len(fitted))
    listed.write_text("class0/001\nclass1/012\n")
    fit_grid(base, AXES[:1], info, tmp_path / "grid")
    assert [*seen, len(fitted)] == [2, 4, 6, 6, 8]


def test_cells_of_ordinary_data_are_found_by_the_keys_that_they_had(info, fitted, tmp_path):
    """Of data without labels that were given later, and without files that decide the split."""
    fit_grid(BASE, AXES[:1], info, tmp_path)
    keys = {
        hashlib.sha256(f"{__version__} {info.checksum} {experiment.to_json()}".encode()).hexdigest()[:16]
        for experiment in fitted
    }
    assert {path.stem for path in (tmp_path / "rows").iterdir()} == keys
