"""Run `keras-dhnn query`: the images of a run's database that are nearest to any image file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json
from keras_dhnn.errors import SettingError


def query(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run, such as runs/ucmd-paper-64; left out with --server.", metavar="RUN")
    ],
    image: Annotated[
        Path | None, typer.Argument(help="An image file: TIFF, PNG, JPEG, WebP, ...", metavar="IMAGE")
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
        str | None, typer.Option("--class", help="Find images of this class only.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    as_json: Json = False,
):
    """Find the images in a run's database that are nearest to an image, and draw them.

    Examples:

      keras-dhnn query runs/ucmd-paper-64 harbour.png

      keras-dhnn query runs/ucmd-dual-paper-32 harbour-grey.png --from pan --to mul

      keras-dhnn query --server http://localhost:8501/v1/models/ucmd harbour.png

      keras-dhnn query --server http://localhost:8501/v1/models/dsrsid grey.png --from pan --to mul
    """
    if server is not None:
        _query_server(server, run if image is None else image, k, (source, target), class_name, as_json)
        return
    if image is None:
        raise SettingError("Expected a run and an image: keras-dhnn query RUN IMAGE, or --server URL IMAGE.")
    from keras_dhnn.workflows.query import query as query_run

    result = query_run(run, image, k=k, source=source, target=target, class_name=class_name, data=data)
    if as_json:
        print(json.dumps(result))
        return
    _print_table(result["results"])
    if result["figure"]:
        print(result["figure"])


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
        print(line.rstrip())
