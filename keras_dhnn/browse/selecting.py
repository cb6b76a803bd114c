"""Answer what is taken away: a selection by ids, or as much as is wanted of what a page shows."""

from typing import Any

from starlette.datastructures import QueryParams

from keras_dhnn.browse.asking import find, ranked_items, read_query
from keras_dhnn.browse.looking import ordered
from keras_dhnn.browse.page import Page
from keras_dhnn.browse.parameters import Filters, share, text
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.browse.taking import FORMATS, MOST_PICTURES, MOST_TAKEN, write_table, write_zip
from keras_dhnn.browse.teaching import taught_items

_SUFFIXES = {"csv": "csv", "geojson": "geojson", "geoparquet": "parquet", "zip": "zip"}


def take(page: Page, body: dict[str, Any]) -> tuple[Any, str, str]:
    """Return a file's content, its kind, and its name.

    Args:
        page: the `Page`.
        body: `format`; `source`, `ids` and the `view` in which they were chosen, if any; or `view` and `limit`.

    Returns:
        `(content, media type, name)`; content is bytes, or an open file of a zip.
    """
    kind = body["format"]
    if kind not in FORMATS:
        raise Refusal(400, "setting", f"Expected 'format' as one of {', '.join(FORMATS)}. Received: {kind!r}")
    most = MOST_PICTURES if kind == "zip" else MOST_TAKEN
    if body["ids"] is not None:
        source, ranked = _given(page, body)
    else:
        limit = most if body["limit"] is None else body["limit"]
        source, ranked = _listed(page, body["view"] or "", limit)
    if not ranked:
        raise Refusal(400, "setting", "Nothing is selected. Choose at least one tile.")
    if len(ranked) > most:
        raise Refusal(413, "too_large", f"At most {most:,} items are taken as {kind}. Received: {len(ranked):,}.")
    name = f"{page.name}.{_SUFFIXES[kind]}"
    table = write_table(page.archive, source, list(ranked), ranked, "csv" if kind == "zip" else kind)
    if kind != "zip":
        return table, FORMATS[kind], name
    catalogue = page.catalogues[source]
    return (
        write_zip(list(ranked), table, lambda key: page.pictures.pixels(source, catalogue.number(key))),
        FORMATS[kind],
        name,
    )


def _given(page, body):
    """Return the source and `{id: what is known of it}` of a selection: what stands in the view, of its first items."""
    source, ids = page.source(body["source"]), body["ids"]
    if not all(isinstance(key, str) for key in ids):
        raise Refusal(400, "setting", "Expected 'ids' as a list of texts.")
    page.catalogues[source].numbers(ids)
    of, known = (source, {}) if body["view"] is None else _listed(page, body["view"], MOST_TAKEN)
    return source, {key: known.get(key, {}) if of == source else {} for key in ids}


def _listed(page, view, limit):
    """Return the source and `{id: what is known of it, its rank too}` of the first items of what a page shows."""
    source, items = _viewed(page, QueryParams(view), limit)
    return source, {key: item | {"rank": rank} for rank, (key, item) in enumerate(items.items(), 1)}


def _viewed(page, query, limit):
    """Return the source and `{id: what is known of it}` of the first items of what a page shows."""
    if limit < 1:
        raise Refusal(400, "setting", f"Expected 'limit' as a whole number from 1 to {MOST_TAKEN}. Received: {limit}")
    if limit > MOST_TAKEN:
        raise Refusal(413, "too_large", f"At most {MOST_TAKEN:,} items are taken. Received: {limit:,}.")
    name = text(query, "taught")
    search = None if name is None else page.searches.get(name)
    source = page.source(text(query, "source") if search is None else search.source)
    catalogue = page.catalogues[source]
    if search is not None and (taught := page.teacher.of(search, Filters.of(query))) is not None:
        items = taught_items(catalogue, *taught.page(0, limit, share(query, "score")), search.marks)
    elif (asked := _asked(page, query, search)) is not None:
        queries, _, rerank = asked
        ranking, source = find(page, query, queries, rerank)
        items = ranked_items(page, source, ranking, 0, limit)
    else:
        items = catalogue.items(ordered(catalogue, query)[:limit])
    return source, {item["id"]: item for item in items}


def _asked(page, query, search):
    """Return what `read_query` does; None where nothing is asked, or what a kept search began from is gone."""
    if not any(text(query, given) for given in ("like", "upload", "code")):
        return None
    try:
        return read_query(page, query)
    except Refusal as error:
        if search is None or error.status != 404:
            raise
        return None
