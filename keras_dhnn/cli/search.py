"""Run `keras-dhnn search`: the items of an archive that are nearest to images or to other items."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json
from keras_dhnn.errors import SettingError


def search(
    archive: Annotated[Path, typer.Argument(help="Folder of an archive, see keras-dhnn encode.", metavar="ARCHIVE")],
    wanted: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, or ids of items of the archive.", metavar="IMAGE|ID..."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many items to find for each.")] = 10,
    radius: Annotated[int | None, typer.Option(min=0, help="Only items in which at most so many bits differ.")] = None,
    where: Annotated[
        str | None,
        typer.Option(help="A condition over the columns: \"label = 'forest' and time > '2020-01-01'\".", metavar="SQL"),
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(help="Only items here, in degrees.", metavar="WEST,SOUTH,EAST,NORTH")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only items of this time or later, such as 2020-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Only items before this time.")] = None,
    like: Annotated[list[str] | None, typer.Option(help="An id; repeat it. The items that are like all these.")] = None,
    unlike: Annotated[list[str] | None, typer.Option(help="An id; repeat it. With --like: and not like these.")] = None,
    rank: Annotated[
        str, typer.Option(help="What orders equal distances: auto, hamming (ids), asymmetric (outputs) or features.")
    ] = "auto",
    precision: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Cut where so few are expected to be right (see archive calibrate)."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Which of several image sources, such as pan.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb, or spark (see --master).")] = "duckdb",
    master: Annotated[str, typer.Option(help="Spark's master, such as local[*] or spark://host:7077.")] = "local[*]",
    geojson: Annotated[Path | None, typer.Option(help="Write footprints as GeoJSON.", metavar="FILE")] = None,
    geoparquet: Annotated[Path | None, typer.Option(help="Write them as GeoParquet.", metavar="FILE")] = None,
    gallery: Annotated[Path | None, typer.Option(help="Draw what was found, as PNG.", metavar="FILE")] = None,
    model: Annotated[Path | None, typer.Option(help="Where the archive's run or export has moved to.")] = None,
    data: DataFolder = Path("data"),
    as_json: Json = False,
):
    """Search an archive for what is most like an image or an item of it: exactly, by the number of bits that differ.

    Examples:

      keras-dhnn search tiles harbour.png -k 50 --where "time > '2020-01-01'" --geojson found.geojson

      keras-dhnn search tiles --like scene1.tif#256/000256/000512 --unlike scene1.tif#256/000000/000000
    """
    from keras_dhnn.workflows.search_archive import make_queries, open_archive, run_search

    opened = open_archive(archive)
    asked = make_queries(
        opened, wanted or [], like=like or (), unlike=unlike or (), source=source, model=model, data=data
    )
    results = run_search(
        opened,
        asked,
        engine=engine,
        master=master,
        k=k,
        radius=radius,
        where=where,
        bbox=None if bbox is None else _box(bbox),
        time=(since, until) if since or until else None,
        source=source,
        rank=rank,
        precision=precision,
        geometry=bool(geojson or geoparquet),
    )
    if geojson:
        results.write_geojson(geojson)
    if geoparquet:
        results.write_geoparquet(geoparquet)
    if gallery:
        from keras_dhnn.workflows.archive_gallery import draw_gallery

        draw_gallery(opened, asked, results, gallery)
    if as_json:
        print(json.dumps({"queries": asked.names, "results": results.to_list()}))
        return
    _print_table(asked.names, results)


def _box(text):
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SettingError(f"Expected --bbox WEST,SOUTH,EAST,NORTH in degrees. Received: {text!r}") from error


def _print_table(names, results):
    rows = results.to_list()
    calibrated = rows and "precision" in rows[0]
    for number, name in enumerate(names):
        print(name)
        print(f"rank  distance  {'expected  ' if calibrated else ''}{'label':16}  id")
        for row in rows:
            if row["query"] == number:
                expected = f"{row['precision']:8.0%}  " if calibrated else ""
                print(f"{row['rank']:4}  {row['distance']:8}  {expected}{row['label'] or '':16}  {row['id']}".rstrip())
