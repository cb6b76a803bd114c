"""Read scenes that a STAC catalogue on disk names: Item, ItemCollection, Collection, Catalog, or STAC GeoParquet."""

import json
from pathlib import Path
from urllib.parse import unquote, urlparse

from keras_dhnn.archive.tiles.scenes import Scene
from keras_dhnn.errors import DataError
from keras_dhnn.files import read_lines

_MOST_DEPTH = 32
_RASTERS = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2")


def is_stac(path: Path | str) -> bool:
    """Return whether a file is STAC: JSON with its type, or GeoParquet with a column `assets`."""
    path = Path(path)
    if path.suffix.lower() in (".json", ".geojson"):
        return _kind(_load(path)) is not None
    if path.suffix.lower() in (".parquet", ".geoparquet"):
        import pyarrow.parquet as pq

        return "assets" in pq.read_schema(path).names
    return False


def stac_scenes(path: Path | str, asset: str | None = None) -> list[Scene]:
    """List the scenes of a catalogue.

    Args:
        path: of its file.
        asset: name of the asset to take of each item, such as `visual`, or `role:NAME`; None: the one with the role
            `data`, or the only raster.

    Returns:
        List of `Scene`, called `ITEM/ASSET`, with the items' times.

    Raises:
        DataError: if it is no STAC, an item has no such asset, or an asset is not on this machine.
    """
    path = Path(path)
    items = _parquet_items(path) if path.suffix.lower().endswith("parquet") else list(_items(path, 0))
    return [_scene(item, base, asset) for item, base in items]


def _items(path, depth):
    """Yield (item, folder) of everything below a file."""
    if depth > _MOST_DEPTH:
        raise DataError(f"The catalogue at {path} is more than {_MOST_DEPTH} levels deep: does it name itself?")
    value = _load(path)
    kind = _kind(value)
    if kind is None:
        raise DataError(f"{path} is no STAC: expected an Item, ItemCollection, Collection or Catalog.")
    if kind == "Feature":
        yield value, path.parent
    elif kind == "FeatureCollection":
        yield from ((item, path.parent) for item in value["features"])
    else:
        for link in value.get("links", ()):
            if link.get("rel") in ("item", "child"):
                yield from _items(_local(link["href"], path.parent), depth + 1)


def _parquet_items(path):
    import pyarrow.parquet as pq

    for row in pq.read_table(path).to_pylist():
        assets = {name: asset for name, asset in row["assets"].items() if asset}
        times = {name: row.get(name) for name in ("datetime", "start_datetime")}
        texts = {name: time.isoformat() if hasattr(time, "isoformat") else time for name, time in times.items()}
        yield {"id": row["id"], "assets": assets, "properties": texts}, path.parent


def _scene(item, base, wanted):
    name, asset = _choose(item, wanted)
    path = _local(asset["href"], base)
    if not path.exists():
        raise DataError(f"The asset {name!r} of the STAC item {item['id']!r} is not there: {path}")
    properties = item.get("properties", {})
    time = properties.get("datetime") or properties.get("start_datetime")
    return Scene(str(path), f"{item['id']}/{name}", time)


def _choose(item, wanted):
    assets = item.get("assets", {})
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


def _local(href, base):
    """Return a path on this machine of an absolute or relative reference."""
    parts = urlparse(href)
    if parts.scheme not in ("", "file"):
        raise DataError(f"{href} is not on this machine. Fetch it first: nothing is downloaded here.")
    path = Path(unquote(parts.path))
    return path if path.is_absolute() else base / path


def _load(path):
    try:
        return json.loads("\n".join(read_lines(path)))
    except (OSError, ValueError, RecursionError, DataError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}).") from error


def _kind(value):
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("Catalog", "Collection"):
        return kind
    if kind == "Feature" and "assets" in value:
        return kind
    if kind == "FeatureCollection" and all("assets" in item for item in value.get("features", ())):
        return kind
    return None
