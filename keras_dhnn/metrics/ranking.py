"""Compute average precision, and precision and recall at a cut-off or within a radius, over tied Hamming distances.

A plain sort makes these depend on the order of files: at equal distances it keeps whatever order the items
came in. Here every score is the expectation over random orders inside each tie, unless it says otherwise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.metrics.arguments import check_cutoff, check_integer
from keras_dhnn.metrics.counting import RankingCounts, rank
from keras_dhnn.metrics.ties import earlier, expected_sum, optimistic_sums, pessimistic_sums, ranks_within


@dataclass(frozen=True, eq=False)
class MeanAveragePrecision:
    """Hold the mean average precision under the four orders of tied items.

    Attributes:
        expected: the expectation over random orders inside each tie; the score to report.
        stable: in the order (distance, item number), what a stable sort gives; None if it was left out.
        pessimistic: irrelevant items first in each tie; no order gives less.
        optimistic: relevant items first in each tie; no order gives more.
        per_query: `(n,)` float64, expected average precision of each query.
        per_query_stable: `(n,)`, or None.
        per_query_pessimistic: `(n,)`.
        per_query_optimistic: `(n,)`.
        without_relevant: number of queries to which nothing is relevant; they count 0.
        k: the cut-off, None for the whole ranking.
    """

    expected: float
    stable: float | None
    pessimistic: float
    optimistic: float
    per_query: np.ndarray
    per_query_stable: np.ndarray | None
    per_query_pessimistic: np.ndarray
    per_query_optimistic: np.ndarray
    without_relevant: int
    k: int | None


def mean_average_precision(
    query_codes: ArrayLike,
    database_codes: ArrayLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    k: int | None = None,
    exclude_self: bool | ArrayLike = False,
    stable: bool = True,
) -> MeanAveragePrecision:
    """Return tie-aware mean average precision of a Hamming ranking (DHNN eq. 15, SIDHCNN eq. 10, corrected).

    `AP(q) = (1 / n_q) * sum over relevant ranks r of precision@r`, over the whole database, `n_q` relevant
    items. With a cut-off only ranks up to k count, and the sum is divided by `min(n_q, k)`, so that a perfect
    ranking has 1.

    Args:
        query_codes: `(n, l / 8)` uint8, packed.
        database_codes: `(m, l / 8)` uint8, packed.
        query_labels: `(n,)` labels, or `(n, classes)` in {0, 1}: relevant is what shares a label.
        database_labels: `(m,)` or `(m, classes)`.
        k: cut-off, or None for the whole ranking.
        exclude_self: leave out each query's own copy: True if query i is database item i, or `(n,)` integers,
            the number of its copy in the database, -1 for none.
        stable: whether to compute the stable order's score too; for codes that seldom repeat it takes most of
            the time.

    Returns:
        `MeanAveragePrecision`.

    Raises:
        ValueError: if codes or labels are empty or do not fit each other, or an argument is out of range.

    Example:
        Two of four items are relevant, all at distance 0: each of the six orders is as likely.

        >>> codes = np.zeros((4, 1), np.uint8)
        >>> scores = mean_average_precision(codes[:1], codes, [1], [1, 0, 0, 1])
        >>> round(scores.expected, 4), scores.stable, scores.optimistic
        (0.6806, 0.75, 1.0)
    """
    k = check_cutoff("k", k)
    counts = rank(
        query_codes,
        database_codes,
        query_labels,
        database_labels,
        exclude_self=exclude_self,
        stable_at=(k,) if stable else (),
    )
    return average_precision(counts, k)


def average_precision(counts: RankingCounts, k: int | None = None) -> MeanAveragePrecision:
    """Return `mean_average_precision` from counts that exist.

    Args:
        counts: `RankingCounts`.
        k: cut-off, or None for the whole ranking. The stable score needs that `rank` was asked for it at this
            cut-off (`stable_at`); otherwise it is None.

    Returns:
        `MeanAveragePrecision`.
    """
    k = check_cutoff("k", k)
    tied, relevant = counts.items, counts.relevant
    best = np.maximum(counts.totals if k is None else np.minimum(counts.totals, k), 1)
    expected = expected_sum(tied, relevant, k) / best
    pessimistic = pessimistic_sums(tied, relevant, k).sum(axis=1) / best
    optimistic = optimistic_sums(tied, relevant, k).sum(axis=1) / best
    stable = counts.stable[k] / best if k in counts.stable else None
    return MeanAveragePrecision(
        expected=float(expected.mean()),
        stable=None if stable is None else float(stable.mean()),
        pessimistic=float(pessimistic.mean()),
        optimistic=float(optimistic.mean()),
        per_query=expected,
        per_query_stable=stable,
        per_query_pessimistic=pessimistic,
        per_query_optimistic=optimistic,
        without_relevant=counts.without_relevant,
        k=k,
    )


def precision_at(counts: RankingCounts, k: int) -> np.ndarray:
    """Return expected share of relevant items among the first k (of the whole ranking, if it is shorter).

    Args:
        counts: `RankingCounts`.
        k: number of ranks.

    Returns:
        `(n,)` float64.
    """
    found, ranks = _found(counts, k)
    return found / np.maximum(ranks, 1)


def recall_at(counts: RankingCounts, k: int) -> np.ndarray:
    """Return expected share of the relevant items that are among the first k: `(n,)`; 0 where there is none."""
    found, _ = _found(counts, k)
    return found / np.maximum(counts.totals, 1)


def precision_within(counts: RankingCounts, radius: int) -> np.ndarray:
    """Return the share of relevant items among those within a Hamming radius; 0 where there is none (a failed lookup).

    Args:
        counts: `RankingCounts`.
        radius: largest distance that is still within, in bits, from 0.

    Returns:
        `(n,)` float64.
    """
    radius = check_integer("radius", radius, smallest=0)
    items = counts.items[:, : radius + 1].sum(axis=1)
    return counts.relevant[:, : radius + 1].sum(axis=1) / np.maximum(items, 1)


def recall_within(counts: RankingCounts, radius: int) -> np.ndarray:
    """Return the share of the relevant items that are within a Hamming radius: `(n,)`; 0 where there is none."""
    radius = check_integer("radius", radius, smallest=0)
    return counts.relevant[:, : radius + 1].sum(axis=1) / np.maximum(counts.totals, 1)


def mean_per_class(per_query: ArrayLike, query_labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return means of a score over the queries of each class.

    Args:
        per_query: `(n,)` scores.
        query_labels: `(n,)` labels, or `(n, classes)` in {0, 1}: a query then counts in each of its classes.

    Returns:
        (classes, means): `(c,)` labels in ascending order, and `(c,)` float64. For a matrix the classes are
        its columns' numbers, without the columns that no query has.
    """
    per_query, query_labels = np.asarray(per_query, np.float64), np.asarray(query_labels)
    if query_labels.ndim == 1:
        classes, numbers = np.unique(query_labels, return_inverse=True)
        return classes, np.bincount(numbers, per_query) / np.bincount(numbers)
    queries = query_labels.sum(axis=0)
    classes = np.flatnonzero(queries)
    return classes, (per_query @ query_labels)[classes] / queries[classes]


def _found(counts: RankingCounts, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return expected number of relevant items among the first k, and the number of items there: `(n,)` each."""
    k, tied = check_integer("k", k, smallest=1), counts.items
    ranks = ranks_within(k, earlier(tied), tied)
    return (counts.relevant / np.maximum(tied, 1) * ranks).sum(axis=1), ranks.sum(axis=1)
