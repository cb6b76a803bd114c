"""Take a run from prepared data to scores: train, save, evaluate, draw."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.evaluation.agreement import neighbour_agreement
from keras_dhnn.evaluation.float_features import cosine_map
from keras_dhnn.evaluation.scores import expected_map, score
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import write_json
from keras_dhnn.files.owner import owned
from keras_dhnn.models.weights_file import save_weights
from keras_dhnn.pipelines.sources import main_tasks
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.report.report import write_report
from keras_dhnn.runs import Run
from keras_dhnn.training.train import train


def train_run(
    run: Run, info: DatasetInfo, bar: Bar = no_bar, strategy: tf.distribute.Strategy | None = None
) -> dict[str, Any]:
    """Train the experiment of a run, or continue it, and write all of its results.

    Args:
        run: the `Run`, created.
        info: `DatasetInfo` of the prepared data set.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.
        strategy: see `train`; every other process of it calls `assist`.

    Returns:
        The metrics, as in the run's `metrics.json`.

    Raises:
        RunError: if another process is training the run.
    """
    with owned(run.path):
        return _train(run, info, bar, strategy)


def _train(run, info, bar, strategy):
    started, experiment = time.monotonic(), run.experiment
    split = load_split(run, info)
    trained = train(
        *(experiment, info, split, run.checkpoints),
        tensorboard=run.tensorboard,
        snapshots=run.snapshots if len(info.images) > 1 else None,
        bar=bar,
        strategy=strategy,
    )
    seconds = {"training": time.monotonic() - started}
    labels = split.items.spread(info.true_labels)
    # Codes, model and scores before all else: whatever figures, TensorBoard or printing do, they are there.
    write_json(run.history_path, trained.history)
    save_weights(trained.model, run.weights_path)
    run.save_outputs(trained.outputs, labels)
    scored, evaluations, scores = score(trained.outputs, split, info, experiment.seed)
    seconds["total"] = time.monotonic() - started
    metrics = {
        **scores,
        **_beside(trained, labels, scored, info),
        **_neighbours(trained, split, info),
        **_labels_used(trained.learned),
        "wrong_labels": float(np.mean((info.labels != info.true_labels)[info.known])) if info.known.any() else 0.0,
        "seconds": seconds,
    }
    write_json(run.metrics_path, metrics)
    run.seal()
    write_report(run, info, scored or split, trained.outputs, evaluations, scores)
    return metrics


def _beside(trained, labels, scored, info):
    """Return what retrieval by the untrained network and by float features scores, to compare with."""
    if scored is None:
        return {}
    return {
        "map_untrained": expected_map(trained.untrained, labels, scored, info),
        "map_float_features": None if info.label_sets else _float_features_map(trained, labels, scored),
    }


def _neighbours(trained, split, info):
    """Return how well codes find what the float features find; said where labels are missing."""
    if info.known.all() or set(trained.features) != set(trained.outputs):
        return {}
    ((source, outputs),) = trained.outputs.items()
    return {"neighbour_agreement": neighbour_agreement(outputs, trained.features[source], split)}


def _labels_used(learned):
    if learned is None:
        return {}
    return {"labels_used": {"given": learned.given, "inferred": learned.inferred, "mean_margin": learned.margin}}


def assist(experiment: Experiment, info: DatasetInfo, folder: Path, strategy: tf.distribute.Strategy) -> None:
    """Train along with the process that calls `train_run`, and write nothing.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the same data set.
        folder: the run's resumable state, if it is being resumed; else a folder with nothing in it.
        strategy: see `train`.
    """
    train(experiment, info, draw_split(experiment.data, experiment.seed, info), folder, strategy=strategy)


def _float_features_map(trained, labels, split):
    """Return what the frozen features retrieve without hashing, by cosine; None where there are none.

    Of two sources it is the mean of both directions, which only branches of one kind have: then features compare.
    """
    features, found = trained.features, []
    sources = tuple(trained.outputs)
    if set(features) != set(sources) or len({array.shape[1] for array in features.values()}) > 1:
        return None
    for searching, searched in main_tasks(sources):
        found.append(cosine_map(features[searching], labels, split.queries, split.database, features[searched]))
    return float(np.mean(found))


def load_split(run: Run, info: DatasetInfo) -> Split:
    """Return the split of a run, drawn and written down at the first call."""
    if not run.split_path.exists():
        draw_split(run.experiment.data, run.experiment.seed, info).save(run.split_path)
        run.seal()
    return Split.load(run.split_path)
