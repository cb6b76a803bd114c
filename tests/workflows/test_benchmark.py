"""A comparison of methods on tiny data: what is measured, kept, tuned, drawn and refused."""

import json
import os

import numpy as np
import pytest

from keras_dhnn.baselines import ITQ, SDH
from keras_dhnn.codes import pack
from keras_dhnn.errors import CollapseError, RunError, SettingError
from keras_dhnn.experiment.methods import ONE_SOURCE, TWO_SOURCES, deep_methods, rates
from keras_dhnn.experiment.published import published
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files.owner import owned
from keras_dhnn.metrics.ranking import mean_average_precision
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.tuning.measure import measure
from keras_dhnn.workflows import benchmark_cells
from keras_dhnn.workflows.benchmark import Plan, benchmark, cells_csv, tabulate, with_equal_budget
from keras_dhnn.workflows.benchmark_cells import drawn_settings, metered, methods_of, tuned_settings, usable_methods
from keras_dhnn.workflows.benchmark_features import load_features
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset, partly_labelled
from tests.tiny_training import TINY

HEAD = TINY.override("data.image_size=16", "data.protocol=grouped", "head.epochs=2", "head.learning_rate=0.01")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "twins")


def plan(*methods, **changes):
    return Plan(**{"experiment": HEAD, "methods": methods, "bits": (8, 16), "seeds": 2, "trials": 1} | changes)


def test_a_shallow_cell_is_the_estimator_on_the_split(info, tmp_path):
    table = benchmark(plan("itq", bits=(8,), seeds=1, features="backbone"), info, tmp_path)
    features, split = load_features("backbone", HEAD, info)["image"], draw_split(HEAD.data, 0, info)
    codes = pack(ITQ(8).fit(features[split.training]).transform(features))
    labels = np.repeat(info.labels, 4)
    sides = (labels[split.queries], labels[split.database])
    expected = mean_average_precision(codes[split.queries], codes[split.database], *sides).expected
    assert table["scores"]["map"]["itq"][8] == {"mean": pytest.approx(expected), "spread": None, "seeds": 1}


def test_what_has_no_label_neither_searches_nor_counts_nor_teaches(tmp_path, monkeypatch):
    info = partly_labelled(make_coloured_dataset(tmp_path / "coloured", count=120), range(0, 120, 3))
    taught = {}
    for kind in (SDH, ITQ):
        fit = kind.fit
        monkeypatch.setattr(
            kind, "fit", lambda self, x, y, fit=fit, kind=kind: taught.update({kind: y}) or fit(self, x, y)
        )
    how = {"bits": (8,), "seeds": 1, "features": "backbone"}
    table = benchmark(plan("itq", "sdh", "dhn", **how), info, tmp_path / "benchmark")
    assert table["failed"] == []
    features, split = load_features("backbone", HEAD, info)["image"], draw_split(HEAD.data, 0, info)
    labels, known = np.repeat(np.arange(120) // 40, 4), np.repeat(np.arange(120) % 3 > 0, 4)
    training = split.training[known[split.training]]
    assert len(taught[ITQ]) == len(split.training)
    np.testing.assert_array_equal(taught[SDH], labels[training])
    codes = pack(SDH(8).fit(features[training], labels[training]).transform(features))
    queries, database = (items[known[items]] for items in (split.queries, split.database))
    expected = mean_average_precision(codes[queries], codes[database], labels[queries], labels[database]).expected
    assert table["scores"]["map"]["sdh"][8]["mean"] == pytest.approx(expected)
    assert (table["queries"], table["database"]) == (len(queries), len(database))


def test_without_any_label_to_score_by_nothing_is_compared(tmp_path):
    info = partly_labelled(make_coloured_dataset(tmp_path / "coloured"), range(36))
    with pytest.raises(SettingError, match="No label of coloured is known to score by"):
        benchmark(plan("prh"), info, tmp_path / "benchmark")
    assert not (tmp_path / "benchmark").exists()


def test_cells_are_kept_and_more_are_added(info, tmp_path, monkeypatch):
    first = benchmark(plan("prh", "dhn", seeds=1), info, tmp_path)
    fitted = []
    monkeypatch.setattr(benchmark_cells, "measure", lambda e, *a, **k: fitted.append(e.seed) or measure(e, *a, **k))
    second = benchmark(plan("prh", "dhn"), info, tmp_path)
    assert fitted == [1, 1]
    for method, bits in (("prh", 8), ("dhn", 16)):
        assert second["scores"]["map"][method][bits]["seeds"] == 2
        assert second["scores"]["map"][method][bits]["spread"] is not None
        assert first["scores"]["map"][method][bits]["seeds"] == 1
    assert second["costs"]["dhn"]["seconds"] > 0
    assert json.loads((tmp_path / "table.json").read_text())["protocol"] == "grouped"
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + 8
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert figures == {"precision-recall-8.png", "precision-recall-16.png", "gallery.png"}


def test_cells_of_other_labels_are_measured_anew(info, tmp_path, monkeypatch):
    fitted, how = [], {"bits": (8,), "seeds": 1, "trials": 2}
    monkeypatch.setattr(benchmark_cells, "measure", lambda e, *a, **k: fitted.append(e) or measure(e, *a, **k))
    rows = []
    for seen in (
        info,
        info.with_labels(Labels.of_names(("even", "odd"), [[("even", "odd")[n % 2]] for n in range(36)])),
    ):
        for _ in range(2):
            table = benchmark(plan("prh", "dhn", **how), seen, tmp_path)
            rows.append((len(fitted), table["scores"]["map"]["prh"][8]["mean"]))
    assert [count for count, _ in rows] == [3, 3, 6, 6]
    assert rows[0] == rows[1] != rows[2]
    assert rows[2][1] != rows[0][1]


def test_two_sources_have_a_table_a_direction(dual, tmp_path):
    experiment = TINY.override("data.protocol=grouped", "head.epochs=2", "head.learning_rate=0.02")
    table = benchmark(
        plan("cca-itq", "scm", "dcmh", experiment=experiment, bits=(8,), seeds=1, features="gist"), dual, tmp_path
    )
    assert set(table["scores"]) == {"pan->mul", "mul->pan"}
    for scores in table["scores"].values():
        assert all(0 < scores[method][8]["mean"] <= 1 for method in ("cca-itq", "scm", "dcmh"))
    assert (tmp_path / "figures" / "gallery-pan-to-mul.png").exists()
    assert "loss.alpha" in table["settings"]["dcmh"]["settings"]


def test_a_method_that_collapses_is_a_row_and_the_others_go_on(info, tmp_path, monkeypatch):
    def collapse(*_, **__):
        raise CollapseError("The loss is nan.")

    monkeypatch.setattr(benchmark_cells, "measure", collapse)
    with pytest.raises(RunError, match="No cell .* first failed of: The loss is nan"):
        benchmark(plan("dhn", bits=(8,), seeds=1), info, tmp_path)
    table = benchmark(plan("dhn", "prh", bits=(8,), seeds=1), info, tmp_path)
    assert table["failed"] == [{"method": "dhn", "bits": 8, "seed": 0, "failed": "The loss is nan."}]
    assert table["scores"]["map"]["dhn"] == {}
    assert table["scores"]["map"]["prh"][8]["seeds"] == 1


def test_tuning_takes_the_best_trial_by_validation_and_never_looks_at_queries(info, tmp_path, monkeypatch):
    seen = []

    def measured(experiment, *_, queries=False, bar):
        seen.append((experiment.data.validation, queries))
        return {"val_map": 1 - abs(experiment.loss.eta - 0.1) / 10}

    monkeypatch.setattr(benchmark_cells, "measure", measured)
    settings, rows = tuned_settings("dhn", 8, HEAD, info, 5, tmp_path)
    assert seen == [(0.1, False)] * 5
    assert settings == dict(ONE_SOURCE["dhn"].settings)  # its eta is 0.1
    assert len({row["settings"]["loss.eta"] for row in rows}) == 5


def test_trials_are_as_many_and_within_their_ranges_for_every_method():
    for methods, base in ((ONE_SOURCE, HEAD), (TWO_SOURCES, HEAD)):
        for method in methods.values():
            trials = drawn_settings(method, base.settings, 6, seed=0)
            assert len(trials) == 6
            assert trials[0] == dict(method.settings)
            for settings in trials:
                base.replace(settings)  # every value is allowed
            for path, values in {**rates(base.settings), **method.tuned}.items():
                for settings in trials[1:]:
                    known = settings[path] in values if isinstance(values[0], str) else True
                    assert known or values[0] <= settings[path] <= values[1]


def test_means_and_spreads_are_numpys(info):
    rows = [
        {"method": "prh", "bits": 8, "seed": seed, "map": {"expected": value}, "queries": 5, "database": 9}
        | {"seconds": 2.0 * seed, "peak_mb": None, "distinct_codes": 3}
        for seed, value in enumerate([0.1, 0.4, 0.7])
    ]
    table = tabulate(plan("prh", bits=(8,), seeds=3), rows, info, {})
    assert table["scores"]["map"]["prh"] == {8: {"mean": pytest.approx(0.4), "spread": pytest.approx(0.3), "seeds": 3}}
    assert table["costs"]["prh"] == {"seconds": 2.0, "peak_mb": None}
    rows.append({"method": "prh", "bits": 8, "seed": 3, "failed": "=HYPERLINK(1)"})
    lines = cells_csv(rows).splitlines()
    assert (lines[1], lines[4]) == ("prh,8,0,,0.1,3,0.0,,", "prh,8,3,,,,,,'=HYPERLINK(1)")


def test_published_scores_stand_beside_real_images_by_the_same_protocol_only():
    assert published("ucmd", "paper", False)["map"]["dpsh"][64] == 0.8174
    assert published("ucmd", "grouped", False) == {}
    assert published("ucmd", "paper", True) == {}


def test_metered_tells_what_a_block_took():
    with metered() as spent:
        kept = np.ones(30_000_000)
        kept += 1
    assert spent["seconds"] > 0
    assert spent["peak_mb"] is None or 150 < spent["peak_mb"] < 400


def test_a_folder_has_one_process_at_a_time(info, tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark_cells, "measure", lambda *_, **__: pytest.fail("trained"))
    with owned(tmp_path), pytest.raises(RunError, match=f"is being written by process {os.getpid()}"):
        benchmark(plan("dhn", "prh", bits=(8,), seeds=1), info, tmp_path)
    assert not (tmp_path / "table.json").exists()


def test_all_methods_have_what_shallow_ones_have_unless_told():
    changed = HEAD.override("model.query_turns=4", "fine_tune.epochs=2")
    assert with_equal_budget(changed) == HEAD.override("model.query_turns=1")
    assert with_equal_budget(changed, {"fine_tune.epochs"}) == changed.override("model.query_turns=1")
    scratch = changed.override("head.epochs=0")  # there are no frozen features
    assert with_equal_budget(scratch) == scratch.override("model.query_turns=1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("spam",)}, "--methods.*prh, itq"),
        ({"methods": ("scm",)}, "--methods"),
        ({"bits": (12,)}, "multiple of 8"),
        ({"methods": ("prh", "prh")}, "--methods. Expected no value twice. Received: 'prh'"),
        ({"bits": (16, 32, 16)}, "--bits. Expected no value twice. Received: 16"),
        ({"trials": 0}, "--trials"),
        ({"features": "sift"}, "--features"),
    ],
)
def test_what_cannot_be_compared_is_refused_first(changes, message, info, tmp_path):
    with pytest.raises(SettingError, match=message):
        benchmark(plan(**{"methods": ("prh",)} | changes), info, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_methods_that_need_a_class_of_each_image_are_left_out_where_some_have_none(info, dual, tmp_path):
    assert usable_methods(info, HEAD) == list(methods_of(1))
    assert usable_methods(dual, HEAD) == list(methods_of(2))
    partly = partly_labelled(info, range(0, info.count, 3))
    by_pairs = ["prh", "itq", "ksh", "sdh", "cosdish", "dhn", "dsh", "dpsh", "dhnn-l1", "dhnn-l2"]
    assert usable_methods(partly, HEAD) == by_pairs
    assert usable_methods(partly_labelled(dual, range(0, dual.count, 3)), HEAD) == ["cca-itq", "scm"]
    with pytest.raises(SettingError, match="`loss.objective`. Expected likelihood or contrastive where labels are"):
        measure(HEAD.override("loss.objective=central"), partly, tmp_path / "refused")
    with pytest.raises(SettingError, match=f"--methods. Expected .* several: {', '.join(by_pairs)}. Received: 'csq'"):
        benchmark(plan("dhn", "csq"), partly, tmp_path)


def test_backbone_features_need_a_frozen_backbone(info):
    scratch = HEAD.override("head.epochs=0", "fine_tune.epochs=1")
    with pytest.raises(SettingError, match="--features backbone needs"):
        load_features("backbone", scratch, info)


def test_gist_is_kept_in_the_cache_that_is_wanted_within_its_limit(info, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_DHNN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / f".{info.directory.name}.activations"
    monkeypatch.setenv("KERAS_DHNN_CACHE_GIB", "0")
    expected = load_features("gist", HEAD, info)["image"]
    assert not folder.exists()
    monkeypatch.setenv("KERAS_DHNN_CACHE_GIB", "1")
    np.testing.assert_array_equal(load_features("gist", HEAD, info)["image"], expected)
    (kept,) = folder.iterdir()
    assert kept.name.startswith("gist-")
    np.save(kept, expected + 1)
    np.testing.assert_array_equal(load_features("gist", HEAD, info)["image"], expected + 1)


def test_gist_of_items_is_that_of_turned_images(info):
    gist = load_features("gist", HEAD, info)["image"].reshape(-1, 4, 4, 8, 4, 4)
    turned = np.rot90(np.roll(gist[:, 0], 4, axis=2), axes=(3, 4))
    np.testing.assert_allclose(gist[:, 1], turned, rtol=0.05, atol=0.02 * gist.mean())
    assert len(deep_methods(2)) == len(TWO_SOURCES)
