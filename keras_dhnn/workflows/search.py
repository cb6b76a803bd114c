"""Search an archive for the items that are nearest to images, to other items, or to vectors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.archive.schema import make_schema
from keras_dhnn.archive.statistics import empty_columns
from keras_dhnn.archive.where import columns_in
from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.files import as_list
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.workflows.folder_archive import archive_of
from keras_dhnn.workflows.search_archive import make_queries, run_search


def search(
    archive: Path | str,
    wanted: Path | str | Sequence[Path | str] = (),
    *,
    k: int = 10,
    radius: int | None = None,
    where: str | None = None,
    bbox: str | Sequence[float] | None = None,
    since: str | None = None,
    until: str | None = None,
    like: str | Sequence[str] = (),
    unlike: str | Sequence[str] = (),
    embeddings: Path | str | None = None,
    column: str | None = None,
    rank: str = "auto",
    precision: float | None = None,
    source: str | None = None,
    engine: str = "duckdb",
    master: str = "local[*]",
    spark_conf: str | Sequence[str] = (),
    geojson: Path | str | None = None,
    geoparquet: Path | str | None = None,
    gallery: Path | str | None = None,
    model: Path | str | None = None,
    data: Path | str = Path("data"),
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> dict[str, Any]:
    """Find the items of an archive that are nearest, exactly: by distance, then as `rank` says, then by id.

    Args:
        archive: folder of an archive; or any folder of images, see `archive_of`.
        wanted: paths of image files, and ids of its items; one or several.
        k: how many items to find for each.
        radius: only items in which at most so many bits differ; None: any.
        where: condition over the columns, such as `"label = 'forest'"`.
        bbox: `"west,south,east,north"` or a sequence of these, in degrees.
        since: only items of this time or later, ISO 8601.
        until: only items before this time.
        like: an id or several; together with `unlike` they are one query, instead of `wanted`.
        unlike: an id or several.
        embeddings: path of a file of vectors that search, instead of `wanted`.
        column: where the vectors are in it.
        rank: "auto", "hamming", "asymmetric" or "features", see `Archive.search`.
        precision: cut each list where so few are expected to be right.
        source: which of several image sources.
        engine: "duckdb" or "spark".
        master: Spark's.
        spark_conf: settings of Spark's, `NAME=VALUE`; one or several.
        geojson: path of a GeoJSON file to write, or None.
        geoparquet: path of a GeoParquet file to write, or None.
        gallery: path of a PNG file to draw, the first ten items of each query; or None.
        model: path of the archive's run or export, where that has moved.
        data: folder of the prepared data sets.
        bar: see `progress`.
        say: is told what was done with a folder of images, which files were written, and why nothing was found.

    Returns:
        Dictionary of `queries`, what each is called, and `results`, a list of dictionaries in order of query and rank.

    Raises:
        DataError: if the archive, an image or a model cannot be used.
        SettingError: for an argument that is not as above.
    """
    opened = archive_of(archive, bar=bar, say=say)
    asked = make_queries(
        opened,
        [str(one) for one in as_list(wanted)],
        like=as_list(like),
        unlike=as_list(unlike),
        embeddings=embeddings,
        column=column,
        source=source,
        model=model,
        data=data,
    )
    results = run_search(
        opened,
        asked,
        engine=engine,
        master=master,
        spark_conf=as_list(spark_conf),
        geometry=bool(geojson or geoparquet),
        k=k,
        radius=radius,
        where=where,
        bbox=_box(bbox),
        time=(since, until) if since or until else None,
        source=source,
        rank=rank,
        precision=precision,
    )
    if not len(results):
        say(_why_nothing(opened, source, where, {"bbox": bbox, "since": since, "until": until}, radius, precision))
    if geojson:
        results.write_geojson(Path(geojson))
        say(f"{geojson}  footprints of {len(results):,} items, GeoJSON")
    if geoparquet:
        results.write_geoparquet(Path(geoparquet))
        say(f"{geoparquet}  footprints of {len(results):,} items, GeoParquet")
    if gallery:
        from keras_dhnn.workflows.archive_gallery import RANKS, draw_gallery

        draw_gallery(opened, asked, results, gallery)
        most = max(results.table["rank"].to_pylist(), default=0)
        say(f"{gallery}  pictures of {'what was found' if most <= RANKS else f'the first {RANKS} that were found'}")
    return {"queries": asked.names, "results": results.to_list()}


def _why_nothing(archive, source, where, others, radius, precision):
    """Return what no item meets, and which columns of it are empty, in a sentence."""
    columns = make_schema(archive.identity.bits, archive.identity.features).names
    asked = [*(columns_in(where, columns) if where else []), *(_COLUMNS[name] for name in others if others[name])]
    bounds = {"where": where, **others, "radius": radius, "precision": precision}
    given = [f"--{name} {value}" for name, value in bounds.items() if value is not None]
    empty = empty_columns(archive, list(dict.fromkeys(asked)), source)
    reason = f": no item has a value in {' or '.join(empty)}" if empty else ""
    return f"No item meets {' and '.join(given)}{reason}." if given else f"{archive.root} has no items."


# What options are about.
_COLUMNS = {"bbox": "bbox", "since": "time", "until": "time"}


def _box(given):
    if given is None:
        return None
    parts = given.split(",") if isinstance(given, str) else given
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError as error:
        raise SettingError(f"Expected --bbox WEST,SOUTH,EAST,NORTH in degrees. Received: {given!r}") from error
    return west, south, east, north
