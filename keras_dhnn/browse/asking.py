"""Answer searches: by items, by an uploaded file, by a box on a scene, or by a code."""

from typing import Any

import numpy as np
from starlette.datastructures import QueryParams

from keras_dhnn.archive import Queries, combine
from keras_dhnn.archive.tiles.scenes import fill_empty
from keras_dhnn.browse import rasters
from keras_dhnn.browse.looking import scene_path
from keras_dhnn.browse.page import Page
from keras_dhnn.browse.parameters import Filters, choice, number, paging, text, texts
from keras_dhnn.browse.rankings import Asked, Ranking, expectations
from keras_dhnn.browse.refusal import Refusal

_RANKS = ("auto", "hamming", "features", "asymmetric")
# Pixels on a side that a box is read with.
_MOST_SIDE = 2048


def search(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return one page of the items nearest to a query, with what the whole list is like."""
    queries, described, rerank = read_query(page, query)
    ranking, target = find(page, query, queries, rerank)
    offset, limit = paging(query)
    items = ranked_items(page, target, ranking, offset, limit, geometry=bool(text(query, "geometry")))
    worth = expectations(page.archive, target, ranking.histogram)
    for item in items:
        item["precision"] = worth["precision"][item["distance"]] if worth["precision"] else None
    return {
        "total": ranking.total,
        "offset": offset,
        "bits": page.archive.identity.bits,
        "items": items,
        "query": described,
        "histogram": ranking.histogram.tolist(),
        **worth,
    }


def read_query(page: Page, query: QueryParams) -> tuple[Queries, dict[str, Any], bool]:
    """Return what a request looks for: `Queries` of one, what the page is told of it, and whether bits are weighed.

    Raises:
        Refusal: if nothing is asked, an item or upload is not there, or a code is of another length.
    """
    source, liked = page.source(text(query, "source")), texts(query, "like")
    if liked:
        return _like(page, source, liked, texts(query, "unlike"))
    if (key := text(query, "upload")) is not None:
        uploaded, queries, _ = page.uploads.get(key)
        described = page.uploads.describe(key)
        return queries, _described(queries, uploaded.name, described["thumb"], None), False
    if (given := text(query, "code")) is not None:
        queries = Queries(_code(given, page.archive.identity.bits))
        return queries, _described(queries, given, None, None), False
    raise Refusal(400, "setting", "Expected what to look for: like=ID, upload=KEY or code=HEX.")


def find(page: Page, query: QueryParams, queries: Queries, rerank: bool) -> tuple[Ranking, str]:
    """Return the `Ranking` that a request asks for, and the source that is searched."""
    target = page.source(text(query, "target") or text(query, "source"))
    radius = number(query, "radius", None, 0, page.archive.identity.bits)
    filters = Filters.of(query)
    page.catalogues[target].matching(filters)  # says what is wrong with a condition
    asked = Asked(queries, rerank, choice(query, "rank", _RANKS), radius, filters)
    return page.rankings.of(asked, page.catalogues[target]), target


def ranked_items(
    page: Page, target: str, ranking: Ranking, offset: int, limit: int, *, geometry: bool = False
) -> list[dict[str, Any]]:
    """Return what a page is told of the items from rank `offset` + 1 on."""
    numbers, distances = ranking.page(offset, limit)
    items = page.catalogues[target].items(numbers, geometry=geometry)
    for rank, (item, distance) in enumerate(zip(items, distances.tolist(), strict=True), offset + 1):
        item["rank"], item["distance"] = rank, distance
    return items


def add_upload(page: Page, query: QueryParams, content: bytes) -> dict[str, Any]:
    """Take an image file that is looked for."""
    if not content:
        raise Refusal(415, "not_an_image", "The file is empty. Expected an image.")
    key = page.uploads.add_file(page.source(text(query, "source")), text(query, "name") or "picture", content)
    return page.uploads.describe(key)


def add_box(page: Page, body: dict[str, Any]) -> dict[str, Any]:
    """Take a box on a scene that is looked for."""
    if any(body[name] is None for name in ("scene", "row", "col", "height", "width")):
        raise Refusal(400, "setting", "Expected scene, row, col, height and width.")
    source = page.source(body["source"])
    path = scene_path(page.catalogues[source], body["scene"])
    box = rasters.Box(body["row"], body["col"], body["height"], body["width"])
    channels = page.encoders.of(source).form.channels
    pixels, valid = rasters.read_window(path, box, most=_MOST_SIDE)
    if pixels.shape[2] != channels:
        raise Refusal(
            422,
            "wrong_image",
            f"The scene has {pixels.shape[2]} bands, and its tiles were encoded by {channels} of them: which, the "
            "archive does not say. Choose a tile instead.",
        )
    name = f"{body['scene']}, {box.width} x {box.height} at column {box.col}, row {box.row}"
    pixels = fill_empty(pixels, valid) if valid.any() else pixels
    key = page.uploads.add_pixels(source, name, np.ascontiguousarray(pixels), repr((path, box)).encode())
    return page.uploads.describe(key)


def _like(page, source, liked, unliked):
    catalogue = page.catalogues[source]
    queries = catalogue.queries(catalogue.numbers(liked))
    item = catalogue.items(catalogue.numbers(liked[:1]))[0]
    if len(liked) == 1 and not unliked:
        return queries, _described(queries, liked[0], item["thumb"], item["label"]), False
    queries = combine(queries, catalogue.queries(catalogue.numbers(unliked)) if unliked else None)
    return queries, _described(queries, liked[0], item["thumb"], _common(catalogue, liked)), True


def _common(catalogue, liked):
    """Return the label that all of some items have, or None."""
    labels = set(catalogue.labels[catalogue.numbers(liked)].tolist())
    found = labels.pop() if len(labels) == 1 else -1
    return catalogue.label_names[found] if found >= 0 else None


def _described(queries, name, thumb, label):
    return {"code": queries.codes[0].tobytes().hex(), "name": name, "thumb": thumb, "label": label}


def _code(given, bits):
    try:
        code = np.frombuffer(bytes.fromhex(given), np.uint8)[None]
    except ValueError:
        code = np.zeros((1, 0), np.uint8)
    if 8 * code.shape[1] != bits:
        raise Refusal(400, "setting", f"Expected 'code' as {bits // 4} hexadecimal digits. Received: {given[:80]!r}")
    return code
