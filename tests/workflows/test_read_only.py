"""Runs and data sets of somebody else: what may only be read is read, and answers are printed all the same."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from keras_dhnn.files import write_json
from tests.fakes import make_coloured_dataset
from tests.saved_models.serving.tiny_run import BACKBONE, write_run

# All in one process, since TensorFlow takes seconds to be there. `touch` is the proof that the place is closed.
SCRIPT = """
import json, os, sys
from keras_dhnn import cli

try:
    open("run/touched", "x", encoding="utf-8").close()
except PermissionError:
    print(json.dumps("closed"))
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["keras-dhnn", "--trust-code", *arguments]
    print(json.dumps(arguments[0]), file=sys.stderr)
    try:
        cli.main()
    except SystemExit as stop:
        if stop.code:
            print(json.dumps({"status": stop.code}))
"""


@pytest.fixture
def place(tmp_path):
    """A folder that nobody may write, with a data set, a run and an image; runs and caches go elsewhere."""
    place = tmp_path / "place"
    run = write_run(place / "run", make_coloured_dataset(place / "made", count=24))
    write_json(run.history_path, {})
    run.seal()
    Image.new("RGB", (20, 30), "green").save(place / "query.png")
    for path in (place, *place.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    yield place
    for path in (place, *place.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)


def without_rights():
    """The words before a command by which the superuser runs it with rights to no file but by its mode."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("the superuser may write everywhere, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.mark.slow
def test_verbs_on_what_may_only_be_read(place, tmp_path):
    elsewhere = str(tmp_path / "runs")
    fit = ["fit", "made", "--data", ".", "--runs", elsewhere, "--quiet", "--json", "--set", BACKBONE]
    fit += ["--set", "model.hidden=0", "--set", "data.image_size=0", "--set", "head.epochs=1", "--bits", "16"]
    verbs = [
        ["query", "run", "query.png", "--data", ".", "-k", "2", "--json"],
        ["evaluate", "run", "--data", ".", "--json"],
        ["export", "run", "--data", "."],
        ["export", "run", "--data", ".", "--out", str(tmp_path / "exported"), "--no-warmup", "--json"],
        fit,
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)}
    for name in ("KERAS_DHNN_CACHE", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    command = [*without_rights(), sys.executable, "-c", SCRIPT, json.dumps(verbs)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    closed, found, scores, refused, exported, fitted = map(json.loads, done.stdout.splitlines())
    assert closed == "closed"
    assert len(found["results"]) == 2
    assert found["figure"] is None
    assert 0 < scores["map"]["expected"] <= 1
    assert refused == {"status": 2}
    assert "run/export/made cannot be written: Permission denied. Give another folder" in done.stderr
    assert exported["path"] == str(tmp_path / "exported" / "made" / "1")
    assert 0 < fitted["map"]["expected"] <= 1
    of_evaluate = done.stderr.split('"evaluate"\n')[1].split('"export"\n')[0].splitlines()
    assert of_evaluate == ["run cannot be written: figures and TensorBoard's page are left as they are."]
    assert (tmp_path / ".cache" / "keras-dhnn" / ".made.activations").is_dir()
