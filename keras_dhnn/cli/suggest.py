"""Run `keras-dhnn suggest`: which images to label next."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.options import DataFolder, Json, LabelFile, Quiet


def suggest(
    name: Annotated[str, typer.Argument(help="The prepared data set.", metavar="NAME")],
    count: Annotated[int, typer.Option("-n", min=1, help="How many images to suggest.", metavar="N")] = 20,
    labels: LabelFile = None,
    data: DataFolder = Path("data"),
    seed: Annotated[int, typer.Option(min=0, help="Of the sample that is looked at, of large collections.")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say which images to label next, as rows for the table of labels.

    Their labels would tell most of the others: they are in doubt, many are like them, and they are unlike each other.

    Examples:

      keras-dhnn suggest archive -n 20 > to-label.csv

      keras-dhnn suggest archive -n 20 --labels labels.csv
    """
    from keras_dhnn.files import guarded
    from keras_dhnn.workflows.suggest import suggest as choose

    names = choose(name, count=count, labels=labels, data=data, seed=seed, bar=bars(quiet), say=notices(quiet))
    if as_json:
        print(json.dumps(names))
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "label"])
    writer.writerows([guarded(one), ""] for one in names)
