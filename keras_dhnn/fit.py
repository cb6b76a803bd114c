"""A run from prepared data to scores: train, save, evaluate, draw."""

import time

import numpy as np

from keras_dhnn.evaluate import evaluate_all, expected_map
from keras_dhnn.feature_baseline import cosine_map
from keras_dhnn.leakage.groups import load_groups, merge_groups
from keras_dhnn.network import no_bar
from keras_dhnn.pipelines.name_groups import groups_by_name
from keras_dhnn.pipelines.splits import Split, make_split
from keras_dhnn.report import write_report
from keras_dhnn.runs import write_json
from keras_dhnn.sources import main_tasks, sources_of
from keras_dhnn.train import train

# DHNN section IV-B: 1,000 of the 8,400 turned images. Ours: 20 % of each class.
QUERIES = {"paper": 1000 / 8400, "grouped": 0.2}


def fit(run, info, bar=no_bar, strategy=None):
    """Trains the experiment of a run, or continues it, and writes all of its results.

    Args:
        run: the `Run`, created.
        info: `DatasetInfo` of the prepared data set.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.
        strategy: see `train`; every other process of it calls `assist`.

    Returns:
        The metrics, as in the run's `metrics.json`.
    """
    started, experiment = time.monotonic(), run.experiment
    split = load_split(run, info)
    snapshots = run.snapshots if len(info.images) > 1 else None
    trained = train(
        *(experiment, info, split, run.checkpoints),
        tensorboard=run.tensorboard,
        snapshots=snapshots,
        bar=bar,
        strategy=strategy,
    )
    seconds = {"training": time.monotonic() - started}
    labels = np.repeat(info.true_labels, experiment.data.turns)
    write_json(run.history_path, trained.history)
    trained.model.save(run.model_path)
    evaluations, scores = evaluate_all(trained.outputs, labels, split, info, experiment.seed)
    write_report(run, info, split, trained.outputs, evaluations, scores)
    seconds["total"] = time.monotonic() - started
    metrics = {
        **scores,
        "map_untrained": expected_map(trained.untrained, labels, split),
        "map_float_features": _float_features_map(trained, labels, split),
        "wrong_labels": float(np.mean(info.labels != info.true_labels)),
        "seconds": seconds,
    }
    write_json(run.metrics_path, metrics)
    run.save_outputs(trained.outputs, labels)
    return metrics


def assist(experiment, info, folder, strategy):
    """Trains along with the process that calls `fit`, and writes nothing.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the same data set.
        folder: the run's resumable state, if it is being resumed; else a folder with nothing in it.
        strategy: see `train`.
    """
    train(experiment, info, draw_split(experiment.data, experiment.seed, info), folder, strategy=strategy)


def _float_features_map(trained, labels, split):
    """What the frozen features retrieve without hashing, by cosine; None where there are none.

    Of two sources it is the mean of both directions, which only branches of one kind have: then features compare.
    """
    features, found = trained.features, []
    sources = tuple(trained.outputs)
    if set(features) != set(sources) or len({array.shape[1] for array in features.values()}) > 1:
        return None
    for searching, searched in main_tasks(sources):
        # The queries of one source and the database of the other, in one array.
        queries, database = features[searching][split.queries], features[searched][split.database]
        places = np.split(np.arange(len(queries) + len(database)), [len(queries)])
        of_both = labels[np.concatenate([split.queries, split.database])]
        found.append(cosine_map(np.concatenate([queries, database]), of_both, *places))
    return float(np.mean(found))


def evaluate_run(run, info, *, tsne=False):
    """Scores a finished run from its codes, and draws its figures anew.

    Args:
        run: the `Run`.
        info: `DatasetInfo` of its data set.
        tsne: whether to draw the codes in the plane too.

    Returns:
        The metrics; what only training knows is taken over from the run's `metrics.json`, which is replaced.
    """
    split = Split.load(run.split_path)
    outputs, labels = run.load_outputs(sources_of(info))
    evaluations, scores = evaluate_all(outputs, labels, split, info, run.experiment.seed)
    write_report(run, info, split, outputs, evaluations, scores, tsne=tsne)
    metrics = {**run.metrics, **scores}
    write_json(run.metrics_path, metrics)
    return metrics


def load_split(run, info):
    """The split of a run, drawn and written down at the first call."""
    if not run.split_path.exists():
        draw_split(run.experiment.data, run.experiment.seed, info).save(run.split_path)
    return Split.load(run.split_path)


def draw_split(data, seed, info):
    """The split that settings ask for.

    Args:
        data: the `Data` settings.
        seed: the experiment's seed.
        info: `DatasetInfo` of the prepared data set.

    Returns:
        `Split`.

    Raises:
        ValueError: if a setting is out of bounds.
        DataError: if `data.groups` is no file of groups, or of other images; or if names do not match
            `data.group_pattern`.
    """
    queries = QUERIES.get(data.protocol) if data.queries is None else data.queries
    if data.protocol == "grouped" and queries and queries >= 1:
        # A number of all items, in proportion to the classes: the same share of each.
        total = data.turns * info.count
        if queries >= total:
            raise ValueError(
                f"Invalid value received for setting `data.queries`. Expected a share above 0 and below 1, or a whole "
                f"number below {total}, the number of items. Received: queries={queries:g}"
            )
        queries /= total
    return make_split(
        info.labels,
        protocol=data.protocol,
        seed=seed,
        queries=int(queries) if queries and queries >= 1 else queries,
        validation=data.validation,
        turns=data.turns,
        groups=_groups(data, info),
    )


def _groups(data, info):
    """What must stay together, by a file, by names or by either; None if nothing must."""
    by_file = None if data.groups is None else load_groups(data.groups, info)
    by_name = None if data.group_pattern is None else groups_by_name(info.ids, data.group_pattern)
    if by_file is None or by_name is None:
        return by_name if by_file is None else by_file
    return merge_groups(by_file, by_name)
