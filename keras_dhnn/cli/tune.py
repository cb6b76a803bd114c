"""Run `keras-dhnn tune`: a search for settings."""

import contextlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import Json, Quiet
from keras_dhnn.cli.training_options import training_options

_TRIALS = 20
_PRINTED = 5


@training_options()
def tune(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The prepared data set: ucmd, sat4, or your own.", metavar="NAME")
    ] = None,
    tuner: Annotated[
        str,
        typer.Option(
            help="bayesian, random, hyperband (many trials for few epochs, the better ones continued) or grid (all "
            "combinations; of a range without a step, 10 values)."
        ),
    ] = "bayesian",
    trials: Annotated[
        int | None, typer.Option(min=1, help=f"Most trials: {_TRIALS}, for grid all, unless given.", metavar="N")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0, help="No trial starts after so many hours.")] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            help="What is searched, by default s,eta, and of two image sources alpha,beta,gamma. Also, in ranges of "
            "their own: bits, hidden, dropout, weight_decay, batch_size, pair_weighting, penalty, quantization, "
            "head.learning_rate, fine_tune.learning_rate, fine_tune.backbone_learning_rate, fine_tune.cut.",
            metavar="NAME,...",
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help='Instead of --vary: JSON such as {"eta": {"min": 0.01, "max": 1, "log": true}, "bits": [32, 64]}. A '
            'list of values, or a range; "log" spreads it evenly in powers, "step" leaves out what is between.',
            metavar="FILE",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue this search: finished trials are kept, those under way are done again. --trials and --hours "
            "may be given anew.",
            metavar="SEARCH",
        ),
    ] = None,
    search_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the search below RUNS.", metavar="NAME")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **asked: Any,
) -> None:
    """Search for the settings with the best validation mAP; the winner alone is scored on the queries, at the end.

    Trials validate on items held out of the database, a tenth of it unless --set data.validation says otherwise. A
    trial that fails (no finite loss, one code for all images, no memory) is recorded with its reason. Several processes
    or machines search together by KerasTuner's KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT:
    docs/measurements/tuning.md.

    Examples:

      keras-dhnn tune ucmd --protocol grouped --trials 40

      keras-dhnn tune sat4 --tuner hyperband --vary s,eta,batch_size --hours 8

      keras-dhnn tune --resume runs/tune-ucmd
    """
    from keras_dhnn.workflows.tune import tune as search

    if resume is not None:
        refuse_beside_resume(context, "trials", "hours")
    with contextlib.ExitStack() as interruptible:
        result = search(
            name,
            **asked,
            tuner=tuner,
            trials=trials,
            hours=hours,
            vary=[name.strip() for name in vary.split(",")] if vary else None,
            space=space,
            resume=resume,
            search_name=search_name,
            bar=bars(quiet),
            inner_bar=bars(quiet, delay=2),
            say=notices(quiet),
            started=lambda path: interruptible.enter_context(
                ends_well(f"Continue with: keras-dhnn tune --resume {shlex.quote(str(path))}")
            ),
        )
    if result is None:
        worker = os.environ.get("KERASTUNER_TUNER_ID", "This worker")
        print(f"{worker} is done. The chief has the results.", file=sys.stderr)
    elif as_json:
        print(json.dumps(result))
    else:
        _print(Path(result["path"]), result["trials"], result["winner"])


def _print(path, rows, winner):
    from rich.table import Table

    from keras_dhnn.cli.tables import TextConsole
    from keras_dhnn.tuning.names import symbol

    console = TextConsole()
    done = sorted((row for row in rows if row["status"] == "completed"), key=lambda row: -row["val_map"])
    failed = [row for row in rows if row["status"] == "failed"]
    kind = "synthetic images: not comparable with published scores" if winner["synthetic"] else "real images"
    table = Table(title=f"{path}: {winner['data']}, {kind}, {winner['protocol']}", title_justify="left")
    table.add_column("trial")
    for setting in winner["settings"]:
        table.add_column(symbol(setting), justify="right")
    table.add_column("validation mAP", justify="right")
    for row in done[:_PRINTED]:
        table.add_row(row["trial"], *map(_number, row["settings"].values()), f"{row['val_map']:.4f}")
    console.print_whole(table)
    console.print(f"{len(done)} trials finished, {len(failed)} failed.")
    for row in failed[:_PRINTED]:
        console.print(f"Trial {row['trial']} failed: {row['reason']}")
    console.print(
        f"The winner, trial {winner['trial']}, on the queries: mAP {winner['map']['expected']:.4f} "
        f"({winner['queries']} queries, {winner['database']} in the database, split {winner['split']})",
    )
    for part, what in (
        ("experiment.json", f"the winner: keras-dhnn fit --config {path / 'experiment.json'}"),
        ("trials.csv", "all trials"),
        ("figures", "parallel coordinates, heat map"),
        ("tensorboard", f"the HParams page: tensorboard --logdir {path / 'tensorboard'}"),
    ):
        console.print(f"{path / part}  {what}")


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
