"""Run `keras-dhnn export`: a finished run as a model for TensorFlow Serving."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import DataFolder, Json, Quiet, RunPath
from keras_dhnn.errors import SettingError


def export(
    run: RunPath,
    index: Annotated[
        list[str],
        typer.Option(
            help="What is searched: database (of the run's split), all (all items), or a file of codes of this model. "
            "Of two sources: --index pan=CODES --index mul=CODES.",
            metavar="database|all|CODES",
        ),
    ] = ["database"],  # noqa: B006 - typer takes no tuple for a list
    name: Annotated[str | None, typer.Option(help="Of the model; by default the data set's.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Number of the version; by default the next.")] = None,
    thumbnails: Annotated[bool, typer.Option("--thumbnails", help="Small pictures of the items go with it.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of exported models; by default RUN/export.", metavar="DIR")
    ] = None,
    warmup: Annotated[
        bool,
        typer.Option("--warmup/--no-warmup", help="Requests that TensorFlow Serving replays when it loads the model."),
    ] = True,
    data: DataFolder = Path("data"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a run as one SavedModel that takes images and returns the most similar ones, for TensorFlow Serving.

    It goes to RUN/export/NAME/VERSION, or DIR/NAME/VERSION. Try it: keras-dhnn serve RUN/export/NAME
    """
    from keras_dhnn.pipelines.sources import sources_of
    from keras_dhnn.saved_models.version.exporter import read_card, read_signatures
    from keras_dhnn.workflows.export import export_run
    from keras_dhnn.workflows.open_run import open_run

    opened, info = open_run(run, data)
    chosen = _index(index, sources_of(info))
    how: dict[str, Any] = {"name": name, "version": version, "thumbnails": thumbnails, "warmup": warmup, "out": out}
    path = export_run(opened, info, index=chosen, bar=bars(quiet), **how)
    card = read_card(path)
    if as_json:
        print(json.dumps({"path": str(path), "signatures": sorted(read_signatures(path)), **card}))
        return
    print(path)
    print(f"signatures: {', '.join(sorted(read_signatures(path)))}")
    for source, found in card["index"].items():
        print(f"searches {found['items']:,} items by their {card['bits']} bits of {source!r}")


def _index(given, sources):
    """Return the argument `index` of `export_run`; a path may hold "=", too."""
    of_sources = dict(text.split("=", 1) for text in given if text.partition("=")[0] in sources and "=" in text)
    if len(of_sources) == len(given):
        return of_sources
    if len(given) == 1:
        return given[0]
    choices = " ".join(f"--index {source}=CODES" for source in sources)
    raise SettingError(f"Expected one --index, or one for each source: {choices}. Received: {' '.join(given)}")
