"""Read scenes that a STAC catalogue names: Item, ItemCollection, Collection, Catalog, or STAC GeoParquet.

What a catalogue names at addresses is read only where the user has said so.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlparse

from keras_dhnn.archive.geoparquet import reading_parquet
from keras_dhnn.archive.places import address, exists, is_address, local_copy, read_address
from keras_dhnn.archive.tiles.scenes import Scene
from keras_dhnn.errors import DataError
from keras_dhnn.files import read_lines

_MOST_DEPTH = 32
# Of a JSON file at an address.
_MOST_BYTES = 1 << 28
_RASTERS = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2")


def is_stac(path: Path | str) -> bool:
    """Return whether a file, or what stands at an address, is STAC: JSON with its type, or GeoParquet with a column
    `assets`.
    """
    suffix = _suffix(path)
    if suffix in (".json", ".geojson"):
        return _kind(_load(path)) is not None
    if suffix in (".parquet", ".geoparquet"):
        import pyarrow.parquet as pq

        with local_copy(path) as file, reading_parquet(path):
            return "assets" in pq.read_schema(file).names
    return False


def stac_scenes(path: Path | str, asset: str | None = None, fetch: bool = False) -> list[Scene]:
    """List the scenes of a catalogue.

    Args:
        path: of its file, or its address.
        asset: name of the asset to take of each item, such as `visual`, or `role:NAME`; None: the one with the role
            `data`, or the only raster.
        fetch: whether what it names at addresses may be fetched: children and items now, assets when they are encoded.

    Returns:
        List of `Scene` with the items' times, called `COLLECTION/ITEM/ASSET`; `ITEM/ASSET` where an item names no
        collection.

    Raises:
        DataError: if it is no STAC, an item has no such asset, or an asset is not on this machine and not to be
            fetched.
    """
    items = _parquet_items(path) if _suffix(path).endswith("parquet") else list(_items(path, 0, fetch, set()))
    return [_scene(item, base, asset, fetch) for item, base in items]


def _suffix(path):
    return Path(urlparse(address(path)).path if is_address(path) else path).suffix.lower()


def _items(path, depth, fetch, seen):
    """Yield (item, where what it names is looked for) of everything below a file; what several name comes once."""
    if depth > _MOST_DEPTH:
        raise DataError(f"The catalogue at {path} is more than {_MOST_DEPTH} levels deep: does it name itself?")
    value = _load(path)
    kind = _kind(value)
    if kind is None:
        raise DataError(f"{path} is no STAC: expected an Item, ItemCollection, Collection or Catalog.")
    if kind in ("Feature", "FeatureCollection"):
        for item in [value] if kind == "Feature" else value["features"]:
            _check_item(item, path)
            yield item, path
    else:
        for link in _links(value, path):
            if link.get("rel") in ("item", "child"):
                below = _reference(link["href"], path, fetch)
                if str(below) not in seen:
                    seen.add(str(below))
                    yield from _items(below, depth + 1, fetch, seen)


def _check_item(item, path):
    """Refuse an item whose parts are of other kinds than the standard says."""
    assets = item.get("assets")
    given = [asset for asset in assets.values() if asset] if isinstance(assets, dict) else [None]
    well_formed = all(isinstance(asset, dict) and isinstance(asset.get("roles") or [], list) for asset in given)
    named = isinstance(item.get("id"), (str, int))
    if not (well_formed and named and isinstance(item.get("properties") or {}, dict)):
        raise DataError(f"{path} is no valid STAC: expected items with id, assets and properties. Received others.")


def _links(value, path):
    links = value.get("links") or []
    followed = ("item", "child")
    if not isinstance(links, list) or not all(
        isinstance(link, dict) and (link.get("rel") not in followed or isinstance(link.get("href"), str))
        for link in links
    ):
        raise DataError(f"{path} is no valid STAC: expected links with rel and href. Received others.")
    return links


def _parquet_items(path):
    import pyarrow.parquet as pq

    with local_copy(path) as file, reading_parquet(path):
        rows = pq.read_table(file).to_pylist()
    for row in rows:
        _check_item(row, path)
        assets = {name: asset for name, asset in row["assets"].items() if asset}
        times = {name: row.get(name) for name in ("datetime", "start_datetime")}
        texts = {name: time.isoformat() if hasattr(time, "isoformat") else time for name, time in times.items()}
        yield {"id": row["id"], "collection": row.get("collection"), "assets": assets, "properties": texts}, path


def _scene(item, base, wanted, fetch):
    name, asset = _choose(item, wanted)
    if not isinstance(asset.get("href"), str):
        raise DataError(f"The asset {name!r} of the STAC item {item['id']!r} in {base} has no href. Name another one.")
    path = _reference(asset["href"], base, fetch)
    # Whether something stands at an address is seen when it is encoded.
    if not is_address(path) and not exists(path):
        raise DataError(f"The asset {name!r} of the STAC item {item['id']!r} is not there: {path}")
    properties = item.get("properties") or {}
    time = properties.get("datetime") or properties.get("start_datetime")
    # Ids of items are their own within a collection.
    collection = item.get("collection")
    called = f"{item['id']}/{name}"
    return Scene(str(path), f"{collection}/{called}" if collection else called, time)


def _choose(item, wanted):
    assets = {name: asset for name, asset in item["assets"].items() if asset}
    if wanted is None:
        found = _with_role(assets, "data") or [
            (name, asset) for name, asset in assets.items() if str(asset.get("type", "")).startswith(_RASTERS)
        ]
    elif wanted.startswith("role:"):
        found = _with_role(assets, wanted.removeprefix("role:"))
    else:
        found = [(wanted, assets[wanted])] if wanted in assets else []
    if len(found) != 1:
        raise DataError(
            f"The STAC item {item.get('id')!r} has {len(found)} assets for {wanted or 'data'}. Name one by --asset, or "
            f"by --asset role:ROLE. It has: {', '.join(assets)}"
        )
    return found[0]


def _with_role(assets, role):
    return [(name, asset) for name, asset in assets.items() if role in (asset.get("roles") or ())]


def _reference(href: str, base: Any, fetch: bool) -> Any:
    """Return a path or an address of an absolute reference, or one relative to a file.

    Raises:
        DataError: for an address, if nothing is to be fetched.
    """
    if is_address(href) or (is_address(base) and not urlparse(href).scheme):
        found = address(href) if is_address(href) else _joined(base, href)
        if not fetch:
            raise DataError(
                f"{found} is not on this machine, and what a catalogue names is not fetched unasked. Say --fetch, or "
                "fetch it first."
            )
        return found
    path = Path(unquote(urlparse(href).path))
    return path if path.is_absolute() else Path(base).parent / path


def _joined(base, href):
    """Return the address of a reference relative to another; `urljoin` knows protocols of the web only."""
    protocol, rest = address(base).split("://", 1)
    return f"{protocol}://" + urljoin(f"http://{rest}", href).removeprefix("http://")


def _load(path):
    try:
        if is_address(path):
            return json.loads(read_address(path, _MOST_BYTES))
        return json.loads("\n".join(read_lines(path)))
    except (OSError, ValueError, RecursionError, DataError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}).") from error


def _kind(value):
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("Catalog", "Collection"):
        return kind
    if kind == "Feature" and "assets" in value:
        return kind
    features = value.get("features") if kind == "FeatureCollection" else None
    if isinstance(features, list) and all(isinstance(item, dict) and "assets" in item for item in features):
        return kind
    return None
