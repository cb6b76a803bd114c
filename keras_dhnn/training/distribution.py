"""Train data-parallel over devices or processes, by `tf.distribute`."""

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError, invalid

STRATEGIES = ("mirrored", "multi_worker")
_EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'


def make_strategy(name: str | None) -> tf.distribute.Strategy:
    """Return the strategy of a name; of "multi_worker", before TensorFlow has done anything else in this process.

    Args:
        name: "mirrored" (all GPUs of this machine), "multi_worker" (the processes that the environment variable
            `TF_CONFIG` lists, each of which runs the same command with another index), or None: one device.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        SettingError: for another name, or without a `TF_CONFIG`.
    """
    if name is None:
        return tf.distribute.get_strategy()
    if name not in STRATEGIES:
        raise SettingError(invalid("--strategy", f"{' or '.join(STRATEGIES)}", name))
    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    _check_tf_config()
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Return whether this process is the one that writes; the first worker is, and whoever trains alone."""
    resolver = strategy.cluster_resolver
    return not resolver or not resolver.task_type or (resolver.task_type, resolver.task_id) in (("chief", 0), _first())


def distribute(
    strategy: tf.distribute.Strategy,
    make_batches: Callable[..., tf.data.Dataset],
    items: np.ndarray,
    *,
    batch_size: int,
    **how: Any,
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Return batches for `fit` under a strategy: every replica gets its part of each global batch.

    Args:
        strategy: `tf.distribute.Strategy`.
        make_batches: as `Network.above` gives it.
        items: `(k,)` item numbers.
        batch_size: items of a global batch, a multiple of the number of replicas.
        **how: further arguments of `make_batches`.

    Returns:
        A dataset, distributed if there is more than one replica.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return make_batches(items, batch_size=batch_size, **how)

    def own(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * count
        return make_batches(items, batch_size=batch_size, replicas=(range(first, first + count), replicas), **how)

    return strategy.distribute_datasets_from_function(own)


def _first():
    """Return the worker that is chief where the cluster names none."""
    cluster = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {})
    return None if "chief" in cluster else ("worker", 0)


def _check_tf_config():
    text = os.environ.get("TF_CONFIG")
    try:
        config = json.loads(text or "")
        task = config["task"]
        config["cluster"][task["type"]][task["index"]]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise SettingError(
            "--strategy multi_worker needs the environment variable TF_CONFIG in every process, with the addresses of "
            f"all and the index of this one, such as TF_CONFIG='{_EXAMPLE}'. Received: {text!r}"
        ) from error
