"""Find groups of near-identical tiles: the same ground twice, a file under two names, empty sea."""

from dataclasses import dataclass

import numpy as np

from keras_dhnn.archive.near_pairs import pairs_within
from keras_dhnn.archive.store import Archive
from keras_dhnn.codes import to_words


@dataclass(frozen=True)
class Group:
    """Describe items that are alike.

    Attributes:
        ids: two or more, in order.
        widest: the largest distance of two that made them a group.
    """

    ids: list
    widest: int


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
    firsts, seconds, distances = pairs_within(to_words(items.codes), archive.identity.bits, radius)
    return _connected(items.ids, firsts, seconds, distances)


def _connected(ids, firsts, seconds, distances):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(firsts), bool), (firsts, seconds)), shape=(len(ids), len(ids)))
    _, numbers = connected_components(edges, directed=False)
    widest = np.zeros(len(ids), int)
    np.maximum.at(widest, numbers[firsts], distances)
    order = np.argsort(numbers, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    groups = [Group(ids[run].tolist(), int(widest[numbers[run[0]]])) for run in runs if len(run) > 1]
    return sorted(groups, key=lambda group: (-len(group.ids), group.ids))
