"""`keras-dhnn tune`: a search for settings."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.data_sets import prepared, twin
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.grid import base_experiment
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import (
    Backbone,
    Bits,
    Config,
    DataFolder,
    Json,
    Protocol,
    Queries,
    Quiet,
    RunsFolder,
    Settings,
    Synthetic,
)
from keras_dhnn.experiment.resolve import chosen_experiment, read_settings

_TRIALS = 20
_PRINTED = 5


def tune(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The prepared data set: ucmd, sat4, or your own.", metavar="[NAME]")
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
    bits: Bits = None,
    protocol: Protocol = None,
    queries: Queries = None,
    backbone: Backbone = None,
    settings: Settings = None,
    config: Config = None,
    synthetic: Synthetic = False,
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
    data: DataFolder = Path("data"),
    runs: RunsFolder = Path("runs"),
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the split, the initial weights, the order, and the points tried.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Search for the settings with the best validation mAP; the winner alone is scored on the queries, at the end.

    Trials validate on items held out of the database, a tenth of it unless --set data.validation says otherwise. A
    trial that fails (no finite loss, one code for all images, no memory) is recorded with its reason. Several processes
    or machines search together by KerasTuner's KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP and KERASTUNER_ORACLE_PORT:
    docs/tuning.md.

    Examples:

      keras-dhnn tune ucmd --protocol grouped --set fine_tune.epochs=0 --trials 40

      keras-dhnn tune sat4 --tuner hyperband --vary s,eta,batch_size --hours 8

      keras-dhnn tune --resume runs/tune-ucmd
    """
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
    from keras_dhnn.runs import free_name
    from keras_dhnn.tuning.job import check_job, create_job, open_job
    from keras_dhnn.tuning.oracles import TUNERS
    from keras_dhnn.tuning.search import role

    part = role()
    if resume is not None:
        refuse_beside_resume(context, "trials", "hours")
        path, request = resume, open_job(resume, "tune")
        info = DatasetInfo.load(data / request["base"]["data"]["name"])
        check_job(path, request, info)
    else:
        if tuner not in TUNERS:
            raise ValueError(f"There is no tuner {tuner!r}. There are: {', '.join(TUNERS)}")
        experiment = chosen_experiment(
            *(name, data, config, bits, protocol, backbone, seed, ["data.validation=0.1", *(settings or [])]),
            queries=queries,
            draw=(lambda name: twin(name, data, bars(quiet))) if synthetic else None,
        )
        info = prepared(data, experiment.data.name)
        request = {
            "base": json.loads(experiment.to_json()),
            "space": _space(vary, space, experiment, info).to_json(),
            "tuner": tuner,
            "trials": None if tuner == "grid" else _TRIALS,
        }
        usual = f"tune-{experiment.data.name}"
        path = runs / (search_name or (free_name(runs, usual) if part == "alone" else usual))
        if part != "worker":
            create_job(path, "tune", {**request, "trials": trials or request["trials"]}, info)
    request["trials"] = trials or request["trials"]
    _search(path, request, info, part, hours, quiet, as_json)


def _space(vary, file, experiment, info):
    from keras_dhnn.tuning.space import Space
    from keras_dhnn.tuning.weights import check_weights, default_names

    if file is not None:
        if vary is not None:
            raise ValueError("--space says all that is searched. Leave out --vary.")
        space = read_settings(file, lambda text: Space.from_json(text, experiment))
    else:
        space = Space.of([name.strip() for name in vary.split(",")] if vary else default_names(info), experiment)
    check_weights(space.parts, info)
    return space


def _search(path, request, info, part, hours, quiet, as_json):
    import tensorflow as tf

    from keras_dhnn.tuning.search import score_winner, search
    from keras_dhnn.tuning.space import Space

    tf.config.experimental.enable_op_determinism()
    # Each trial is a network of its own, and so traced anew.
    tf.get_logger().setLevel("ERROR")
    experiment, inner = base_experiment(request), bars(quiet, delay=2)
    space = Space.from_json(json.dumps(request["space"]), experiment)
    with ends_well(f"Continue with: keras-dhnn tune --resume {path}"):
        rows = search(
            space,
            info,
            path,
            tuner=request["tuner"],
            trials=request["trials"],
            seed=experiment.seed + 1,  # KerasTuner takes 0 for none
            hours=hours,
            listener=lambda rows: _record(path, rows, space),
            bar=bars(quiet),
            inner_bar=inner,
        )
        if part == "worker":
            print(f"{os.environ['KERASTUNER_TUNER_ID']} is done. The chief has the results.", file=sys.stderr)
            return
        _record(path, rows, space)
        winner = score_winner(rows, space, info, path, bar=inner)
    _draw(path, rows, space, winner)
    if as_json:
        print(json.dumps({"path": str(path), "trials": rows, "winner": winner}))
    else:
        _print(path, rows, winner)


def _record(path, rows, space):
    from keras_dhnn.runs import write_text
    from keras_dhnn.tuning.hparams import write_hparams
    from keras_dhnn.tuning.trials import trials_csv

    write_text(path / "trials.csv", trials_csv(rows, space))
    write_hparams(path / "tensorboard", rows, space)


def _draw(path, rows, space, winner):
    from keras_dhnn.tuning.pictures import search_figures

    kind = ", synthetic" if winner["synthetic"] else ""
    title = f"{winner['data']}{kind}, {winner['protocol']}"
    (path / "figures").mkdir(exist_ok=True)
    for name, figure in search_figures(rows, space, title).items():
        figure.savefig(path / "figures" / f"{name}.png", dpi=120)


def _print(path, rows, winner):
    from rich.console import Console
    from rich.table import Table

    from keras_dhnn.tuning.names import symbol

    console = Console(soft_wrap=True)
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
    console.print(table)
    console.print(f"{len(done)} trials finished, {len(failed)} failed.", highlight=False)
    for row in failed[:_PRINTED]:
        console.print(f"Trial {row['trial']} failed: {row['reason']}", highlight=False, markup=False)
    console.print(
        f"The winner, trial {winner['trial']}, on the queries: mAP {winner['map']['expected']:.4f} "
        f"({winner['queries']} queries, {winner['database']} in the database, split {winner['split']})",
        highlight=False,
    )
    for part, what in (
        ("experiment.json", f"the winner: keras-dhnn fit --config {path / 'experiment.json'}"),
        ("trials.csv", "all trials"),
        ("figures", "parallel coordinates, heat map"),
        ("tensorboard", f"the HParams page: tensorboard --logdir {path / 'tensorboard'}"),
    ):
        console.print(f"{path / part}  {what}", highlight=False)


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
