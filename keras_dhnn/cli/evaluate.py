"""Run `keras-dhnn evaluate`: the scores and figures of a finished run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import DataFolder, Json, RunPath


def evaluate(
    run: RunPath,
    tsne: Annotated[
        bool, typer.Option("--tsne", help="Draw the queries' codes in the plane too, coloured by class, by t-SNE.")
    ] = False,
    data: DataFolder = Path("data"),
    as_json: Json = False,
):
    """Score a finished run anew, and draw its precision-recall curve and retrieval gallery.

    Mean average precision is over the whole database, and is the expectation over random orders among equal
    distances; the values of the stable, the worst and the best order stand beside it.
    """
    from keras_dhnn.cli.tables import print_scores
    from keras_dhnn.runs import Run
    from keras_dhnn.workflows.evaluate import evaluate as evaluate_run

    metrics = evaluate_run(run, tsne=tsne, data=data)
    if as_json:
        print(json.dumps(metrics))
    else:
        print_scores(Run(run), metrics)
