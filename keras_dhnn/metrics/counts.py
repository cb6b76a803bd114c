"""Items at each Hamming distance from each query, by how relevant they are: all that metrics need."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RankingCounts:
    """What `counting.rank` counted. Every metric of `ranking`, `curves` and `graded` is derived from it.

    Attributes:
        by_gain: `(n, gains + 1, l + 1)` int64; `[q, g, d]` database items at distance d from query q that
            share g labels with it. With one label an item, g is 0 (irrelevant) or 1 (relevant).
        stable: cut-off k (None is the whole ranking) -> `(n,)` float64, the sum of precision at the relevant
            ranks up to k, equal distances being ordered by item number.
    """

    by_gain: np.ndarray
    stable: dict

    @property
    def items(self):
        """`(n, l + 1)` int64, database items at each distance."""
        return self.by_gain.sum(axis=1)

    @property
    def relevant(self):
        """`(n, l + 1)` int64, relevant database items at each distance."""
        return self.by_gain[:, 1:].sum(axis=1)

    @property
    def totals(self):
        """`(n,)` int64, relevant database items of each query."""
        return self.by_gain[:, 1:].sum(axis=(1, 2))

    @property
    def without_relevant(self):
        """Number of queries to which no database item is relevant."""
        return int((self.totals == 0).sum())
