"""`keras-dhnn evaluate`: the scores and figures of a finished run."""

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
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
    from keras_dhnn.runs import Run
    from keras_dhnn.workflows.fit import evaluate_run

    run = Run.open(run)
    info = DatasetInfo.load(data / run.experiment.data.name)
    run.check_data(info)
    metrics = evaluate_run(run, info, tsne=tsne)
    if as_json:
        print(json.dumps(metrics))
    else:
        print_scores(run, metrics)
