"""What a run's codes retrieve: scores that carry their protocol."""

import numpy as np

from keras_dhnn.codes import pack
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.metrics.ranking import average_precision, mean_per_class, precision_at, precision_within

PRECISION_AT = (10, 50, 100)
RADIUS = 2


def evaluate(outputs, labels, split, info, seed):
    """Scores of hash codes: the queries of a split search its whole database.

    Args:
        outputs: `(n, l)` real, hash outputs of all items.
        labels: `(n,)` their labels.
        split: the `Split`.
        info: `DatasetInfo`, for class names and checksum.
        seed: the experiment's seed, for the record.

    Returns:
        `(metrics, curve)`: a dictionary for JSON, and `(recall, precision)`, `(levels,)` float64 each.
    """
    codes = pack(outputs)
    queries, database = split.queries, split.database
    counts = rank(codes[queries], codes[database], labels[queries], labels[database])
    scores = average_precision(counts)
    classes, means = mean_per_class(scores.per_query, labels[queries])
    precision, recall = precision_recall_curve(counts)
    metrics = {
        "map": {name: getattr(scores, name) for name in ("expected", "stable", "pessimistic", "optimistic")},
        "map_per_class": {info.classes[label]: float(mean) for label, mean in zip(classes, means, strict=True)},
        "precision_at": {str(k): float(precision_at(counts, k).mean()) for k in PRECISION_AT},
        f"precision_within_radius_{RADIUS}": float(precision_within(counts, RADIUS).mean()),
        "queries_without_relevant": scores.without_relevant,
        "distinct_codes": len(np.unique(codes[database], axis=0)),
        **protocol(split, info, outputs.shape[1], seed),
    }
    return metrics, (recall, precision)


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


def untrained_map(outputs, labels, split):
    """Expected mAP of an untrained network's outputs, what training is measured against."""
    codes = pack(outputs)
    queries, database = split.queries, split.database
    counts = rank(codes[queries], codes[database], labels[queries], labels[database], stable_at=())
    return average_precision(counts).expected
