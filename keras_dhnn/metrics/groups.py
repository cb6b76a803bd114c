"""Group items with equal keys once, so that everything after works by distinct code and label."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Groups:
    """Describe items grouped by equal keys; groups are numbered by their first item.

    Attributes:
        of_item: `(n,)` int64, the group of each item.
        first: `(g,)` int64, the first item of each group, ascending.
        sizes: `(g,)` int64.
        items: `(n,)` int64, all items, by group and then by number.
    """

    of_item: np.ndarray
    first: np.ndarray
    sizes: np.ndarray
    items: np.ndarray

    @property
    def all_distinct(self) -> bool:
        """Return whether no two items are equal; group g is then item g."""
        return len(self.first) == len(self.items)

    def members(self, groups: np.ndarray) -> np.ndarray:
        """Return the items of some groups, group after group: `(m,)` integers -> `(sum of sizes,)` int64."""
        starts = np.cumsum(self.sizes) - self.sizes
        return self.items[_ranges(starts[groups], self.sizes[groups])]


def group(*keys: np.ndarray) -> Groups:
    """Return groups of items whose keys are all equal.

    Args:
        *keys: each `(n,)` unsigned integers (small types sort faster), n > 0.

    Returns:
        `Groups`.
    """
    order = np.lexsort(keys)
    starts = np.ones(len(order), bool)
    starts[1:] = np.logical_or.reduce([key[order[1:]] != key[order[:-1]] for key in keys])
    (bounds,) = np.nonzero(starts)
    # lexsort is stable, so the item at each start is its group's first.
    by_first = np.argsort(order[bounds])
    bounds, sizes = bounds[by_first], np.diff(bounds, append=len(order))[by_first]
    items = order[_ranges(bounds, sizes)]
    of_item = np.empty_like(order)
    of_item[items] = np.repeat(np.arange(len(sizes)), sizes)
    return Groups(of_item=of_item, first=order[bounds], sizes=sizes, items=items)


def _ranges(starts, lengths):
    """Return the numbers of several ranges, one after the other: `(m,)` and `(m,)` -> `(sum of lengths,)`."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)


def ungrouped(items: int) -> Groups:
    """Return each of a number of items as a group of its own."""
    numbers = np.arange(items)
    return Groups(of_item=numbers, first=numbers, sizes=np.ones(items, np.int64), items=numbers)


def words(rows: np.ndarray) -> list[np.ndarray]:
    """Return rows of bytes as columns of 64-bit words, to group by: `(n, b)` uint8 -> list of `(n,)` uint64."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return list(np.ascontiguousarray(padded.view(np.uint64).T))


def small_unsigned(integers: np.ndarray) -> np.ndarray:
    """Return the same differences in the smallest unsigned type, to group by: `(n,)` integers -> `(n,)` unsigned."""
    spread = int(integers.max()) - int(integers.min())
    return (integers - integers.min()).astype(np.min_scalar_type(spread))
