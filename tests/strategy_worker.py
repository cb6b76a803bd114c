"""Trains under a strategy, in a process of its own, and keeps the weights: what `test_distribution.py` starts.

python -m tests.strategy_worker DATA SETTINGS STRATEGY OUTPUT [REPLICAS [STATE [EPOCHS]]]
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.pipelines.splits import make_split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.training.distribution import is_chief, make_strategy
from keras_dhnn.training.train import train


def main(data, settings, strategy, output, replicas="1", state=None, epochs=None):
    if strategy == "mirrored":
        strategy = _mirrored(int(replicas))
    else:
        strategy = make_strategy(None if strategy == "none" else strategy)
    tf.config.experimental.enable_op_determinism()
    info, folder = DatasetInfo.load(Path(data)), Path(output)
    split = make_split(info.labels, protocol="grouped", seed=0, queries=0.25, validation=0.2)
    experiment, state = Experiment().override(*json.loads(settings)), Path(state or folder / "state")
    trained = train(experiment, info, split, state, strategy=strategy, epochs=None if epochs is None else int(epochs))
    np.savez(folder / "weights.npz", *trained.model.get_weights())
    result = {"chief": bool(is_chief(strategy)), "replicas": strategy.num_replicas_in_sync, "history": trained.history}
    (folder / "result.json").write_text(json.dumps(result))


def _mirrored(replicas):
    """One processor as several devices."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    return tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(replicas)])


if __name__ == "__main__":
    main(*sys.argv[1:])
