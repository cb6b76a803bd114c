"""Find what a split puts on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_dhnn.evaluation.leakage.pairs import KINDS, Pair
from keras_dhnn.pipelines.splits import Split


@dataclass(frozen=True, eq=False)
class Leaks:
    """Describe what a split puts on both sides.

    Attributes:
        itself: `(q,)` bool, whether another turn of the query's image is in the database.
        by_kind: {kind: `(q,)` bool}, whether another image that shows the same is.
        across: `(p,)` bool, the pairs that stand on both sides; copies count with the image that they are copies of.
    """

    itself: np.ndarray
    by_kind: dict
    across: np.ndarray

    @property
    def any(self) -> np.ndarray:
        """Return `(q,)` bool: queries with any of these."""
        return np.logical_or.reduce([self.itself, *self.by_kind.values()])


def find_leaks(pairs: Sequence[Pair], split: Split, count: int) -> Leaks:
    """Return which queries of a split have something that shows the same in its database.

    Args:
        pairs: list of `Pair`, as of `find_pairs`.
        split: the `Split`.
        count: number of stored images.

    Returns:
        `Leaks`.
    """
    queries, database = split.items.image(split.queries), split.items.image(split.database)
    searched = np.bincount(database, minlength=count) > 0
    original = np.arange(count)
    for pair in pairs:
        if pair.kind == "copy":
            original[pair.second] = pair.first
    # A copy is found wherever the image that it is a copy of is, and the other way round.
    in_database = np.bincount(original[searched], minlength=count)
    in_queries = np.bincount(original[queries], minlength=count)
    by_kind = {"copy": in_database[original[queries]] > searched[queries]}
    for kind in KINDS[1:]:
        touched = np.zeros(count, bool)
        for pair in pairs:
            if pair.kind == kind:
                touched[pair.first] |= in_database[pair.second] > 0
                touched[pair.second] |= in_database[pair.first] > 0
        by_kind[kind] = touched[original[queries]]
    asking = np.isin(np.arange(count), queries)
    across = []
    for pair in pairs:
        asked, found = (asking, searched) if pair.kind == "copy" else (in_queries, in_database)
        across.append(bool((asked[pair.first] and found[pair.second]) or (asked[pair.second] and found[pair.first])))
    return Leaks(searched[queries], by_kind, np.array(across, bool))
