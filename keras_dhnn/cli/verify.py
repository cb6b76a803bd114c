"""Run `keras-dhnn verify`: whether what was written is still what it was."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import Json, Quiet
from keras_dhnn.cli.printing import printable


def verify(
    path: Annotated[
        Path,
        typer.Argument(
            help="Folder of a data set, a run, an exported model or an archive, or of many: data.", metavar="PATH"
        ),
    ],
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Read every file of data sets, runs, exports and archives, and compare it with what was written. Exit status 2 if
    one has changed or is missing.

    The other verbs compare what they read of runs and exports by themselves.

    Examples:

      keras-dhnn verify runs/ucmd-paper-64

      keras-dhnn verify data

      keras-dhnn verify tiles
    """
    from keras_dhnn.workflows.verify import verify as check

    found = check(path, bar=bars(quiet, delay=2))
    if as_json:
        print(json.dumps([{**one._asdict(), "path": str(one.path)} for one in found]))
    else:
        for one in found:
            print(printable(f"{one.path}: {one.kind}, {_state(one)}"))
            for fault in one.faults:
                print(printable(f"  {fault}"))
    raise typer.Exit(2 if any(one.faults for one in found) else 0)


def _state(one):
    if one.faults:
        return "damaged"
    if not one.files:
        return "nothing to compare with: it was made by a version that kept no checksums"
    return f"{one.files} files as they were written" if one.files > 1 else "1 file as it was written"
