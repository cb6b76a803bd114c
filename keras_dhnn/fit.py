"""A run from prepared data to scores: train, save, evaluate, draw."""

import time

import numpy as np

from keras_dhnn.codes import pack
from keras_dhnn.evaluate import evaluate, untrained_map
from keras_dhnn.network import no_bar
from keras_dhnn.pipelines.splits import Split, make_split
from keras_dhnn.runs import write_json
from keras_dhnn.train import train

# DHNN section IV-B: 1,000 of the 8,400 turned images. MATH.md: 20 % of each class.
QUERIES = {"paper": 1000 / 8400, "grouped": 0.2}


def fit(run, info, bar=no_bar):
    """Trains the experiment of a run, or continues it, and writes all of its results.

    Args:
        run: the `Run`, created.
        info: `DatasetInfo` of the prepared data set.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.

    Returns:
        The metrics, as in the run's `metrics.json`.
    """
    started, experiment = time.monotonic(), run.experiment
    split = load_split(run, info)
    trained = train(experiment, info, split, run.checkpoints, tensorboard=run.tensorboard, bar=bar)
    trained_at = time.monotonic()
    labels = np.repeat(info.labels, experiment.data.turns)
    metrics, curve = evaluate(trained.outputs, labels, split, info, experiment.seed)
    metrics["map_untrained"] = untrained_map(trained.untrained, labels, split)
    write_json(run.history_path, trained.history)
    trained.model.save(run.model_path)
    metrics["seconds"] = {"training": trained_at - started, "total": time.monotonic() - started}
    write_json(run.metrics_path, metrics)
    run.save_codes(pack(trained.outputs), trained.outputs, np.arange(len(labels)), labels)
    return metrics


def load_split(run, info):
    """The split of a run, drawn and written down at the first call."""
    if not run.split_path.exists():
        experiment, data = run.experiment, run.experiment.data
        queries = QUERIES[data.protocol] if data.queries is None else data.queries
        split = make_split(
            info.labels,
            protocol=data.protocol,
            seed=experiment.seed,
            queries=queries if queries < 1 else int(queries),
            validation=data.validation,
            turns=data.turns,
        )
        split.save(run.split_path)
    return Split.load(run.split_path)
