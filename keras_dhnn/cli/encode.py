"""Run `keras-dhnn encode`: images, scenes and others' embeddings into an archive."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import DataFolder, Json, Quiet
from keras_dhnn.cli.printing import printable


def encode(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Folder of a run or of an exported model; or a backbone such as efficientnet_lite0, whose bits are "
            "learned on the first images, without labels. Left out with --embeddings.",
            metavar="MODEL",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files, folders, GeoTIFF scenes of any size, lists (.txt, .csv with a column path), STAC files.",
            metavar="IMAGES",
        ),
    ] = None,
    archive: Annotated[str, typer.Option(help="Folder of the archive; made if need be.", metavar="DIR")] = "archive",
    tile: Annotated[int, typer.Option(min=8, help="Side of a scene's tiles, in pixels.")] = 256,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Pixels from one tile to the next; by default a tile.")
    ] = None,
    scales: Annotated[
        str, typer.Option(help="Whole numbers: 1,2,4 also makes tiles of twice and four times the ground.")
    ] = "1",
    bands: Annotated[
        str | None, typer.Option(help="Numbers of a scene's bands from 1, in the model's order, such as 4,3,2.")
    ] = None,
    asset: Annotated[
        str | None, typer.Option(help="Which asset of STAC items: its name, or role:ROLE. By default role:data.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch what a STAC catalogue names at addresses: items and that asset.")
    ] = False,
    labels: Annotated[
        str | None,
        typer.Option(
            help="folder: an image's label is the name of its folder; or a table with a row an image, as fit takes it, "
            "or a tile, by its id.",
            metavar="folder|FILE",
        ),
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Length of codes that are learned here, a multiple of 8; by default 64.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=8, help="Side of the images that a backbone is given; by default 256.")
    ] = None,
    features: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Keep so many int8 features beside each code, which order equal distances; 0: none. By default 32; an "
            "exported model has none.",
        ),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="Float vectors that others made: Parquet, GeoParquet, NPZ, NPY or Zarr.", metavar="FILE"),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Where the vectors are in that file.")] = None,
    learn_by: Annotated[
        str | None,
        typer.Option(
            help="What bits for embeddings are learned by: labels or vectors. Left out: labels where 100 vectors or "
            "more have one."
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Which of a model's several image sources, such as pan.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="spark: by the workers of a Spark cluster. By default here.", metavar="spark")
    ] = None,
    master: Annotated[str, typer.Option(help="Spark's master, such as local[*] or spark://host:7077.")] = "local[*]",
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(help="A setting of Spark's, such as spark.executor.memory=4g; repeat it.", metavar="NAME=VALUE"),
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave damaged files out, and name them.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Take out items whose files are gone from the folders and STAC collections that are named."
        ),
    ] = False,
    data: DataFolder = Path("data"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Encode images into an archive that is searched with keras-dhnn search.

    What is in the archive with the same content is not encoded again. If it is interrupted, run the same command
    again; it continues. The first 2,000 tiles of a new archive are written together, since bits and features are
    learned from them.

    Examples:

      keras-dhnn encode runs/ucmd-paper-64 my-images --archive tiles

      keras-dhnn encode efficientnet_lite0 scene1.tif scene2.tif --archive tiles --tile 256 --stride 128

      keras-dhnn encode --embeddings clay.parquet --column embedding --archive clay --bits 256
    """
    from keras_dhnn.cli.bars import bars
    from keras_dhnn.workflows.encode import encode as encode_into

    with ends_well(lambda: _kept(archive)):
        found = encode_into(
            model,
            images or (),
            archive=archive,
            tile=tile,
            stride=stride,
            scales=scales,
            bands=bands,
            asset=asset,
            fetch=fetch,
            labels=labels,
            bits=bits,
            size=size,
            features=features,
            embeddings=embeddings,
            column=column,
            learn_by=learn_by,
            source=source,
            engine=engine,
            master=master,
            spark_conf=spark_conf or (),
            skip_damaged=skip_damaged,
            prune=prune,
            data=data,
            bar=bars(quiet),
        )
    if as_json:
        print(json.dumps(found))
        return
    for one in found["skipped"]:
        typer.echo(printable(f"left out: {one['name']}: {one['reason']}"), err=True)
    print(
        "{archive}: {items:,} items ({added:,} new, {replaced:,} changed, {known:,} as they were or empty)".format(
            **found
        )
    )
    if found["relabelled"]:
        print(f"Items that were there, and got another label: {found['relabelled']:,}.")
    if found.get("pruned"):
        print(f"Items taken out, whose files are gone: {found['pruned']:,}.")
    if found.get("gone"):
        print(f"{found['gone']:,} items are of files that are no longer there (--prune removes them).")
    if found.get("unknown"):
        print(
            f"{found['unknown']:,} items stay though their files are not found: these cannot be reached, or their "
            "folder is empty, as it is where a disk is not mounted. If they are gone, remove the empty folders."
        )
    if "labelled" in found:
        print(f"Items that have a label: {found['labelled']:,}.")
    if found.get("recall_at_10") is not None:
        print(f"Bits were learned by {found['learned_by']}.")
        print(f"Of the ten nearest by the vectors, {found['recall_at_10']:.1%} are among the ten nearest by the codes.")


def _kept(archive):
    """Return what an interruption leaves, and how to go on."""
    from keras_dhnn.archive.store import Archive
    from keras_dhnn.errors import DataError

    try:
        rows = Archive.open(archive).info.rows
    except DataError:
        return (
            "Nothing is kept yet: the first 2,000 tiles are written together, since bits and features are learned from "
            "them. Start the same command again."
        )
    return f"{archive} has {rows:,} items now. Start the same command again: it goes on with the others."
