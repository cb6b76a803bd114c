"""Score what a run's codes retrieve; every score carries its protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.codes import pack
from keras_dhnn.errors import SettingError
from keras_dhnn.metrics.code_health import CodeHealth, code_health
from keras_dhnn.metrics.counting import RankingCounts, rank
from keras_dhnn.metrics.graded import ndcg, weighted_average_precision
from keras_dhnn.metrics.ranking import (
    MeanAveragePrecision,
    average_precision,
    mean_per_class,
    precision_at,
    precision_within,
    recall_at,
)
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.sources import main_tasks, task_name, tasks_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

PRECISION_AT = (10, 50, 100)
RADIUS = 2
_ORDERS = ("expected", "stable", "pessimistic", "optimistic")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Describe the scores of codes by one protocol, and what they were derived from.

    Attributes:
        task: (source that searches, source that is searched).
        codes: of the queries and of the database, `(q, l / 8)` and `(d, l / 8)` uint8.
        counts: `RankingCounts`, a row a query.
        scores: `MeanAveragePrecision`.
        health: `CodeHealth` of the database's codes.
        metrics: the scores and their protocol, a dictionary for JSON.
    """

    task: tuple
    codes: tuple
    counts: RankingCounts
    scores: MeanAveragePrecision
    health: CodeHealth
    metrics: dict


def evaluate(
    outputs: Mapping[str, np.ndarray],
    labels: np.ndarray,
    split: Split,
    info: DatasetInfo,
    seed: int,
    task: tuple[str, str] | None = None,
    codes: Mapping[str, np.ndarray] | None = None,
    at: Sequence[int] = (),
) -> Evaluation:
    """Score hash codes: the queries of a split, seen by one source, search its whole database, seen by another
    or it.

    Args:
        outputs: `{source: (n, l)}` real, hash outputs of all items.
        labels: `(n,)` their labels.
        split: the `Split`.
        info: `DatasetInfo`, for class names and checksum.
        seed: the experiment's seed, for the record.
        task: (source that searches, source that is searched); of one source it need not be said.
        codes: `{source: (n, l / 8)}` packed codes that were stored with the outputs, which as float16 no longer have
            all signs; None are those of the outputs.
        at: cut-offs k at which mean average precision is computed too: only the first k ranks count, and a query's
            sum is divided by the number of its relevant items, or by k if these are more.

    Returns:
        `Evaluation`.

    Raises:
        ValueError: if a cut-off is not a whole number from 1.
    """
    task = task or tasks_of(tuple(outputs))[0]
    of_task = _codes(codes or _pack_all(outputs), split, task)
    found, database, queries = outputs[task[1]], split.database, split.queries
    counts = count(codes or _pack_all(outputs), labels, split, task, info.label_sets, stable_at=(None, *at))
    scores = average_precision(counts)
    health = code_health(of_task[1], labels[database], found[database])
    metrics = {
        "map": _orders(scores),
        **({"map_at": {str(k): _orders(average_precision(counts, k)) for k in at}} if at else {}),
        "map_per_class": _map_per_class(scores.per_query, labels[queries], split, info),
        "precision_at": {str(k): float(precision_at(counts, k).mean()) for k in PRECISION_AT},
        "best_precision_at": {str(k): _best_precision(counts.totals, min(k, len(database))) for k in PRECISION_AT},
        f"precision_within_radius_{RADIUS}": float(precision_within(counts, RADIUS).mean()),
        "queries_without_relevant": scores.without_relevant,
        "distinct_codes": health.distinct_codes,
        "code_health": {name: value for name, value in health.scalars().items() if not name.endswith("codes")},
        **(_graded(counts) if info.label_sets is not None else {}),
        **protocol(split, info, found.shape[1], seed),
    }
    return Evaluation(task, of_task, counts, scores, health, metrics)


def count(
    codes: Mapping[str, np.ndarray],
    labels: np.ndarray,
    split: Split,
    task: tuple[str, str],
    sets: Labels | None = None,
    stable_at: Sequence[int | None] = (),
) -> RankingCounts:
    """Count what every query of a split finds at each distance, and what of it is relevant, for all scores and curves.

    Args:
        codes: `{source: (n, l / 8)}` packed codes of all items.
        labels: `(n,)` their labels.
        split: the `Split`, of items whose labels are known.
        task: (source that searches, source that is searched).
        sets: `Labels` of the images where they have several, which then decide what is relevant; None where each has
            one.
        stable_at: see `metrics.counting.rank`.
    """
    sides = split.queries, split.database
    if sets is not None:
        images = [sets.sets[split.items.image(side)].astype(np.uint8) for side in sides]
        return rank(*_codes(codes, split, task), *images, stable_at=stable_at)
    return rank(*_codes(codes, split, task), *(labels[side] for side in sides), stable_at=stable_at)


def relevant(info: DatasetInfo, items: Items, first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """Return whether items are relevant to each other: of one class, or where there are several labels, one is shared.

    Args:
        info: `DatasetInfo`.
        items: `Items` of the split.
        first: item numbers, of known labels.
        second: others, of a shape that goes with it.

    Returns:
        bool, of the shape that both have together.
    """
    images = [items.image(np.asarray(side)) for side in (first, second)]
    if info.label_sets is None:
        of_first, of_second = (info.true_labels[side] for side in images)
        return of_first == of_second
    of_first, of_second = (info.label_sets.sets[side] for side in images)
    return (of_first & of_second).any(axis=-1)


def _map_per_class(per_query, labels, split, info):
    """Return the mean over the queries of each class; of several labels, over those that have the label."""
    if info.label_sets is None:
        classes, means = mean_per_class(per_query, labels)
        return {info.classes[label]: float(mean) for label, mean in zip(classes, means, strict=True)}
    has = info.label_sets.sets[split.items.image(split.queries)]
    names = info.label_sets.classes
    return {name: float(per_query[of].mean()) for name, of in zip(names, has.T, strict=True) if of.any()}


def _graded(counts):
    """Return scores of images with several labels, as the field reports them; "map" counts any shared label."""
    return {
        "ndcg_at_100": float(ndcg(counts, 100).mean()),
        "ndcg": float(ndcg(counts).mean()),
        "weighted_map": float(weighted_average_precision(counts).mean()),
        "f1_at": {str(k): float(_f1(counts, k).mean()) for k in PRECISION_AT},
    }


def _f1(counts, k):
    """Return harmonic mean of precision and recall at k, of each query."""
    precision, recall = precision_at(counts, k), recall_at(counts, k)
    return 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)


def known_part(split: Split, known: np.ndarray) -> Split | None:
    """Return a split with those queries and that part of the database whose labels are known; None if that is nothing.

    Args:
        split: the `Split`; returned as it is if all is known.
        known: `(n,)` bool, by item.
    """
    if known[split.queries].all() and known[split.database].all():
        return split
    queries, database = split.queries[known[split.queries]], split.database[known[split.database]]
    if not len(queries) or not len(database):
        return None
    return replace(split, queries=queries, database=database, validation=np.intersect1d(split.validation, database))


def score(
    outputs: Mapping[str, np.ndarray],
    split: Split,
    info: DatasetInfo,
    seed: int,
    codes: Mapping[str, np.ndarray] | None = None,
    at: Sequence[int] = (),
) -> tuple[Split | None, list[Evaluation], dict[str, Any]]:
    """Score codes by what labels are known.

    Args:
        outputs: `{source: (n, l)}` real, hash outputs of all items.
        split: the `Split`.
        info: `DatasetInfo`.
        seed: the experiment's seed, for the record.
        codes: see `evaluate`, as for `at`.
        at: cut-offs of mean average precision.

    Returns:
        `(scored, evaluations, metrics)`: the part of the split whose labels are known, and what `evaluate_all` returns
        of it; where no label is known None, no evaluation, and what can be said without.
    """
    scored = known_part(split, split.items.spread(info.truly_known))
    if scored is None:
        return None, [], health_alone(outputs, split, info, seed)
    labels = split.items.spread(info.true_labels)
    return scored, *evaluate_all(outputs, labels, scored, info, seed, codes, at)


def check_scorable(split: Split, info: DatasetInfo) -> None:
    """Raise SettingError where no label is known of the queries, or of the database, so that nothing can be scored."""
    if known_part(split, split.items.spread(info.truly_known)) is None:
        raise SettingError(
            f"No label of {info.name} is known to score by, of the {len(split.queries)} queries or of the "
            f"{len(split.database)} items of the database. Give labels: keras-dhnn prepare --labels FILE"
        )


def health_alone(outputs: Mapping[str, np.ndarray], split: Split, info: DatasetInfo, seed: int) -> dict[str, Any]:
    """Return what can be said of codes where no label is known: their health, and the protocol; a dictionary for JSON.

    Args:
        outputs: `{source: (n, l)}` real, hash outputs of all items.
        split: the `Split`.
        info: `DatasetInfo`.
        seed: the experiment's seed, for the record.
    """
    (of_source,) = outputs.values()
    found = of_source[split.database]
    health = code_health(pack(found), outputs=found)
    return {
        "map": None,
        "distinct_codes": health.distinct_codes,
        "code_health": {name: value for name, value in health.scalars().items() if not name.endswith("codes")},
        **protocol(split, info, of_source.shape[1], seed),
    }


def _orders(scores):
    return {name: getattr(scores, name) for name in _ORDERS}


def _best_precision(totals, k):
    """Return what precision at k would be if all that is relevant came first: less than 1 where that is fewer than
    k.
    """
    return float(np.minimum(totals, k).mean() / k)


def protocol(split: Split, info: DatasetInfo, bits: int, seed: int) -> dict[str, Any]:
    """Return what a score's numbers depend on; scores compare only where these are equal."""
    return {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "labels": info.truth.digest,
        "protocol": split.protocol,
        "split": split.hash,
        "queries": len(split.queries),
        "database": len(split.database),
        "bits": bits,
        "seed": seed,
        "ties": "expectation over random orders",
        "cut_off": None,
        "exclude_self": False,
    }


def evaluate_all(
    outputs: Mapping[str, np.ndarray],
    labels: np.ndarray,
    split: Split,
    info: DatasetInfo,
    seed: int,
    codes: Mapping[str, np.ndarray] | None = None,
    at: Sequence[int] = (),
) -> tuple[list[Evaluation], dict[str, Any]]:
    """Score every task between the sources; arguments as of `evaluate`.

    Returns:
        `(evaluations, metrics)`: a list of `Evaluation`, and a dictionary for JSON. Of one source that is its only
        evaluation's metrics. Of two, `tasks` holds those of each task by its name, such as "pan->mul", and what stands
        beside it is the mean of both directions across the sources (of `distinct_codes` the smaller).
    """
    sources, codes = tuple(outputs), codes or _pack_all(outputs)
    evaluations = [evaluate(outputs, labels, split, info, seed, task, codes, at) for task in tasks_of(sources)]
    if len(sources) == 1:
        return evaluations, evaluations[0].metrics
    across = [evaluation.metrics for evaluation in evaluations[:2]]
    shared = protocol(split, info, outputs[sources[0]].shape[1], seed)
    tasks = {
        task_name(evaluation.task): {name: value for name, value in evaluation.metrics.items() if name not in shared}
        for evaluation in evaluations
    }
    means = {name: _mean([one[name] for one in across]) for name in across[0] if name not in shared}
    means["distinct_codes"] = min(one["distinct_codes"] for one in across)
    return evaluations, {**means, "tasks": tasks, **shared}


def _mean(values):
    """Return the mean of numbers, or of equal dictionaries of them, value by value; None where there is none."""
    if None in values:
        return None
    if isinstance(values[0], dict):
        return {name: _mean([value[name] for value in values]) for name in values[0]}
    return sum(values) / len(values)


def _pack_all(outputs):
    return {source: pack(of_source) for source, of_source in outputs.items()}


def _codes(codes, split, task):
    """Return the codes of the queries by one source, and of the database by the other."""
    searching, searched = task
    return codes[searching][split.queries], codes[searched][split.database]


def expected_map(
    outputs: Mapping[str, np.ndarray], labels: np.ndarray, split: Split, info: DatasetInfo | None = None
) -> float:
    """Return expected mAP alone: what an untrained network's outputs are measured by.

    Args:
        outputs: `{source: (n, l)}` real, hash outputs of all items; of two sources it is the mean of both directions.
        labels: `(n,)` their labels.
        split: the `Split`.
        info: `DatasetInfo`, for images with several labels; None where each has one.
    """
    codes, sets = _pack_all(outputs), None if info is None else info.label_sets
    counts = [count(codes, labels, split, task, sets) for task in main_tasks(tuple(outputs))]
    return _mean([average_precision(of_task).expected for of_task in counts])
