"""The command line as a user meets it: exit codes, what goes where, and what each message says to do."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from keras_dhnn import cli
from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.resolve import resolve_experiment
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.runtimes import RUNTIME, installed_runtimes
from tests.fakes import write_ucmd

SMALL = (
    *("--set", "model.backbone=tests.fakes:tiny_backbone", "--set", "data.image_size=32", "--set", "model.hidden=0"),
    *("--set", "data.queries=0.3", "--set", "data.validation=0.2", "--bits", "16", "--protocol", "grouped"),
    # Of a query in its four turns the code is another than of the image stored.
    *("--set", "model.query_turns=1"),
    *("--set", "head.epochs=3", "--set", "fine_tune.epochs=0", "--quiet"),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder with a small `ucmd`, and a finished run on it."""
    root = tmp_path_factory.mktemp("project")
    write_ucmd(root / "archive", per_class=8)
    runner = CliRunner()
    places = ("--data", str(root / "data"))
    runner.invoke(cli.app, ["prepare", "ucmd", "--source", str(root / "archive"), *places], catch_exceptions=False)
    runner.invoke(cli.app, ["fit", "ucmd", *SMALL, *places, "--runs", str(root / "runs")], catch_exceptions=False)
    return root


def test_help_is_fast_and_names_the_verbs():
    started = time.monotonic()
    out = subprocess.run(
        [sys.executable, "-m", "keras_dhnn", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert time.monotonic() - started < 5  # 1.5 s on a machine of one's own; tests share theirs
    assert all(verb in out for verb in ("prepare", "fit", "evaluate", "query", "fit ucmd --synthetic"))


def test_help_imports_no_tensorflow():
    code = "import sys, keras_dhnn.cli; sys.exit('tensorflow' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_prepare_then_again_is_a_no_op_that_says_so(run, tmp_path):
    write_ucmd(tmp_path / "archive")
    arguments = ("prepare", "ucmd", "--source", tmp_path / "archive", "--data", tmp_path / "data")
    status, out, err = run(*arguments)
    assert status == 0
    assert "9 images of 3 classes" in out
    assert "images a second" in out
    assert "9/9" in err
    status, out, _ = run(*arguments)
    assert (status, "nothing to do" in out) == (0, True)


def test_prepare_json(run, tmp_path):
    write_ucmd(tmp_path / "archive")
    _, out, _ = run(
        "prepare", "ucmd", "--source", tmp_path / "archive", "--data", tmp_path / "data", "--json", "--quiet"
    )
    assert {name: json.loads(out)[name] for name in ("images", "classes", "synthetic", "written")} == {
        "images": 9,
        "classes": 3,
        "synthetic": False,
        "written": True,
    }


def test_prepare_names_a_damaged_file_and_can_leave_it_out(run, tmp_path):
    write_ucmd(tmp_path / "archive", per_class=4)
    bad = tmp_path / "archive" / "UCMerced_LandUse" / "Images" / "beach" / "beach01.tif"
    bad.write_text("not an image")
    arguments = ("prepare", "ucmd", "--source", tmp_path / "archive", "--data", tmp_path / "data", "--quiet")
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert "beach01.tif" in err
    assert "--skip-damaged" in err
    assert not (tmp_path / "data" / "ucmd").exists()
    status, out, _ = run(*arguments, "--skip-damaged")
    assert status == 0
    assert "Left out: beach/beach01.tif" in out


@pytest.mark.parametrize("arguments", [(), ("--synthetic", "--download"), ("--source", "x", "--synthetic")])
def test_prepare_wants_one_source(run, arguments):
    status, _, err = run("prepare", "ucmd", *arguments)
    assert status == 2
    assert "--source PATH" in err


def test_prepare_rejects_unknown_names(run):
    status, _, err = run("prepare", "ucmdd", "--synthetic")
    assert status == 2
    assert "'ucmdd'" in err


def test_fit_leaves_a_whole_run(prepared):
    folder = prepared / "runs" / "ucmd-grouped-16"
    for name in ("experiment.json", "environment.json", "split.npz", "history.json", "weights.npz", "codes.npz"):
        assert (folder / name).is_file(), name
    for name in ("precision-recall", "gallery", "code-health"):
        assert Image.open(folder / "figures" / f"{name}.png").width > 200
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["map"].keys() == {"expected", "stable", "pessimistic", "optimistic"}
    assert metrics["map"]["pessimistic"] <= metrics["map"]["expected"] <= metrics["map"]["optimistic"]
    assert (metrics["protocol"], metrics["bits"], metrics["seed"]) == ("grouped", 16, 0)
    assert metrics["precision_at"].keys() == {"10", "50", "100"}
    assert metrics["seconds"]["total"] > 0
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["tensorflow"] == version("tensorflow")
    assert environment["checksum"] == metrics["checksum"]


FAULTS = """
import resource, sys
from keras_dhnn import cli

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def at(depth):
    if depth:
        return at(depth - 1)
    before = faults()
    for _ in map(lambda number: number, range(2000)):
        pass
    return faults() - before

def most(_):
    print(max(at(depth) for depth in range(400)))

most(()) if sys.argv[1] == "bare" else (setattr(cli, "app", most), cli._run(()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of a process")
def test_at_no_depth_calls_take_new_memory_each_time():
    bare, ours = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)
        for how in ("bare", "ours")
    )
    assert bare >= 2000  # Python itself, or there was nothing to mend
    assert ours < 100


def test_without_a_folder_for_temporary_files_it_says_what_to_set(monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/full", "/read-only"])
    monkeypatch.setattr(cli, "app", lambda arguments: tempfile.gettempdir())
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert capsys.readouterr().err == (
        "keras-dhnn: No usable temporary directory found in ['/full', '/read-only']. Free space in one of them, or set "
        "the environment variable TMPDIR to a folder that can be written.\n"
    )


OUTWARD = """
import sys
seen = sys.argv.pop(1)
outward = {"os.fork", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"}
sys.addaudithook(lambda event, arguments: event in outward and open(seen, "a").write(f"{event} {arguments}\\n"))
from keras_dhnn.cli import main
main()
"""


@pytest.mark.parametrize("runtime", installed_runtimes())
def test_a_fit_tells_nobody_and_leaves_nothing_in_the_home_folder(prepared, tmp_path, runtime):
    home, seen = tmp_path / "home", tmp_path / "seen"
    home.mkdir()
    places = ("--data", prepared / "data", "--runs", tmp_path / "runs", "--set", "head.epochs=1")
    subprocess.run(
        [sys.executable, "-c", OUTWARD, seen, "fit", "ucmd", *SMALL, *places],
        # As most users have it: libraries that report themselves hold back where CI is set.
        env={name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
        | {"HOME": str(home), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), RUNTIME: runtime},
        check=True,
    )
    assert (tmp_path / "runs" / "ucmd-grouped-16" / "metrics.json").is_file()
    assert not seen.exists(), seen.read_text()
    assert {place.name for place in home.iterdir()} <= {".keras"}  # Keras keeps its settings there


def test_tensorboard_holds_losses_apart_validation_and_pictures(prepared):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = prepared / "runs" / "ucmd-grouped-16" / "tensorboard"
    head, evaluation = (EventAccumulator(str(folder / name)).Reload() for name in ("head", "evaluation"))
    assert {"loss", "pairwise", "quantization", "val_map", "hash_outputs"} <= set(head.Tags()["tensors"])
    assert len(head.Tensors("loss")) == 3
    assert {"gallery", "precision-recall", "code-health"} <= set(evaluation.Tags()["tensors"])


def test_model_loads_in_a_fresh_process_and_gives_the_stored_codes(prepared):
    code = """
import sys, numpy as np
from pathlib import Path
from keras_dhnn.codes import pack
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.runtimes import RUNTIME, installed_runtimes
from keras_dhnn.training.loading import load_model
root = Path(sys.argv[1])
run = Run.open(root / "runs" / "ucmd-grouped-16")
stored = run.load_codes()
info = DatasetInfo.load(root / "data" / "ucmd")
model = load_model(run, info)
data = batches(info, stored["items"], batch_size=32, image_size=(32, 32))
outputs = np.concatenate([model(images)["image"].numpy() for images, _ in data])
assert np.abs(outputs - stored["outputs"]).max() < 1e-2
assert (pack(outputs) == stored["codes"]).mean() > 0.99
"""
    subprocess.run([sys.executable, "-c", code, prepared], check=True)


def test_evaluate_agrees_with_fit(prepared, run):
    folder = prepared / "runs" / "ucmd-grouped-16"
    before = json.loads((folder / "metrics.json").read_text())
    status, out, _ = run("evaluate", folder, "--data", prepared / "data", "--json")
    assert status == 0
    assert json.loads(out)["map"] == pytest.approx(before["map"])
    assert json.loads(out)["map_untrained"] == before["map_untrained"]


def test_evaluate_prints_the_protocol(prepared, run):
    _, out, _ = run("evaluate", prepared / "runs" / "ucmd-grouped-16", "--data", prepared / "data")
    assert "grouped, 24 queries, 72 in the database" in out
    assert "mean average precision" in out


def test_evaluate_prints_the_health_of_the_codes(prepared, run):
    folder = prepared / "runs" / "ucmd-grouped-16"
    _, out, _ = run("evaluate", folder, "--data", prepared / "data")
    health = json.loads((folder / "metrics.json").read_text())["code_health"]
    assert f"{health['code_entropy']:.2f} bits" in out
    assert f"{health['quantization_gap']:.3f} a bit" in out
    assert f"{health['distance_within']:.1f} within, {health['distance_between']:.1f} between classes" in out


def test_query_finds_an_image_of_the_database_itself(prepared, run):
    folder = prepared / "runs" / "ucmd-grouped-16"
    with np.load(folder / "split.npz") as split:
        index = int(split["database"][0]) // 4
    name = sorted((prepared / "archive").rglob("*.tif"))[index]
    status, out, _ = run("query", folder, name, "-k", "5", "--data", prepared / "data", "--json")
    result = json.loads(out)
    assert status == 0
    assert [found["rank"] for found in result["results"]] == [1, 2, 3, 4, 5]
    assert result["results"][0]["distance"] == 0
    assert Image.open(result["figure"]).width > 200


def test_query_finds_images_of_one_class_alone(prepared, run, tmp_path):
    Image.fromarray(np.full((50, 80, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    arguments = "query", prepared / "runs" / "ucmd-grouped-16", tmp_path / "grey.png", "--data", prepared / "data"
    found = json.loads(run(*arguments, "-k", 72, "--json")[1])["results"]
    names = sorted({one["class"] for one in found})
    assert len(names) == 3
    for name in names:
        status, out, _ = run(*arguments, "-k", 9, "--json", "--class", name)
        expected = [one["id"] for one in found if one["class"] == name][:9]
        assert (status, [one["id"] for one in json.loads(out)["results"]]) == (0, expected)
    status, _, err = run(*arguments, "--class", "moon")
    assert (status, "has no class 'moon'" in err, name in err) == (2, True, True)


def test_query_takes_png(prepared, run, tmp_path):
    Image.fromarray(np.full((50, 80, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    status, out, _ = run(
        "query", prepared / "runs" / "ucmd-grouped-16", tmp_path / "grey.png", "--data", prepared / "data"
    )
    assert status == 0
    assert out.splitlines()[0].split() == ["rank", "distance", "class", "image"]
    assert len(out.splitlines()) == 12


def test_query_names_what_is_no_image(prepared, run, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    status, _, err = run(
        "query", prepared / "runs" / "ucmd-grouped-16", tmp_path / "text.png", "--data", prepared / "data"
    )
    assert status == 2
    assert "text.png" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--bits", "12"), "multiple of 8"),
        (("--bits", "0"), "multiple of 8"),
        (("--set", "loss.etta=1"), "Did you mean loss.eta or"),
        (("--set", "loss.eta=much"), "Expected a number"),
        (("--protocol", "random"), "paper, grouped or standard"),
        (("--set", "model.backbone=ResNet5"), "ResNet50"),
        (("--set", "head.cut=stage9"), "stage1"),
        (("--set", "fine_tune.cut=stage9", "--set", "fine_tune.epochs=1"), "stage1"),
        (("--set", "head.cut=stage1", "--set", "model.band_statistics=true"), "Expected images or features"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_fit_mistakes_exit_2_with_one_message(prepared, run, tmp_path, arguments, message):
    places = ("--data", prepared / "data", "--runs", tmp_path / "runs")
    status, out, err = run("fit", "ucmd", *SMALL, *arguments, *places)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("protocol", ["paper", "grouped"])
@pytest.mark.parametrize("queries", [0.25, 48])
def test_queries_are_a_share_or_a_number(prepared, protocol, queries):
    info = DatasetInfo.load(prepared / "data" / "ucmd")
    chosen = resolve_experiment("ucmd", data=prepared / "data", protocol=protocol, queries=queries)
    split = draw_split(chosen.data, 0, info)
    # 3 classes of 8 images in 4 turns: a quarter, and the half that 48 items are, is a whole number of images in each.
    assert len(split.queries) == (queries if queries >= 1 else queries * 4 * info.count)


@pytest.mark.parametrize("verb", ["tune", "grid"])
def test_jobs_pass_queries_on(run, monkeypatch, verb):
    def refuse(*arguments, queries, **others):
        raise SettingError(f"queries={queries}")

    monkeypatch.setattr(f"keras_dhnn.workflows.{verb}.resolve_experiment", refuse)
    assert "queries=0.25" in run(verb, "ucmd", "--queries", "0.25")[2]


@pytest.mark.parametrize(("protocol", "queries"), [("paper", "0"), ("grouped", "0"), ("grouped", "100000")])
def test_queries_out_of_bounds(prepared, run, tmp_path, protocol, queries):
    how = ("--protocol", protocol, "--queries", queries, "--set", "model.backbone=tests.fakes:tiny_backbone")
    status, out, err = run("fit", "ucmd", *how, "--data", prepared / "data", "--runs", tmp_path / "runs")
    assert (status, out) == (2, "")
    assert "queries" in err
    assert "above 0" in err
    assert str(float(queries)) in err or f"queries={queries}" in err
    assert not (tmp_path / "runs").exists()


def test_another_backbone_gets_phases_that_fit_it(prepared, run, tmp_path):
    places = ("--data", prepared / "data", "--runs", tmp_path / "runs")
    small = ("--set", "data.image_size=32", "--set", "fine_tune.epochs=1", "--protocol", "grouped")
    status, _, err = run("fit", "ucmd", "--backbone", "tests.fakes:tiny_backbone", *small, *places)
    assert status == 0
    assert "from random weights" in err
    experiment = json.loads((tmp_path / "runs" / "ucmd-grouped-64" / "experiment.json").read_text())
    assert (experiment["head"]["epochs"], experiment["fine_tune"]["cut"]) == (0, "images")


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_silences_what_was_decided_too(prepared, run, tmp_path, monkeypatch, quiet):
    monkeypatch.setattr("keras_dhnn.workflows.fit.train_run", lambda *_: None)
    monkeypatch.setattr("keras_dhnn.cli.tables.print_scores", lambda *_, **__: None)
    monkeypatch.setattr(Run, "metrics", {})
    how = ("--backbone", "tests.fakes:tiny_backbone", "--data", prepared / "data", "--runs", tmp_path / "runs")
    status, out, err = run("fit", "ucmd", *how, *(["--quiet"] if quiet else []))
    assert (status, out) == (0, "")
    assert (err == "") == quiet
    assert ("from random weights" in err and "in the database." in err) == (not quiet)


def test_fit_without_data_says_what_to_do(run, tmp_path):
    status, _, err = run("fit", "ucmd", "--data", tmp_path)
    assert status == 2
    assert "keras-dhnn prepare ucmd --source PATH" in err
    assert "keras-dhnn fit ucmd --synthetic" in err


def test_fit_into_a_folder_that_cannot_be_written(prepared, run, tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    status, _, err = run("fit", "ucmd", *SMALL, "--data", prepared / "data", "--runs", tmp_path / "runs")
    assert status == 2
    assert "--runs" in err


def test_fit_does_not_overwrite_a_run(prepared, run):
    places = ("--data", prepared / "data", "--runs", prepared / "runs")
    status, _, err = run("fit", "ucmd", *SMALL, *places, "--name", "ucmd-grouped-16")
    assert status == 2
    assert "--name" in err


def test_resume_of_a_finished_run_is_a_no_op(prepared, run):
    status, out, err = run("fit", "--resume", prepared / "runs" / "ucmd-grouped-16", "--data", prepared / "data")
    assert (status, "nothing to train" in err, "mean average precision" in out) == (0, True, True)


def test_unfinished_run_is_not_evaluated(prepared, run, tmp_path):
    (tmp_path / "experiment.json").write_text((prepared / "runs" / "ucmd-grouped-16" / "experiment.json").read_text())
    status, _, err = run("evaluate", tmp_path)
    assert status == 2
    assert "fit --resume" in err


def test_run_of_other_images_is_refused(prepared, run, tmp_path):
    write_ucmd(tmp_path / "other", per_class=8, seed=1)
    run("prepare", "ucmd", "--source", tmp_path / "other", "--data", tmp_path / "data")
    status, _, err = run("evaluate", prepared / "runs" / "ucmd-grouped-16", "--data", tmp_path / "data")
    assert status == 2
    assert "checksum" in err


@pytest.mark.slow
def test_fit_killed_without_warning_and_resumed_ends_as_if_it_had_not_been(prepared, run, tmp_path):
    how = (*SMALL, "--set", "fine_tune.epochs=40", "--set", "fine_tune.cut=stage1", "--data", prepared / "data")
    for name in ("killed", "whole"):
        process = start([sys.executable, "-m", "keras_dhnn", "fit", "ucmd", *how, "--runs", tmp_path, "--name", name])
        if name == "killed":
            await_file(tmp_path / name / "tensorboard" / "fine_tune")
            process.kill()
        process.communicate(timeout=200)
    assert not (tmp_path / "killed" / "weights.npz").exists()
    assert run("fit", "--resume", tmp_path / "killed", "--data", prepared / "data", "--quiet")[0] == 0
    with np.load(tmp_path / "killed" / "codes.npz") as killed, np.load(tmp_path / "whole" / "codes.npz") as whole:
        np.testing.assert_array_equal(killed["outputs"], whole["outputs"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.backbone=resnet_x", "resnet_x"),
        ("head.epochs=0", "head.epochs and fine_tune.epochs are both 0"),
        ("head.cut=stage99", "stage99"),
    ],
)
def test_a_setting_that_cannot_be_trained_leaves_no_run(setting, message, prepared, run, tmp_path):
    runs = tmp_path / "runs"
    status, _, err = run("fit", "ucmd", *SMALL, "--set", setting, "--data", prepared / "data", "--runs", runs)
    assert status == 2
    assert message in err
    assert list(runs.iterdir()) == []


def test_interrupted_fit_says_how_to_resume(prepared, run, tmp_path):
    places = ("--data", prepared / "data", "--runs", tmp_path / "runs")
    command = [
        sys.executable,
        "-m",
        "keras_dhnn",
        "fit",
        "ucmd",
        *SMALL,
        "--set",
        "head.epochs=100000",
        *map(str, places),
    ]
    process = start(command)
    await_file(tmp_path / "runs" / "ucmd-grouped-16" / "tensorboard" / "head")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"keras-dhnn fit --resume {tmp_path / 'runs' / 'ucmd-grouped-16'}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [(signal.SIGINT, 130, "Interrupted. The same"), (signal.SIGTERM, 143, "Terminated. The same")],
)
def test_interrupted_prepare_leaves_nothing_that_looks_finished(tmp_path, number, status, said):
    command = [sys.executable, "-m", "keras_dhnn", "prepare", "ucmd", "--synthetic", "--per-class", "50"]
    process = start([*command, "--data", tmp_path / "data"])
    await_file(tmp_path / "data")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in err
    assert f"{said} command starts again" in err
    assert not (tmp_path / "data" / "ucmd-synthetic").exists()


def test_a_verb_that_says_nothing_of_its_end_has_the_status_of_sigterm_too(run, monkeypatch, tmp_path):
    def told(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("keras_dhnn.workflows.prepare.verify", told)
    status, out, err = run("prepare", "ucmd", "--verify", "--data", tmp_path)
    assert (status, out, err) == (143, "", "")


def start(command):
    """A process that takes SIGINT and SIGTERM, even if whoever started the tests ignores them."""

    def take():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=take)


def await_file(path, seconds=120):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.1)


def test_group_pattern_keeps_names_together_and_says_what_it_found(run, tmp_path):
    source = tmp_path / "images"
    for number in range(48):
        folder = source / f"class {number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        scene, tile = divmod(number // 2, 3)
        Image.new("RGB", (40, 40), (number, 99, 120 * (number % 2))).save(folder / f"scene{scene}_{tile}.png")
    places = ("--data", tmp_path / "data")
    assert run("prepare", "scenes", "--layout", "folder", "--source", source, *places)[0] == 0
    how = ("--runs", tmp_path / "runs", *(value for value in SMALL if value != "--quiet"), "--name", "one")
    status, out, err = run("fit", "scenes", *places, *how, "--group-pattern", "tile[0-9]+")
    assert (status, out) == (2, "")
    assert "does not match the pattern 'tile[0-9]+'" in err
    assert not (tmp_path / "runs").exists()
    status, _, err = run("fit", "scenes", *places, *how, "--group-pattern", "scene[0-9]+")
    assert status == 0
    assert "48 images in 16 groups" in err
    with np.load(tmp_path / "runs" / "one" / "split.npz") as split:
        queries, sides = split["queries"], {}
    with np.load(tmp_path / "data" / "scenes" / "items.npz") as items:
        for number, name in enumerate(items["ids"]):
            sides.setdefault(str(name).rsplit("_", 1)[0], set()).add(number in queries)
    assert len(sides) == 16
    assert all(len(side) == 1 for side in sides.values())


def test_version_is_said(run):
    from keras_dhnn import __version__

    assert run("--version") == (0, f"keras-dhnn {__version__}\n", "")


def test_a_home_is_found_behind_an_equals_sign_and_nowhere_else(monkeypatch):
    from keras_dhnn.cli import _from_home

    monkeypatch.setenv("HOME", "/home/x")
    given = [
        "--data=~/d",
        "~/a b",
        "pan=~/p",
        "data.groups=~",
        "~y",
        "a~/b",
        "--class=~z",
        "scene[0-9]~/",
        "a=b=~/c",
        "",
    ]
    expected = ["--data=/home/x/d", "/home/x/a b", "pan=/home/x/p", "data.groups=/home/x", *given[4:]]
    assert [_from_home(argument) for argument in given] == expected


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["fit", "x", "--runs", ""], "--runs is"),
        (["fit", "x", "--runs="], "--runs is"),
        (["encode", "--archive", "", "x"], "--archive is"),
        (["cache", "info", "--data", ""], "--data is"),
        (["query", "", "x.png"], "An argument is"),
        (["verify", ""], "An argument is"),
    ],
)
def test_an_empty_argument_is_not_the_working_folder(run, tmp_path, monkeypatch, arguments, what):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"keras-dhnn: {what} empty. Expected a value")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("verb", "named"),
    [
        (("fit",), "[NAME]"),
        (("query",), "[RUN] [IMAGE]..."),
        (("ablate",), "NAME} [BITS]..."),
        (("index", "add"), "EXPORT} [IMAGE]..."),
        (("cache", "info"), "[NAME]..."),
    ],
)
def test_help_names_what_is_given_and_no_internals(run, verb, named):
    status, out, _ = run(*verb, "--help")
    assert status == 0
    assert out.splitlines()[0].endswith(named)
    assert "list[" not in out
