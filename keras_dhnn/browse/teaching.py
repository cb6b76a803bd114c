"""Order an archive by what somebody has marked: scored anew at every mark, kept for the pages of its list."""

import hashlib
import math
import threading
from collections import OrderedDict
from functools import cached_property
from typing import Any

import numpy as np

from keras_dhnn.browse import scorer
from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.parameters import Filters
from keras_dhnn.browse.searches import RIGHT, Search
from keras_dhnn.codes import hamming_distances

# Random items that stand in for what is wrong.
_BACKGROUND, _SEED = 500, 0
_DEPTHS = (10, 20, 50, 100)
# Of scores as 0 to 1; a list is cut between two of them.
_BINS = 50
_SUGGESTED, _FIRST, _GROWTH, _KEPT = 5, 2000, 10, 8


class Taught:
    """Hold the order that some marks give to an archive, or to what filters leave of it.

    Args:
        catalogue: `Catalogue`.
        marks: `{id: "right" or "wrong"}`, one right at least; ids that are gone are passed over.
        filters: `Filters`.

    Attributes:
        total: how many items there are, whatever their score.
        suggestions: numbers of items that are most worth a mark.
        precision: what `scorer.precision_at` says at several depths.
    """

    def __init__(self, catalogue: Catalogue, marks: dict[str, str], filters: Filters):
        self._catalogue, self._guard = catalogue, threading.Lock()
        self.right, wrong = marked_numbers(catalogue, marks)
        self._learned = scorer.fit(
            catalogue.codes[self.right], catalogue.codes[wrong], catalogue.codes[_background(len(catalogue))]
        )
        self._numbers = catalogue.matching(filters)
        self.total = len(self._numbers)
        whole = self.total == len(catalogue)
        self._scores = self._learned.score(catalogue.codes if whole else catalogue.codes[self._numbers])
        # Whoever has called an item wrong has seen enough of it: those stand last.
        self._scores[self._places(wrong)] = -np.inf
        self._order = np.zeros(0, np.int64)
        marked = np.concatenate([self.right, wrong])
        self.suggestions = self._suggest(marked)
        top = self._scores[self._best(max(_DEPTHS))]
        self.precision = [scorer.precision_at(k, top, self._learned.left_out, len(self.right)) for k in _DEPTHS]

    def page(self, offset: int, limit: int, least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return `(numbers, scores)` of the items from rank `offset` + 1 on, as far as `count` counts them."""
        last = min(offset + limit, self.count(least))
        places = self._best(last)[offset:last]
        return self._numbers[places], self._scores[places]

    def scores_of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the scores of some items."""
        return self._learned.score(self._catalogue.codes[numbers])

    def distances(self, numbers: np.ndarray) -> np.ndarray:
        """Return how many bits each of some items differs in from the nearest right one."""
        codes = self._catalogue.codes
        return hamming_distances(codes[numbers], codes[self.right]).min(axis=1, initial=8 * codes.shape[1])

    def histogram(self) -> dict[str, list]:
        """Return how many items have which score: `edges`, `counts`, and what is `estimated` of those above each edge.

        See `scorer.precision_above`.
        """
        edges = np.linspace(0, 1, _BINS + 1)
        estimated = [
            scorer.precision_above(2 * edge - 1 if edge else -np.inf, self._learned.left_out, len(self.right))
            for edge in edges[:-1]
        ]
        return {"edges": np.round(edges, 3).tolist(), "counts": self._counts.tolist(), "estimated": estimated}

    def count(self, least: float = 0.0) -> int:
        """Return how many items have a score, as 0 to 1, of `least` or more; it is rounded up to the next edge."""
        return int(self._counts[math.ceil(least * _BINS - 1e-6) :].sum())

    @cached_property
    def _counts(self):
        bins = np.minimum((as_share(self._scores) * _BINS).astype(np.int8), _BINS - 1)
        return np.bincount(bins, minlength=_BINS)

    def _best(self, count):
        with self._guard:
            if len(self._order) < min(count, self.total):
                self._order = scorer.best(self._scores, max(_FIRST, count, _GROWTH * len(self._order)))
            return self._order

    def _places(self, numbers):
        """Return the places, among the items that there are, of those of some that are there."""
        places = np.searchsorted(self._numbers, numbers).clip(max=max(self.total - 1, 0))
        return places[self._numbers[places] == numbers] if self.total else places[:0]

    def _suggest(self, marked):
        doubtful = scorer.most_doubtful(self._scores, self._places(marked))
        codes, numbers = self._catalogue.codes, self._numbers[doubtful]
        chosen = scorer.suggest(self._scores[doubtful], codes[numbers], codes[marked], _SUGGESTED)
        return numbers[chosen]


class Teacher:
    """Keep the latest orders of an archive.

    Args:
        catalogues: `{source: Catalogue}`.
    """

    def __init__(self, catalogues: dict[str, Catalogue]):
        self._catalogues, self._guard = catalogues, threading.Lock()
        self._kept: OrderedDict[tuple, Taught] = OrderedDict()

    def of(self, search: Search, filters: Filters) -> Taught | None:
        """Return the order that a search gives, None as long as no item that is still there is marked right."""
        marks, catalogue = search.marks, self._catalogues[search.source]
        if not len(marked_numbers(catalogue, marks)[0]):
            return None
        key = search.source, hashlib.blake2b(repr(sorted(marks.items())).encode()).digest(), filters
        with self._guard:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = Taught(catalogue, marks, filters)
        with self._guard:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found


def marked_numbers(catalogue: Catalogue, marks: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the right and of the wrong items; those that are gone are passed over."""
    places = np.searchsorted(catalogue.ids, np.array(list(marks), object)).tolist() if marks else []
    found: tuple[list, list] = [], []
    for place, (key, mark) in zip(places, marks.items(), strict=True):
        if place < len(catalogue) and catalogue.ids[place] == key:
            found[mark != RIGHT].append(place)
    return np.array(found[0], np.int64), np.array(found[1], np.int64)


def as_share(scores: np.ndarray) -> np.ndarray:
    """Return scores, -1 for what is usual in the archive and +1 for a usual right item, as 0 to 1."""
    return np.clip((scores + 1) / 2, 0, 1)


def taught_items(
    catalogue: Catalogue, numbers: np.ndarray, scores: np.ndarray, marks: dict[str, str], *, geometry: bool = False
) -> list[dict[str, Any]]:
    """Return what a page is told of items that a search has ordered."""
    items = catalogue.items(numbers, geometry=geometry)
    for item, score in zip(items, as_share(scores), strict=True):
        item["score"], item["mark"] = round(float(score), 4), marks.get(item["id"])
    return items


def _background(count):
    rng = np.random.default_rng(_SEED)
    return rng.choice(count, min(count, _BACKGROUND), replace=False)
