import json
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.models.global_batch import global_batch

ROOT = Path(__file__).resolve().parents[2]


class Replicas:
    """Replicas of `tf.distribute` as threads, each of which runs a function of its part."""

    def __init__(self, monkeypatch, count):
        self.barrier, self.values, self.own = threading.Barrier(count), [None] * count, threading.local()
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda: self.own.context)

    def run(self, function, parts):
        results = [None] * len(parts)

        def one(number):
            self.own.context = SimpleNamespace(
                num_replicas_in_sync=len(parts),
                replica_id_in_sync_group=number,
                all_gather=lambda value, axis: self.gather(number, value, axis),
            )
            results[number] = function(parts[number])

        threads = [threading.Thread(target=one, args=(number,)) for number in range(len(parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def gather(self, number, value, axis):
        self.values[number] = value
        self.barrier.wait(10)
        everyone = tf.concat(self.values, axis)
        self.barrier.wait(10)
        return everyone


@pytest.mark.parametrize("sizes", [(3, 3), (3, 2), (1, 0), (2, 4, 1)])
def test_gradients_of_all_replicas_add_up_to_that_of_the_whole_batch(monkeypatch, sizes):
    random = np.random.default_rng(0)
    outputs, kernel = random.normal(size=(sum(sizes), 4)), random.normal(size=(4, 4))
    labels = np.arange(sum(sizes))

    def gradient(part):
        values = tf.constant(outputs[part])
        with tf.GradientTape() as tape:
            tape.watch(values)
            everyone, targets = global_batch(values, {"label": tf.constant(labels[part])})
            loss = tf.reduce_sum(tf.sin(everyone @ kernel @ tf.transpose(everyone)))
        return tape.gradient(loss, values).numpy(), everyone.numpy(), targets["label"].numpy()

    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    found = Replicas(monkeypatch, len(sizes)).run(gradient, parts)
    # d/df of sum_ij sin(f_i K f_j').
    slopes = np.cos(outputs @ kernel @ outputs.T)
    expected = slopes @ outputs @ kernel.T + slopes.T @ outputs @ kernel
    np.testing.assert_allclose(np.concatenate([one[0] for one in found]), expected, atol=1e-9)
    for _, everyone, seen in found:
        np.testing.assert_array_equal(everyone, outputs)
        np.testing.assert_array_equal(seen, labels)


@pytest.mark.slow
def test_two_replicas_train_and_evaluate_as_one_does():
    command = [sys.executable, "-m", "tests.replicas_worker"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name in ("dhnn", "sidhcnn"):
        for one, two in zip(found[name]["1"], found[name]["2"], strict=True):
            assert two == pytest.approx(one, rel=1e-5)
    assert "None under a strategy of several replicas" in found["bank"]["2"]
