"""Answer what a page shows before anything is looked for: the archive, its tiles, classes, map and scenes."""

from typing import Any

import numpy as np
from starlette.datastructures import QueryParams

from keras_dhnn._version import __version__
from keras_dhnn.archive.calibration import load_calibration
from keras_dhnn.browse import rasters
from keras_dhnn.browse.bodies import MOST_UPLOAD
from keras_dhnn.browse.catalogue import Catalogue
from keras_dhnn.browse.page import Page
from keras_dhnn.browse.parameters import MOST_ITEMS, Filters, choice, number, paging, text
from keras_dhnn.browse.pictures import MOST_OVERVIEW, SIDES
from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.browse.searches import LONGEST_NAME
from keras_dhnn.browse.taking import MOST_TAKEN
from keras_dhnn.browse.uploads import MOST_DECODED
from keras_dhnn.pipelines.formats.image_file import MOST_SIDE

_MOST_LISTED = 500
_MOST_FOOTPRINTS = 5000
_ORDERS = ("mixed", "id", "time")


def about(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return what the page needs to know first, with the token by which it may change something."""
    info = page.archive.info
    state, message = page.encoders.state(page.source(None))
    return {
        "version": __version__,
        "token": page.token,
        "name": page.name,
        "path": str(page.archive.root),
        "bits": info.bits,
        "rows": info.rows,
        "encoder": info.encoder.get("kind"),
        "pipeline": info.pipeline,
        "synthetic": page.synthetic,
        "sources": [_describe_source(page, source) for source in page.catalogues],
        "cross": page.cross,
        "upload": {"state": state, "message": message},
        "limits": {
            "bytes": MOST_UPLOAD,
            "pixels": MOST_DECODED,
            "side": MOST_SIDE,
            "page": MOST_ITEMS,
            "export": MOST_TAKEN,
            "name": LONGEST_NAME,
        },
    }


def tiles(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return one page of the wall of tiles."""
    catalogue = page.catalogues[page.source(text(query, "source"))]
    offset, limit = paging(query)
    numbers = ordered(catalogue, query)
    items = catalogue.items(numbers[offset : offset + limit], geometry=bool(text(query, "geometry")))
    return {"total": len(numbers), "offset": offset, "items": items}


def ordered(catalogue: Catalogue, query: QueryParams) -> np.ndarray:
    """Return the numbers of what filters leave, in the order of the wall: "mixed", "id" or "time".

    Raises:
        Refusal: if the order is another.
    """
    filters, order = Filters.of(query), choice(query, "order", _ORDERS)
    if order == "mixed":
        return catalogue.mixed(filters)
    numbers = catalogue.matching(filters)
    return numbers if order == "id" else numbers[catalogue.time_order(numbers)]


def facets(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return the counts of classes and scenes, and the time and place, of what filters leave."""
    catalogue, filters = page.catalogues[page.source(text(query, "source"))], Filters.of(query)
    numbers = catalogue.matching(filters)
    labels = _counted(catalogue.labels, catalogue.label_names, catalogue.matching(filters.without("labels")))
    scenes = _counted(catalogue.scenes, catalogue.scene_names, catalogue.matching(filters.without("scenes")))
    return {
        "total": len(numbers),
        "labels": [{"label": name, "count": count} for name, count in labels],
        "scenes": [{"scene": name, "count": count} for name, count in scenes if name is not None][:_MOST_LISTED],
        **catalogue.extent(filters),
    }


def similarity_map(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return the archive laid out by similarity."""
    return page.layouts[page.source(text(query, "source"))].describe(Filters.of(query))


def footprints(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return footprints as GeoJSON, a sample where there are more than are wanted."""
    catalogue, filters = page.catalogues[page.source(text(query, "source"))], Filters.of(query)
    limit = number(query, "limit", 2000, 1, _MOST_FOOTPRINTS)
    numbers = catalogue.mixed(filters)
    features = []
    for item in catalogue.items(numbers[:limit], geometry=True):
        geometry = item.pop("geometry")
        if geometry is not None:
            features.append({"type": "Feature", "id": item["id"], "geometry": geometry, "properties": item})
    return {"type": "FeatureCollection", "features": features, "total": len(numbers)}


def thumb(page: Page, query: QueryParams) -> bytes:
    """Return an item's picture, WebP."""
    side = number(query, "side", 128, SIDES[0], SIDES[-1])
    key = text(query, "id")
    if side not in SIDES or key is None:
        raise Refusal(400, "setting", f"Expected 'id', and 'side' as one of {', '.join(map(str, SIDES))}.")
    return page.pictures.thumb(page.source(text(query, "source")), key, side)


def upload_thumb(page: Page, query: QueryParams) -> bytes:
    """Return the picture of an upload, WebP."""
    return page.uploads.get(text(query, "upload") or "")[2]


def scenes(page: Page, query: QueryParams) -> dict[str, Any]:
    """Return the scenes that items were cut from."""
    source = page.source(text(query, "source"))
    catalogue = page.catalogues[source]
    return {
        "scenes": [
            {"scene": name, "tiles": count, **_describe_scene(catalogue, source, name)}
            for name, count in _counted(catalogue.scenes, catalogue.scene_names, np.arange(len(catalogue)))
            if name is not None
        ][:_MOST_LISTED]
    }


def overview(page: Page, query: QueryParams) -> bytes:
    """Return a picture of a whole scene, WebP."""
    catalogue = page.catalogues[page.source(text(query, "source"))]
    side = number(query, "side", 1024, SIDES[0], MOST_OVERVIEW)
    return page.pictures.overview(scene_path(catalogue, text(query, "scene")), side)


def scene_path(catalogue: Catalogue, name: str | None) -> str:
    """Return the path of a scene's file.

    Raises:
        Refusal: 404 if the archive names no such scene.
    """
    path = catalogue.scene_path(name)
    if path is None:
        raise not_found(f"There is no scene {name!r} in this archive.")
    return path


def _describe_source(page, source):
    catalogue = page.catalogues[source]
    calibration = load_calibration(page.archive, source)
    kind = None if calibration is None else "background" if calibration.precision is None else "precision"
    extent = catalogue.extent(Filters())
    return {
        "name": source,
        "rows": len(catalogue),
        "labelled": bool(catalogue.label_names),
        "placed": extent["bbox"] is not None,
        "timed": extent["time"] is not None,
        "scenes": len(catalogue.scene_names),
        "calibration": kind,
    }


def _describe_scene(catalogue, source, name):
    from urllib.parse import urlencode

    extent = catalogue.extent(Filters(scenes=(name,)))
    try:
        found = rasters.describe(catalogue.scene_path(name))
        size = {"width": found.width, "height": found.height, "corners": found.corners}
    except Refusal:
        size = {"width": None, "height": None, "corners": None}
    return {**size, "bbox": extent["bbox"], "overview": f"/api/overview?{urlencode({'source': source, 'scene': name})}"}


def _counted(numbers, names, among):
    """Return `(name, count)`, None for those without, most frequent first."""
    counts = np.bincount(numbers[among] + 1, minlength=len(names) + 1)
    found = [(name, int(count)) for name, count in zip([None, *names], counts, strict=True) if count]
    return sorted(found, key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))
