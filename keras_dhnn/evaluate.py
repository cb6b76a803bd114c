"""What a run's codes retrieve: scores that carry their protocol."""

from dataclasses import dataclass

from keras_dhnn.codes import pack
from keras_dhnn.metrics.code_health import CodeHealth, code_health
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.counts import RankingCounts
from keras_dhnn.metrics.ranking import (
    MeanAveragePrecision,
    average_precision,
    mean_per_class,
    precision_at,
    precision_within,
)

PRECISION_AT = (10, 50, 100)
RADIUS = 2


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The scores of codes by one protocol, and what they were derived from.

    Attributes:
        counts: `RankingCounts`, a row a query.
        scores: `MeanAveragePrecision`.
        health: `CodeHealth` of the database's codes.
        metrics: the scores and their protocol, a dictionary for JSON.
    """

    counts: RankingCounts
    scores: MeanAveragePrecision
    health: CodeHealth
    metrics: dict


def evaluate(outputs, labels, split, info, seed):
    """Scores hash codes: the queries of a split search its whole database.

    Args:
        outputs: `(n, l)` real, hash outputs of all items.
        labels: `(n,)` their labels.
        split: the `Split`.
        info: `DatasetInfo`, for class names and checksum.
        seed: the experiment's seed, for the record.

    Returns:
        `Evaluation`.
    """
    codes = pack(outputs)
    queries, database = split.queries, split.database
    counts = rank(codes[queries], codes[database], labels[queries], labels[database])
    scores = average_precision(counts)
    health = code_health(codes[database], labels[database], outputs[database])
    classes, means = mean_per_class(scores.per_query, labels[queries])
    metrics = {
        "map": {name: getattr(scores, name) for name in ("expected", "stable", "pessimistic", "optimistic")},
        "map_per_class": {info.classes[label]: float(mean) for label, mean in zip(classes, means, strict=True)},
        "precision_at": {str(k): float(precision_at(counts, k).mean()) for k in PRECISION_AT},
        f"precision_within_radius_{RADIUS}": float(precision_within(counts, RADIUS).mean()),
        "queries_without_relevant": scores.without_relevant,
        "distinct_codes": health.distinct_codes,
        **protocol(split, info, outputs.shape[1], seed),
    }
    return Evaluation(counts, scores, health, metrics)


def protocol(split, info, bits, seed):
    """What a score's numbers depend on; scores compare only where these are equal."""
    return {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
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


def expected_map(outputs, labels, split):
    """Expected mAP alone: what an untrained network's outputs are measured by."""
    codes = pack(outputs)
    queries, database = split.queries, split.database
    counts = rank(codes[queries], codes[database], labels[queries], labels[database], stable_at=())
    return average_precision(counts).expected
