"""Find what is nearest to a query, and keep it: later pages of a list are not searched again."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_dhnn.archive import Archive, Queries
from keras_dhnn.archive.calibration import load_calibration
from keras_dhnn.archive.queries import WEIGHED
from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.parameters import Filters

# Of a list so many are found first; whoever pages on gets so many times as many.
_FIRST, _GROWTH = 2000, 10
_KEPT = 64


@dataclass(frozen=True)
class Asked:
    """Describe what is looked for.

    Attributes:
        queries: `Queries` of one.
        rerank: whether the nearest are put in order by the bits' weights, as of "like these, unlike those".
        rank: what puts equal distances in order, see `Archive.search`.
        radius: at most so many bits differ; None: any number.
        filters: what is searched.
    """

    queries: Queries
    rerank: bool
    rank: str
    radius: int | None
    filters: Filters

    def key(self, source: str) -> bytes:
        """Return bytes that are the same for the same search."""
        digest = hashlib.blake2b(repr((source, self.rerank, self.rank, self.radius, self.filters)).encode())
        for values in (self.queries.codes, self.queries.outputs, self.queries.features):
            digest.update(b"|" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.digest()


class Ranking:
    """Hold the list that one search gives, as far as anybody has looked.

    Args:
        archive: `Archive`.
        catalogue: `Catalogue` of the source that is searched.
        asked: the `Asked`.

    Attributes:
        histogram: `(l + 1,)` items at each distance, whatever the radius.
        total: length of the whole list.
    """

    def __init__(self, archive: Archive, catalogue: Catalogue, asked: Asked):
        self._archive, self._catalogue, self._asked, self._guard = archive, catalogue, asked, threading.Lock()
        how = asked.filters.conditions()
        self.histogram = archive.histogram(asked.queries.codes, source=catalogue.source, **how)
        last = len(self.histogram) if asked.radius is None else asked.radius + 1
        self.total = int(self.histogram[:last].sum())
        self._depth, self._numbers, self._distances = 0, np.zeros(0, np.int64), np.zeros(0, np.int64)

    def page(self, offset: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `(numbers, distances)` of the items from rank `offset` + 1 on."""
        last = min(offset + limit, self.total)
        with self._guard:
            while self._depth < last:
                self._find(max(WEIGHED if self._asked.rerank else _FIRST, self._depth * _GROWTH))
            return self._numbers[offset:last], self._distances[offset:last]

    def _find(self, depth):
        asked = self._asked
        found = self._archive.search(
            asked.queries,
            depth,
            radius=asked.radius,
            source=self._catalogue.source,
            rank=asked.rank,
            rerank=WEIGHED if asked.rerank else 0,
            columns=(),
            **asked.filters.conditions(),
        ).table
        self._numbers = self._catalogue.numbers_of(found["id"].to_numpy(zero_copy_only=False))
        self._distances = found["distance"].to_numpy().astype(np.int64)
        self._depth = depth


class Rankings:
    """Keep the lists of the latest searches of an archive.

    Args:
        archive: `Archive`.
    """

    def __init__(self, archive: Archive):
        self._archive, self._guard = archive, threading.Lock()
        self._kept: OrderedDict[bytes, Ranking] = OrderedDict()

    def of(self, asked: Asked, catalogue: Catalogue) -> Ranking:
        """Return the list of a search, made now or before."""
        key = asked.key(catalogue.source)
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = Ranking(self._archive, catalogue, asked)
        with self._guard:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def expectations(archive: Archive, source: str, histogram: np.ndarray) -> dict[str, Any]:
    """Return what distances are worth, for JSON, None where that was never measured (see `archive.calibration`).

    Args:
        archive: `Archive`.
        source: the image source that was searched.
        histogram: `(l + 1,)` items at each distance.

    Returns:
        `precision`: `(l + 1,)` share expected to be right at each distance; `expected`: in the list up to it;
        `background`: share of random pairs that are as near.
    """
    found = load_calibration(archive, source)
    if found is None:
        return {"precision": None, "expected": None, "background": None}
    background = np.round(found.background, 6).tolist()
    if found.precision is None:
        return {"precision": None, "expected": None, "background": background}
    right, items = np.cumsum(histogram * found.precision), np.cumsum(histogram)
    # Up to where there is nothing yet, what is expected there is expected.
    expected = np.where(items > 0, right / np.maximum(items, 1), found.precision)
    return {
        "precision": np.round(found.precision, 4).tolist(),
        "expected": np.round(expected, 4).tolist(),
        "background": background,
    }
