"""Data-parallel training against one process with the same global batch: in processes of their own, on loopback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.pipelines.batches import item_batches
from keras_dhnn.training.distribution import distribute, is_chief, make_strategy
from tests.fakes import make_coloured_dataset

ROOT = Path(__file__).resolve().parents[2]
# Weight decay, since every replica has all of it; both ends of the pairs, since a replica has only its own.
SETTINGS = (
    *("data.image_size=16", "data.validation=0.2", "model.backbone=tests.fakes:tiny_backbone", "model.bits=16"),
    *("model.hidden=8", "model.weight_decay=0.05", "training.batch_size=24", "training.optimizer=sgd"),
    *("head.epochs=0", "fine_tune.epochs=3", "fine_tune.learning_rate=0.05", "fine_tune.backbone_learning_rate=0.05"),
    *("fine_tune.cut=images", "augmentation.flips=true"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data") / "coloured"
    make_coloured_dataset(directory)
    return directory


def start(module, *arguments, tf_config=None):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if tf_config:
        environment["TF_CONFIG"] = json.dumps(tf_config)
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True)


def finish(*processes):
    results = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=300)
            results.append((process.returncode, out, err))
    finally:
        for process in processes:
            process.kill()
    return results


def two_on_loopback():
    """TF_CONFIG of two workers, on ports that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]
    return [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in (0, 1)]


def train(data, folder, strategy, settings=SETTINGS, replicas=1, state=None, epochs=None, tf_config=None):
    folder.mkdir()
    arguments = [data, json.dumps(settings), strategy, folder, replicas]
    arguments += [] if state is None else [state]
    arguments += [] if epochs is None else [epochs]
    return start("tests.strategy_worker", *arguments, tf_config=tf_config)


def trained(folder):
    with np.load(folder / "weights.npz") as file:
        return [file[name] for name in file.files], json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "one"
    assert finish(train(data, folder, "none"))[0][0] == 0
    return trained(folder)


def assert_same(weights, others, tolerance):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_two_workers_end_with_equal_weights_those_of_one_process(data, alone, tmp_path):
    folders = [tmp_path / "chief", tmp_path / "other"]
    configs = two_on_loopback()
    processes = [train(data, f, "multi_worker", tf_config=c) for f, c in zip(folders, configs, strict=True)]
    for status, _, err in finish(*processes):
        assert status == 0, err
    (weights, result), (others, theirs) = map(trained, folders)
    assert (result["chief"], theirs["chief"]) == (True, False)
    assert result["replicas"] == theirs["replicas"] == 2
    assert (folders[0] / "state").exists()
    assert not (folders[1] / "state").exists()
    assert_same(weights, others, 0)
    assert_same(weights, alone[0], 1e-4)
    for name, values in alone[1]["history"]["fine_tune"].items():
        np.testing.assert_allclose(result["history"]["fine_tune"][name], values, rtol=2e-3, err_msg=name)


@pytest.mark.slow
def test_two_workers_resume_from_the_state_of_the_chief(data, alone, tmp_path):
    state = tmp_path / "state"

    def together(name, epochs):
        folders = [tmp_path / f"{name}{index}" for index in range(2)]
        processes = [
            train(data, folder, "multi_worker", state=state, epochs=epochs, tf_config=config)
            for folder, config in zip(folders, two_on_loopback(), strict=True)
        ]
        for status, _, err in finish(*processes):
            assert status == 0, err
        return map(trained, folders)

    together("paused", 2)
    written = next(state.glob("*/state.json"))
    content = json.loads(written.read_text())
    assert content["epoch"] == 1
    # What only a state that was read can bring back.
    content["history"]["loss"][0] = 123.0
    written.write_text(json.dumps(content))
    (weights, result), (others, _) = together("resumed", 3)
    losses = result["history"]["fine_tune"]["loss"]
    assert losses[0] == 123
    np.testing.assert_allclose(losses[1:], alone[1]["history"]["fine_tune"]["loss"][1:], rtol=2e-3)
    assert_same(weights, others, 0)
    assert_same(weights, alone[0], 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("other", [(), ("loss.pairs=memory",), ("head.epochs=3", "fine_tune.epochs=0")])
def test_two_devices_end_with_the_weights_of_one(data, alone, tmp_path, other):
    settings = (*SETTINGS, *other)
    processes = [train(data, tmp_path / "two", "mirrored", settings, replicas=2)]
    if other:
        processes.append(train(data, tmp_path / "one", "none", settings))
    for status, _, err in finish(*processes):
        assert status == 0, err
    one = trained(tmp_path / "one") if other else alone
    two = trained(tmp_path / "two")
    assert two[1]["replicas"] == 2
    assert_same(two[0], one[0], 1e-4)


@pytest.mark.slow
def test_only_the_chief_writes_the_run_and_prints(data, tmp_path):
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    changes += ["--set", "data.queries=0.25", "--protocol", "grouped", "--quiet", "--json"]
    arguments = ["fit", data.name, *changes, "--data", data.parent, "--strategy", "multi_worker"]
    processes = [
        start("keras_dhnn", *arguments, "--runs", tmp_path / f"runs{c['task']['index']}", tf_config=c)
        for c in two_on_loopback()
    ]
    (status, out, err), (other_status, other_out, other_err) = finish(*processes)
    assert (status, other_status) == (0, 0), err + other_err
    assert json.loads(out)["bits"] == 16
    assert other_out == ""
    assert next((tmp_path / "runs0").glob("*/weights.npz")).is_file()
    assert not (tmp_path / "runs1").exists()


def test_parts_of_a_batch_are_the_batch():
    """Two processes of two replicas each: their parts, put together, are what one process sees."""
    how = {"batch_size": 8, "seed": 3, "epochs": range(2), "drop_remainder": True}
    whole = [items.numpy() for _, items in item_batches(np.arange(20), **how)]
    parts = [
        [items.numpy() for _, items in item_batches(np.arange(20), replicas=(own, 4), **how)]
        for own in (range(2), range(2, 4))
    ]
    assert {len(part) for process in parts for part in process} == {2}
    for step, batch in enumerate(whole):
        seen = [parts[process][2 * step + replica] for process in range(2) for replica in range(2)]
        np.testing.assert_array_equal(np.concatenate(seen), batch)


@pytest.mark.parametrize("change", [{"batch_size": 9}, {"drop_remainder": False}])
def test_batches_that_cannot_be_parted_are_refused(change):
    how = {"batch_size": 8, "drop_remainder": True} | change
    with pytest.raises(ValueError, match="full batches of a multiple of the number of replicas, 2"):
        item_batches(np.arange(20), replicas=(range(1), 2), **how)


def test_without_a_strategy_there_is_one_device_that_writes():
    strategy = make_strategy(None)
    assert is_chief(strategy)
    assert distribute(strategy, lambda items, **how: (items, how), [1], batch_size=2, seed=0) == (
        [1],
        {"batch_size": 2, "seed": 0},
    )


def test_mirrored_uses_what_devices_there_are():
    strategy = make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == max(1, len(tf.config.list_logical_devices("GPU")))
    assert is_chief(strategy)


def test_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="mirrored or multi_worker. Received: 'tpu'"):
        make_strategy("tpu")


@pytest.mark.parametrize(
    "config", [None, "", "{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}']
)
def test_without_a_cluster_the_message_shows_one(monkeypatch, config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"needs the environment variable TF_CONFIG in every process.*such as"):
        make_strategy("multi_worker")
