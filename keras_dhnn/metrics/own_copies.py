"""A query's own copy in the database, left out of its ranking."""

import numpy as np

from keras_dhnn.errors import invalid


class OwnCopies:
    """Where each query's own copy stands, how far from it and how relevant.

    Args:
        exclude_self: False: no query has one. True: query i is database item i. `(n,)` integers: the number
            of query i's copy in the database, or -1 where it has none.
        query_codes: `(n, l / 8)` uint8.
        database_codes: `(m, l / 8)` uint8. An own copy's code may differ (another source of the same ground).
        labels: `Relevance` of both.

    Attributes:
        items: `(n,)` int64, database items, -1 where there is none.

    Raises:
        ValueError: if `exclude_self` is neither, or names an item that the database does not have.
    """

    def __init__(self, exclude_self, query_codes, database_codes, labels):
        self.items = _items(exclude_self, len(query_codes), len(database_codes))
        differing = query_codes ^ database_codes[self.items]
        self._distances = np.unpackbits(differing, axis=1).sum(axis=1, dtype=np.int64)
        self._gains = labels.pair_gains(labels.queries, labels.database[self.items])

    def remove(self, by_gain, queries):
        """Take the own copies of queries `(e,)` out of the counts `(n, gains + 1, l + 1)`, in place."""
        queries = queries[self.items[queries] >= 0]
        by_gain[queries, self._gains[queries], self._distances[queries]] -= 1

    def split(self, queries):
        """Some queries `(e,)` in lists of those with the same own copy, or none."""
        queries = queries[np.argsort(self.items[queries], kind="stable")]
        return np.split(queries, np.flatnonzero(np.diff(self.items[queries])) + 1)


def _items(exclude_self, queries, database):
    """The argument `exclude_self` as `(n,)` int64, -1 for none."""
    if exclude_self is False:
        return np.full(queries, -1)
    if exclude_self is True:
        if queries != database:
            expected = "True only where query i is database item i, or else the number of each query's copy"
            raise ValueError(invalid("argument `exclude_self`", expected, queries=queries, database=database))
        return np.arange(queries)
    items = np.asarray(exclude_self)
    if items.shape != (queries,) or not np.issubdtype(items.dtype, np.integer):
        raise ValueError(
            invalid(
                "argument `exclude_self`",
                f"a bool, or {queries} integers, one for each query",
                shape=items.shape,
                dtype=str(items.dtype),
            )
        )
    if items.min() < -1 or items.max() >= database:
        expected = f"numbers of database items, at most {database - 1}, or -1 for none"
        raise ValueError(
            invalid("argument `exclude_self`", expected, smallest=int(items.min()), largest=int(items.max()))
        )
    return items.astype(np.int64)
