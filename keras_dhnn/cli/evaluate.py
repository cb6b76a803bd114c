"""Run `keras-dhnn evaluate`: the scores and figures of a finished run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json, LabelFile, RunPath
from keras_dhnn.errors import SettingError


def evaluate(
    run: RunPath,
    at: Annotated[
        str | None,
        typer.Option(
            help="Mean average precision of the first K ranks too, e.g. --at 10,50,100; divided by the number of "
            "relevant items, or by K if there are more.",
            metavar="K,...",
        ),
    ] = None,
    tsne: Annotated[
        bool, typer.Option("--tsne", help="Draw the queries' codes in the plane too, coloured by class, by t-SNE.")
    ] = False,
    labels: LabelFile = None,
    data: DataFolder = Path("data"),
    as_json: Json = False,
) -> None:
    """Score a finished run anew, and draw its precision-recall curve and retrieval gallery.

    Mean average precision is over the whole database, and is the expectation over random orders among equal
    distances; the values of the stable, the worst and the best order stand beside it. Where labels are missing, those
    of --labels are scored by, or the health of the codes is said alone. By --labels, figures are drawn anew,
    until the run is evaluated without; its own scores, metrics.json, stay: take the new ones by --json.
    """
    from keras_dhnn.cli.tables import print_scores
    from keras_dhnn.runs import Run
    from keras_dhnn.workflows.evaluate import evaluate as evaluate_run

    metrics = evaluate_run(run, at=_cutoffs(at), tsne=tsne, labels=labels, data=data)
    if as_json:
        print(json.dumps(metrics))
    else:
        print_scores(Run(run), metrics, kept=labels is None)


def _cutoffs(text):
    if text is None:
        return ()
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise SettingError(f"Expected whole numbers such as --at 10,50,100. Received: {text!r}") from None
