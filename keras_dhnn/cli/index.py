"""`keras-dhnn index`: items into and out of an exported model, without training it again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import Json

index = typer.Typer(
    help="Change what an exported model searches: writes its next version, which a server picks up by itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Export = Annotated[Path, typer.Argument(help="Folder of an exported model, RUN/export/NAME.", metavar="EXPORT")]
_Source = Annotated[str | None, typer.Option(help="Which of several image sources, such as pan.")]


@index.command()
def add(
    export: _Export,
    images: Annotated[list[Path], typer.Argument(help="Image files; their keys are these paths.", metavar="IMAGE...")],
    label: Annotated[str | None, typer.Option("--class", help="Class of all of them, if it is known.")] = None,
    source: _Source = None,
    as_json: Json = False,
):
    """Add images to what an exported model searches.

    Example: keras-dhnn index add runs/ucmd-paper-64/export/ucmd new/*.tif
    """
    from keras_dhnn.workflows.index import add_images

    _report(add_images(export, images, label=label, source=source), as_json)


@index.command()
def remove(
    export: _Export,
    keys: Annotated[list[str], typer.Argument(help="Keys of items, as a search lists them.", metavar="KEY...")],
    source: _Source = None,
    as_json: Json = False,
):
    """Remove items from what an exported model searches.

    Example: keras-dhnn index remove runs/ucmd-paper-64/export/ucmd beach/beach07.tif beach/beach07.tif@90
    """
    from keras_dhnn.workflows.index import remove_items

    _report(remove_items(export, keys, source=source), as_json)


def _report(path, as_json):
    from keras_dhnn.saved_models.version.exporter import read_card

    items = {source: found["items"] for source, found in read_card(path)["index"].items()}
    if as_json:
        print(json.dumps({"path": str(path), "items": items}))
        return
    print(path)
    for source, count in items.items():
        print(f"searches {count:,} items of {source!r}")
