"""Run `keras-dhnn search`: the items of an archive that are nearest to images or to other items."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json, Quiet
from keras_dhnn.cli.printing import printable


def search(
    archive: Annotated[
        str,
        typer.Argument(
            help="Folder of an archive, see keras-dhnn encode; or any folder of images, which is encoded first.",
            metavar="ARCHIVE|IMAGES",
        ),
    ],
    wanted: Annotated[
        list[str] | None,
        typer.Argument(help="Image files, or ids of items of the archive.", metavar="IMAGE|ID"),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="Of an archive of embeddings: a file of vectors that search, see encode.", metavar="FILE"),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Where the vectors are in that file.")] = None,
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
    like: Annotated[
        list[str] | None,
        typer.Option(
            help="An id; repeat it. The items that are like all these, by a score: see the column.", metavar="ID"
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option(help="An id; repeat it. With --like: and not like these.", metavar="ID")
    ] = None,
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
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(help="A setting of Spark's, such as spark.executor.memory=4g; repeat it.", metavar="NAME=VALUE"),
    ] = None,
    geojson: Annotated[Path | None, typer.Option(help="Write footprints as GeoJSON.", metavar="FILE")] = None,
    geoparquet: Annotated[Path | None, typer.Option(help="Write them as GeoParquet.", metavar="FILE")] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Draw the first ten that are found, as PNG.", metavar="FILE")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Where the archive's run or export has moved to.")] = None,
    data: DataFolder = Path("data"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search an archive for what is most like an image or an item of it: exactly, by the number of bits that differ.

    A folder of images is encoded by a network trained on photographs, without labels and without training; what it
    gave is kept in your cache, so that only new images are encoded the next time.

    Examples:

      keras-dhnn search my-images my-images/harbour.png

      keras-dhnn search tiles harbour.png -k 50 --where "time > '2020-01-01'" --geojson found.geojson

      keras-dhnn search tiles --like scene1.tif#256/000256/000512 --unlike scene1.tif#256/000000/000000
    """
    from keras_dhnn.cli.bars import bars, notices
    from keras_dhnn.workflows.search import search as search_archive

    found = search_archive(
        archive,
        wanted or (),
        k=k,
        radius=radius,
        where=where,
        bbox=bbox,
        since=since,
        until=until,
        like=like or (),
        unlike=unlike or (),
        embeddings=embeddings,
        column=column,
        rank=rank,
        precision=precision,
        source=source,
        engine=engine,
        master=master,
        spark_conf=spark_conf or (),
        geojson=geojson,
        geoparquet=geoparquet,
        gallery=gallery,
        model=model,
        data=data,
        bar=bars(quiet),
        say=notices(quiet),
    )
    if as_json:
        print(json.dumps(found))
        return
    _print_table(found["queries"], found["results"])


def _print_table(names, rows):
    columns = [(title, text) for name, (title, text) in _COLUMNS.items() if rows and name in rows[0]]
    for number, name in enumerate(names):
        print(printable(name))
        found = [row for row in rows if row["query"] == number]
        print("  ".join(title for title, _ in columns) if found else "nothing found")
        for row in found:
            print("  ".join(text(row) for _, text in columns).rstrip())


# Of what a row may have, the title of its column and how it is printed; the score alone orders --like.
_COLUMNS = {
    "rank": ("rank", lambda row: f"{row['rank']:4}"),
    "score": ("  score", lambda row: f"{row['score']:7.3f}"),
    "distance": ("distance", lambda row: f"{row['distance']:8}"),
    "precision": ("expected", lambda row: f"{row['precision']:8.0%}"),
    "label": (f"{'label':16}", lambda row: f"{printable(row['label'] or ''):16}"),
    "id": ("id", lambda row: printable(row["id"])),
}
