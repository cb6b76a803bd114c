"""Run `keras-dhnn encode`: images, scenes and others' embeddings into an archive."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json, Quiet
from keras_dhnn.errors import SettingError


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
        list[Path] | None,
        typer.Argument(
            help="Image files, folders, GeoTIFF scenes of any size, lists (.txt, .csv with a column path), STAC files.",
            metavar="IMAGES...",
        ),
    ] = None,
    archive: Annotated[Path, typer.Option(help="Folder of the archive; made if need be.", metavar="DIR")] = Path(
        "archive"
    ),
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
    labels: Annotated[
        str | None,
        typer.Option(
            help="folder: an image's label is the name of its folder; or a CSV file with the columns path and label.",
            metavar="folder|FILE",
        ),
    ] = None,
    bits: Annotated[int, typer.Option(help="Length of codes that are learned here, a multiple of 8.")] = 64,
    size: Annotated[int, typer.Option(min=8, help="Side of the images that a backbone is given.")] = 256,
    features: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Keep so many int8 features beside each code, which order equal distances; 0: none. By default 32; an "
            "exported model has none.",
        ),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(help="Float vectors that others made: Parquet, GeoParquet, NPZ, NPY or Zarr.", metavar="FILE"),
    ] = None,
    column: Annotated[str | None, typer.Option(help="Where the vectors are in that file.")] = None,
    source: Annotated[str | None, typer.Option(help="Which of a model's several image sources, such as pan.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="spark: by the workers of a Spark cluster. By default here.", metavar="spark")
    ] = None,
    master: Annotated[str, typer.Option(help="Spark's master, such as local[*] or spark://host:7077.")] = "local[*]",
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave damaged files out, and name them.")
    ] = False,
    data: DataFolder = Path("data"),
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Encode images into an archive that is searched with keras-dhnn search.

    What is in the archive with the same content is not encoded again, so a run that was killed is gone on with by the
    same command.

    Examples:

      keras-dhnn encode runs/ucmd-paper-64 my-images --archive tiles

      keras-dhnn encode efficientnet_lite0 scene1.tif scene2.tif --archive tiles --tile 256 --stride 128

      keras-dhnn encode --embeddings clay.parquet --column embedding --archive clay --bits 256
    """
    from keras_dhnn.archive.tiles import Cut
    from keras_dhnn.cli.bars import bars
    from keras_dhnn.workflows.encode_archive import Options, encode_archive

    if embeddings is not None:
        _encode_vectors(embeddings, column, archive, bits, quiet, as_json)
        return
    if model is None or not images:
        raise SettingError("Expected a model and images: keras-dhnn encode MODEL IMAGES... --archive DIR")
    numbers = {name: _numbers(name, text) for name, text in (("scales", scales), ("bands", bands)) if text is not None}
    options = Options(
        Cut(tile, stride, numbers["scales"], numbers.get("bands")),
        asset,
        labels,
        skip_damaged,
        bits,
        features,
        size,
        data,
        source,
    )
    if engine not in (None, "spark"):
        raise SettingError(f"Expected --engine spark, or none. Received: {engine!r}")
    if engine == "spark":
        from keras_dhnn.workflows.encode_by_spark import encode_by_spark

        _report(encode_by_spark(model, images, archive, options, master=master), as_json)
        return
    _report(encode_archive(model, images, archive, options, bar=bars(quiet)), as_json)


def _encode_vectors(path, column, archive, bits, quiet, as_json):
    from keras_dhnn.cli.bars import bars
    from keras_dhnn.workflows.encode_vectors import encode_vectors

    found = encode_vectors(path, archive, column=column, bits=bits, bar=bars(quiet))
    _report(found, as_json, {"recall_at_10": found.recall})


def _report(encoded, as_json, more=None):
    info, counted = encoded.archive.info, encoded.counted
    if as_json:
        skipped = [{"name": one.name, "reason": one.reason} for one in encoded.skipped]
        values = {"archive": str(info.path), "items": info.rows, "skipped": skipped, **vars(counted), **(more or {})}
        print(json.dumps(values))
        return
    for one in encoded.skipped:
        typer.echo(f"left out: {one.name}: {one.reason}", err=True)
    counts = f"{counted.added:,} new, {counted.replaced:,} changed, {counted.known:,} known or empty"
    print(f"{info.path}: {info.rows:,} items ({counts})")
    if more and more.get("recall_at_10") is not None:
        print(f"Of the ten nearest by the vectors, {more['recall_at_10']:.1%} are among the ten nearest by the codes.")


def _numbers(name, text):
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise SettingError(f"Expected --{name} as whole numbers from 1 with commas, such as 1,2. Received: {text!r}")
    return numbers
