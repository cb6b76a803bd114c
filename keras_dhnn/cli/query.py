"""Run `keras-dhnn query`: the images of a run's database that are nearest to any image file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.options import DataFolder, Json, Quiet
from keras_dhnn.cli.printing import printable
from keras_dhnn.errors import SettingError

_EXPECTED = "Expected a run and an image: keras-dhnn query RUN IMAGE, or --server URL IMAGE."


def query(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run, such as runs/ucmd-paper-64; with --server there is none.", metavar="RUN"),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            help="An image file: TIFF, PNG, JPEG, WebP, ... With --out several, and folders of them at any depth.",
            metavar="IMAGE",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write what is found for many images to this file, .csv or .jsonl.", metavar="FILE"),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", help="A text file of more paths, one a line, UTF-8.", metavar="FILE")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="Ask this server instead, such as http://localhost:8501/v1/models/ucmd.", metavar="URL"),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    source: Annotated[
        str | None, typer.Option("--from", help="Of a cross-source run or server: what the image is, such as pan.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="Of a cross-source run or server: what to search in, such as mul.")
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Find only images of this class, or with this label.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the images in a run's database that are nearest to an image, and draw them.

    Examples:

      keras-dhnn query runs/ucmd-paper-64 harbour.png

      keras-dhnn query runs/ucmd-paper-64 new/ --out results.csv

      keras-dhnn query runs/ucmd-dual-paper-32 harbour-grey.png --from pan --to mul

      keras-dhnn query --server http://localhost:8501/v1/models/ucmd harbour.png

      keras-dhnn query --server http://localhost:8501/v1/models/dsrsid grey.png --from pan --to mul
    """
    # With a server there is no run, so that the first word is an image.
    images = [*([] if server is None or run is None else [run]), *(images or [])]
    if run is None and (server is None or listed is None):
        raise SettingError(_EXPECTED)
    if out is not None or listed is not None:
        how = {"source": source, "target": target, "class_name": class_name, "data": data}
        _query_files(None if server else run, images, out, listed, quiet, as_json, server=server, k=k, **how)
        return
    if not images:
        raise SettingError(_EXPECTED)
    if len(images) > 1 or images[0].is_dir():
        raise SettingError("Several images need a file for what is found: --out FILE.csv or FILE.jsonl.")
    (image,) = images
    if server is not None or run is None:  # one of them is there
        _query_server(server, image, k, (source, target), class_name, as_json)
        return
    from keras_dhnn.workflows.query import query as query_run

    result = query_run(run, image, k=k, source=source, target=target, class_name=class_name, data=data)
    if as_json:
        print(json.dumps(result))
        return
    _print_table(result["results"])
    if result["figure"]:
        print(result["figure"])


def _query_files(run, images, out, listed, quiet, as_json, **how):
    from keras_dhnn.workflows.image_paths import read_path_list
    from keras_dhnn.workflows.query_files import query_files

    if out is None:
        raise SettingError("A list of images needs a file for what is found: --out FILE.csv or FILE.jsonl.")
    images += read_path_list(listed) if listed is not None else []
    if not images:
        raise SettingError("Expected images: files, folders, or --list FILE.")
    result = query_files(run, images, out, bar=bars(quiet), say=notices(quiet), **how)
    if as_json:
        print(json.dumps(result))
    else:
        failed = f", {result['failed']} of them could not be searched" if result["failed"] else ""
        print(f"{result['out']}: {result['queries']} queries{failed}.")


def _query_server(server, image, k, task, class_name, as_json):
    from keras_dhnn.workflows.remote_query import search_remote

    found = search_remote(server, image, k, task, class_name)
    if as_json:
        print(json.dumps({"query": str(image), "results": found, "server": server}))
    else:
        _print_table(found)


def _print_table(found):
    print("rank  distance  class                 image")
    for one in found:
        line = "{rank:4}  {distance:8}  {class:20}  {id} {turned}".format(**{"turned": ""} | one)
        print(printable(line.rstrip()))
