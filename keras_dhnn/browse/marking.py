"""Answer what is done with named searches: begin, mark, undo, look at the order that marks give."""

import time
from typing import Any, NamedTuple

import numpy as np
from starlette.datastructures import QueryParams

from keras_dhnn.browse.page import Page
from keras_dhnn.browse.parameters import MOST_ITEMS, PAGE, Filters, paging, share, text
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.browse.searches import Search
from keras_dhnn.browse.taking import FORMATS, labels_csv
from keras_dhnn.browse.teaching import marked_numbers, taught_items


def all_searches(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return the searches of this archive's sources."""
    return {"searches": [one.to_json() for one in page.searches.all() if one.source in page.catalogues]}


def create(page: Page, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a search."""
    return page.searches.create(body["name"] or "", page.source(body["source"]), body["query"] or "").to_json()


def show(page: Page, name: str, query: QueryParams) -> dict[str, Any]:
    """Return a search and its marks."""
    search = page.searches.get(name)
    return search.to_json() | {"marks": search.marks}


def rename(page: Page, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Give a search another name."""
    return page.searches.rename(name, body["name"] or "").to_json()


def delete(page: Page, name: str, query: QueryParams) -> dict[str, Any]:
    """Remove a search."""
    page.searches.delete(name)
    return {}


def mark(page: Page, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Mark items, and return the order that follows."""
    began = time.perf_counter()
    marks = body["marks"] or {}
    if any(not isinstance(value, str | None) for value in marks.values()):
        raise Refusal(400, "setting", "Expected marks as 'right', 'wrong' or null.")
    page.catalogues[page.source(page.searches.get(name).source)].numbers(list(marks))
    return _taught(page, page.searches.mark(name, marks), _Asked.of(body), began)


def undo(page: Page, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Undo a step, and return the order that follows."""
    began = time.perf_counter()
    return _taught(page, page.searches.move(name, -1), _Asked.of(body), began)


def redo(page: Page, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do again what was undone last, and return the order that follows."""
    began = time.perf_counter()
    return _taught(page, page.searches.move(name, +1), _Asked.of(body), began)


def results(page: Page, name: str, query: QueryParams) -> dict[str, Any]:
    """Return one page of the order that a search's marks give."""
    began = time.perf_counter()
    asked = _Asked(Filters.of(query), share(query, "score"), *paging(query), bool(text(query, "geometry")))
    return _taught(page, page.searches.get(name), asked, began)


def labels(page: Page, name: str, query: QueryParams) -> tuple[bytes, str, str]:
    """Return a search's marks as a table of labels, its kind, and a name for the file; of items that are gone, too."""
    search = page.searches.get(name)
    catalogue = page.catalogues[page.source(search.source)]
    numbers = np.concatenate(marked_numbers(catalogue, search.marks))
    names = dict(zip(catalogue.ids[numbers], catalogue.table_names(numbers), strict=True))
    marks = {names.get(key, key): mark for key, mark in search.marks.items()}
    return labels_csv(marks, text(query, "right") or name, text(query, "wrong")), FORMATS["csv"], f"{name}.csv"


class _Asked(NamedTuple):
    """Describe which part of a learned order is wanted; `least` is the lowest score, as 0 to 1, that is listed."""

    filters: Filters
    least: float
    offset: int
    limit: int
    geometry: bool

    @classmethod
    def of(cls, body: dict[str, Any]) -> "_Asked":
        """Return what the body of a mark asks for: the first page under the page's filters."""
        query = QueryParams(body["filters"] or "")
        limit = PAGE if body["limit"] is None else body["limit"]
        if not 0 <= limit <= MOST_ITEMS:
            raise Refusal(
                400, "setting", f"Expected 'limit' as a whole number from 0 to {MOST_ITEMS}. Received: {limit}"
            )
        return cls(Filters.of(query), share(query, "score"), 0, limit, bool(text(query, "geometry")))


def _taught(page, search: Search, asked: _Asked, began):
    catalogue = page.catalogues[page.source(search.source)]
    marks, taught = search.marks, page.teacher.of(search, asked.filters)
    answer = search.to_json() | {"marks": marks, "ready": taught is not None, "offset": asked.offset}
    if taught is None:
        nothing = {"total": 0, "items": [], "suggestions": [], "precision": [], "histogram": None}
        return answer | nothing | {"took": 1000 * (time.perf_counter() - began)}
    numbers, scores = taught.page(asked.offset, asked.limit, asked.least)
    items = taught_items(catalogue, numbers, scores, marks, geometry=asked.geometry)
    distances = taught.distances(numbers).tolist()
    for rank, (item, distance) in enumerate(zip(items, distances, strict=True), asked.offset + 1):
        item["rank"], item["distance"] = rank, distance
    suggested = taught_items(catalogue, taught.suggestions, taught.scores_of(taught.suggestions), marks)
    return answer | {
        "total": taught.count(asked.least),
        "items": items,
        "suggestions": suggested,
        "precision": taught.precision,
        "histogram": taught.histogram(),
        "took": round(1000 * (time.perf_counter() - began), 1),
    }
