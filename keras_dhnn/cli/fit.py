"""Run `keras-dhnn fit`: prepared images to a trained hashing network, its codes and its scores."""

import contextlib
import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import Json, LabelFile, Quiet, SplitFile
from keras_dhnn.cli.training_options import training_options


@training_options()
def fit(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="The prepared data set: ucmd, sat4, ucmd-dual, dsrsid, your own.", metavar="NAME"),
    ] = None,
    split: SplitFile = None,
    labels: LabelFile = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help="grouped: regular expression that is looked for in the images' names; those in which it finds the "
            "same stay on one side of the split, in whatever folders they lie (where folders are classes, those of one "
            "class); every name has to match. 'scene[0-9]+' keeps scene12_a.tif and scene12_b.tif together, '^[^_]+' "
            "whatever is equal up to the first underscore.",
            metavar="REGEX",
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this unfinished run to where it would have ended.", metavar="RUN")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Train data-parallel: mirrored, on all GPUs of this machine; or multi_worker, by several processes, "
            "each started with this command and its own TF_CONFIG; the first one writes the run. The batch size is "
            "that of all together."
        ),
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the run below RUNS.", metavar="NAME")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **asked: Any,
) -> None:
    """Train a hashing network on a prepared data set, and score its retrieval.

    Examples:

      keras-dhnn fit ucmd --synthetic

      keras-dhnn fit ucmd --protocol grouped --bits 32

      keras-dhnn fit harbours --queries 0.1

      keras-dhnn fit harbours --group-pattern 'scene[0-9]+'

      keras-dhnn fit harbours --labels labels.csv

      keras-dhnn fit --resume runs/ucmd-paper-64
    """
    from keras_dhnn.workflows.fit import fit as fit_run

    if resume is not None:
        refuse_beside_resume(context, "strategy")
    with contextlib.ExitStack() as interruptible:
        run = fit_run(
            name,
            **asked,
            split=split,
            labels=labels,
            group_pattern=group_pattern,
            resume=resume,
            strategy=strategy,
            run_name=run_name,
            bar=bars(quiet),
            say=notices(quiet),
            started=lambda run: interruptible.enter_context(
                ends_well(f"Continue with: keras-dhnn fit --resume {shlex.quote(str(run.path))}")
            ),
        )
    if run is None:
        return
    if as_json:
        print(json.dumps(run.metrics))
        return
    from keras_dhnn.cli.tables import print_scores

    print_scores(run, run.metrics)
