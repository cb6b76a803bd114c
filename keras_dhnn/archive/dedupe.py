"""Find groups of near-identical tiles: the same ground twice, a file under two names, empty sea."""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.archive.near_pairs import pairs_within
from keras_dhnn.archive.store import Archive
from keras_dhnn.codes import hamming_distances, to_words

# Distinct codes of a group that are all compared with each other: seconds of work, a block of this many at a time.
_MOST_COMPARED, _BLOCK = 50_000, 256


@dataclass(frozen=True)
class Group:
    """Describe items that are alike.

    Attributes:
        ids: two or more, in order.
        widest: the largest distance of two of them, which in a chain is beyond the radius; None where there are too
            many to compare all: each is within the radius of another.
    """

    ids: list
    widest: int | None


def find_groups(archive: Archive, radius: int = 0, source: str | None = None) -> list[Group]:
    """Group items whose codes differ in a few bits; of a chain of alike items all are one group.

    Args:
        archive: `Archive`.
        radius: bits that may differ. A trained code puts many images of a class at 0: there, groups are candidates.
        source: the image source; may be left out where there is one.

    Returns:
        List of `Group`, the largest first.
    """
    items = archive.codes(source)
    firsts, seconds = pairs_within(to_words(items.codes), archive.identity.bits, radius)
    groups = [
        Group(items.ids[run].tolist(), _widest(items.codes[run])) for run in _connected(len(items.ids), firsts, seconds)
    ]
    return sorted(groups, key=lambda group: (-len(group.ids), group.ids))


def _connected(count, firsts, seconds):
    """Return the numbers of items that pairs connect, an array for each two or more."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(firsts), bool), (firsts, seconds)), shape=(count, count))
    _, numbers = connected_components(edges, directed=False)
    order = np.argsort(numbers, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return [run for run in runs if len(run) > 1]


def _widest(codes):
    """Return the largest distance of two codes; None of too many."""
    codes = np.unique(codes, axis=0)
    if len(codes) > _MOST_COMPARED:
        return None
    starts = range(0, len(codes), _BLOCK)
    return max(int(hamming_distances(codes[start : start + _BLOCK], codes[start:]).max()) for start in starts)
