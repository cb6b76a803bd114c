"""Run `keras-dhnn index`: items into and out of an exported model, without training it again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import Json, Quiet
from keras_dhnn.cli.plain_help import PlainHelp
from keras_dhnn.errors import SettingError

index = typer.Typer(
    help="Change what an exported model searches: writes its next version, which a server picks up by itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Export = Annotated[Path, typer.Argument(help="Folder of an exported model, RUN/export/NAME.", metavar="EXPORT")]
_Source = Annotated[str | None, typer.Option(help="Which of several image sources, such as pan.")]


@index.command(cls=PlainHelp)
def add(
    export: _Export,
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Image files, and folders of them at any depth; their keys are these paths.", metavar="IMAGE"
        ),
    ] = None,
    listed: Annotated[
        Path | None, typer.Option("--list", help="A text file of more paths, one a line, UTF-8.", metavar="FILE")
    ] = None,
    label: Annotated[str | None, typer.Option("--class", help="Class of all of them, if it is known.")] = None,
    source: _Source = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Add images to what an exported model searches.

    They are read in batches, as many as there are. Those whose keys are there stay as they are. If another command is
    changing the same model, this one waits for it, so that what it added stays. This runs the export's operations: keep
    to models whose origin you know.

    Examples:

      keras-dhnn index add runs/ucmd-paper-64/export/ucmd new/*.tif

      keras-dhnn index add runs/ucmd-paper-64/export/ucmd new/

      keras-dhnn index add runs/ucmd-paper-64/export/ucmd --list new.txt
    """
    from keras_dhnn.workflows.image_paths import read_path_list
    from keras_dhnn.workflows.index import add_images

    paths = [*(images or []), *(read_path_list(listed) if listed is not None else [])]
    if not paths:
        raise SettingError("Expected images to add: files, folders, or --list FILE.")
    known: list[str] = []
    path = add_images(export, paths, label=label, source=source, known=known, bar=bars(quiet))
    _report(path, as_json, {"known": len(known)})
    if known and not as_json:
        print(
            f"{len(known):,} were there by their keys and stay as they are; to encode one again, index remove it first"
        )


@index.command(cls=PlainHelp)
def remove(
    export: _Export,
    keys: Annotated[list[str], typer.Argument(help="Keys of items, as a search lists them.", metavar="KEY")],
    source: _Source = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Remove items from what an exported model searches.

    Example: keras-dhnn index remove runs/ucmd-paper-64/export/ucmd beach/beach07.tif beach/beach07.tif@90
    """
    from keras_dhnn.workflows.index import remove_items

    _report(remove_items(export, keys, source=source, bar=bars(quiet)), as_json)


def _report(path, as_json, more=None):
    from keras_dhnn.saved_models.version.exporter import read_card

    items = {source: found["items"] for source, found in read_card(path)["index"].items()}
    if as_json:
        print(json.dumps({"path": str(path), "items": items} | (more or {})))
        return
    print(path)
    for source, count in items.items():
        print(f"searches {count:,} items of {source!r}")
