"""Run `keras-dhnn cache`: what is kept so that it is computed once."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json
from keras_dhnn.cli.plain_help import PlainHelp

cache = typer.Typer(
    help="See and remove what is kept so that it is computed once: what frozen layers make of all images, beside their "
    "data set; and in the user's cache converted networks, codes of folders that were searched as they lie, and the "
    "images of keras-dhnn demo. It is computed again when it is needed. "
    "KERAS_DHNN_CACHE_GIB (16) is how much a data set's may take; what was not used for longest makes room.",
    no_args_is_help=True,
)
Names = Annotated[
    list[str] | None, typer.Argument(help="Data sets, or networks, folders, demo; all if left out.", metavar="NAME")
]


@cache.command(cls=PlainHelp)
def info(names: Names = None, data: DataFolder = Path("data"), as_json: Json = False) -> None:
    """Say what is kept for each data set, and how much room it takes.

    Examples:

      keras-dhnn cache info

      keras-dhnn cache info ucmd --json
    """
    from keras_dhnn.training.cache import limit
    from keras_dhnn.workflows.kept import kept

    found = kept(data, names or ())
    if as_json:
        print(json.dumps({"limit": limit(), "kept": _rows(found)}))
        return
    _print(found, "Nothing is kept")


@cache.command(cls=PlainHelp)
def clear(names: Names = None, data: DataFolder = Path("data"), as_json: Json = False) -> None:
    """Remove what is kept, of all data sets or of some. The data sets themselves stay.

    Examples:

      keras-dhnn cache clear ucmd

      keras-dhnn cache clear networks --data /scratch/data

      keras-dhnn cache clear folders
    """
    from keras_dhnn.workflows.kept import clear as remove

    found = remove(data, names or ())
    if as_json:
        print(json.dumps({"removed": _rows(found)}))
        return
    _print(found, "Nothing was kept")


def _rows(found):
    return [one._asdict() | {"folder": str(one.folder)} for one in found]


def _print(found, nothing):
    if not found:
        print(f"{nothing}.")
        return
    print("data set              files        MiB  folder")
    for one in found:
        print(f"{one.name:20} {one.files:6} {one.nbytes / 2**20:10,.1f}  {one.folder}")
