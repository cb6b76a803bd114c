"""Measure one experiment, from prepared data to scores, without a run's model and figures: a trial, a cell of a
table.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError
from keras_dhnn.evaluation.scores import check_scorable, score
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.training.train import PHASES, train

# What an experiment can fail of while others need not: no finite loss or one code for all, no memory, a setting that
# the network or the data do not allow.
FAILURES = (CollapseError, MemoryError, tf.errors.ResourceExhaustedError, ValueError)


def measure(
    experiment: Experiment,
    info: DatasetInfo,
    folder: Path,
    *,
    epochs: int | None = None,
    queries: bool = False,
    also: Callable[..., dict[str, Any]] | None = None,
    bar: Bar = no_bar,
) -> dict[str, Any]:
    """Train an experiment and score it, going on where an earlier call in the same folder was killed.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the prepared data set.
        folder: where the resumable state is kept.
        epochs: pause after so many epochs, see `train`; None trains to the end.
        queries: whether the queries search too, those whose labels are known. If not, they are not looked at.
        also: with `queries`, called with the hash outputs `{source: (n, l)}` and the `Evaluation`s; returns what else
            is to stand in the result.
        bar: context manager factory `bar(description, total, unit)`.

    Returns:
        Dictionary for JSON: `val_map`, the best validation mAP of the last phase (None if nothing is held out);
        `distinct_codes` at the last validation; `epochs` that were trained; `seconds`; with `queries`, `map` and the
        other `metrics` of `evaluate`.

    Raises:
        CollapseError, MemoryError, tf.errors.ResourceExhaustedError, ValueError: if the experiment fails.
    """
    started = time.monotonic()
    # The same experiment gives the same scores, and one that was killed and went on those of one that was not.
    tf.config.experimental.enable_op_determinism()
    # Each experiment is a network of its own, and so traced anew.
    tf.get_logger().setLevel("ERROR")
    tf.keras.backend.clear_session()
    gc.collect()
    split = draw_split(experiment.data, experiment.seed, info)
    if queries:
        check_scorable(split, info)
    trained = train(experiment, info, split, folder, epochs=epochs, outputs=queries, bar=bar)
    phases = [trained.history[name] for name in PHASES if name in trained.history]
    result = {
        "val_map": max(_values(phases[-1], "val_map"), default=None) if phases else None,
        "distinct_codes": int(_values(phases[-1], "distinct_codes")[-1]) if phases else None,
        "epochs": sum(len(phase["loss"]) for phase in phases),
    }
    if queries and trained.outputs is not None:
        _, evaluations, scores = score(trained.outputs, split, info, experiment.seed)
        result |= scores
        if also is not None:
            result |= also(trained.outputs, evaluations)
    return result | {"seconds": time.monotonic() - started}


def _values(phase, name):
    return [value for value in phase.get(name, []) if value is not None]


def reason(error: BaseException) -> str:
    """Return what an experiment failed of, in one line."""
    if isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError)):
        return f"Out of memory: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return " ".join(str(error).split())
