"""`keras-dhnn audit` as a user meets it."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.config import Experiment
from keras_dhnn.runs import Run
from keras_dhnn.workflows.train_run import load_split
from tests.evaluation.leakage.pictures import SIDE, prepare_pictures, terrain


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    """10 pairs that share ground, a class each."""
    grounds = [terrain(seed, 150) for seed in range(10)]
    images = [ground[top : top + SIDE, :SIDE] for ground in grounds for top in (0, 30)]
    return prepare_pictures(tmp_path_factory.mktemp("data") / "crops", images, np.repeat(np.arange(10), 2) // 5)


def test_says_what_leaks_and_draws_it_beside_the_data(run, info):
    status, out, err = run("audit", info.directory, "--protocol", "paper", "--queries", "6", "--quiet")
    assert (status, err) == (0, "")
    assert "crops, real images: paper, seed 0, 6 queries, 14 searched" in out.replace("\n", " ")
    assert "69% of the ground shared: item00  item01" in out
    assert "20 images in 10 groups" in out
    assert Image.open(info.directory.parent / "crops-paper-leaks.png").width > 300


def test_json_is_all_of_stdout(run, info, tmp_path):
    how = ("--protocol", "grouped", "--queries", "0.3", "--seed", "3", "--out", tmp_path / "leaks.png", "--json")
    status, out, err = run("audit", info.directory, *how)
    result = json.loads(out)
    assert status == 0
    assert "Looking at the images" in err
    assert (result["protocol"], result["seed"], len(result["pairs"])) == ("grouped", 3, 10)
    assert result["affected"]["overlap"] == result["affected"]["any"] > 0


def test_groups_that_were_written_stop_the_leaks(run, info, tmp_path):
    how = ("--protocol", "grouped", "--queries", "0.3", "--out", tmp_path / "leaks.png", "--quiet")
    _, out, _ = run("audit", info.directory, *how, "--write-groups", tmp_path / "groups.npz")
    assert f"--set data.groups={tmp_path / 'groups.npz'}" in out.replace("\n", "")
    _, out, _ = run("audit", info.directory, *how, "--groups", tmp_path / "groups.npz", "--json")
    assert json.loads(out)["affected"]["any"] == 0


def test_split_of_a_run(run, info, tmp_path):
    experiment = Experiment().override("data.name=crops", "data.protocol=grouped", "data.queries=0.3", "seed=2")
    ours = Run.create(tmp_path / "run", experiment, info)
    split = load_split(ours, info)
    _, out, _ = run("audit", info.directory, "--run", ours.path, "--out", tmp_path / "leaks.png", "--quiet", "--json")
    result = json.loads(out)
    assert (result["seed"], result["queries"]) == (2, len(split.queries))
    images = split.queries // 4
    alone = ~np.isin(images ^ 1, images)
    assert result["affected"]["any"] == alone.sum()


def test_threshold_is_passed_on(run, info, tmp_path):
    how = ("--out", tmp_path / "leaks.png", "--quiet", "--json")
    _, out, _ = run("audit", info.directory, "--threshold", "250", *how)
    assert json.loads(out)["found"]["lookalike"]["pairs"] == 20 * 19 / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--run", "RUN", "--seed", "1"), "Leave out"),
        (("--run", "RUN"), "no run at"),
        (("--protocol", "random"), "paper, grouped or standard"),
        (("--protocol", "grouped", "--groups", "none.npz"), "--write-groups"),
    ],
)
def test_mistakes_exit_2_with_one_message(run, info, tmp_path, arguments, message):
    status, out, err = run("audit", info.directory, *arguments, "--quiet")
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_data_that_is_not_prepared(run, tmp_path):
    status, _, err = run("audit", tmp_path / "none")
    assert status == 2
    assert "keras-dhnn prepare none" in err
