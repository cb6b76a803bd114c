"""Run `keras-dhnn benchmark`: hashing methods side by side on one data set."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import (
    Backbone,
    DataFolder,
    Json,
    Protocol,
    Queries,
    Quiet,
    RunsFolder,
    Seed,
    Settings,
    SplitFile,
    Synthetic,
)

if TYPE_CHECKING:
    from rich.table import Table

    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
    from keras_dhnn.workflows.benchmark import Plan


def benchmark(
    name: Annotated[
        str, typer.Argument(help="A prepared data set: ucmd, sat4, ucmd-dual, dsrsid, your own.", metavar="NAME")
    ],
    bits: Annotated[int, typer.Option(help="Code lengths: --bits 32 64 96.", metavar="BITS...")] = 64,
    more_bits: Annotated[list[int] | None, typer.Argument(hidden=True, metavar="BITS")] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Some of prh, itq, ksh, sdh, cosdish, dhn, dsh, dpsh, triplet, dhcnn, csq, orthohash, dhnn-l1, "
            "dhnn-l2; of two sources cca-itq, scm, dcmh, sidhcnn. By default all that can learn from the labels: "
            "where some are missing, or images have several, not those that need a class of each image.",
            metavar="NAME,...",
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="What shallow methods hash: gist, as in the papers, or backbone, the frozen network's features, which "
            "tells what hashing adds from what features add.",
            metavar="gist|backbone",
        ),
    ] = "gist",
    seeds: Annotated[int, typer.Option(min=1, help="How many, from --seed on.")] = 3,
    trials: Annotated[
        int,
        typer.Option(
            min=1,
            help="Settings tried for each deep method, on items held out of the database; the first are the published "
            "ones, 1 takes them as they are.",
        ),
    ] = 8,
    protocol: Protocol = None,
    queries: Queries = None,
    split: SplitFile = None,
    backbone: Backbone = None,
    settings: Settings = None,
    synthetic: Synthetic = False,
    run_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the results below RUNS.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    runs: RunsFolder = Path("runs"),
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Compare hashing methods: one split, one budget, several seeds, each deep method with settings of its own.

    Where there is a frozen backbone, deep methods train the same head on its features, which are computed once;
    --set fine_tune.epochs=3 trains the backbone's upper part too. Queries are seen as they lie: --set
    model.query_turns=4 turns those of deep methods. Cells that are done stay if it is started again.

    Examples:

      keras-dhnn benchmark ucmd --bits 32 64 96

      keras-dhnn benchmark ucmd --protocol standard --features backbone --methods itq,sdh,cosdish

      keras-dhnn benchmark ucmd-dual --bits 8 16 24 32
    """
    from keras_dhnn.experiment.resolve import resolve_experiment
    from keras_dhnn.workflows.benchmark import Plan, folder_of, with_equal_budget
    from keras_dhnn.workflows.benchmark_cells import usable_methods
    from keras_dhnn.workflows.prepare import draw_twin, load_labelled

    experiment = resolve_experiment(
        name,
        data=data,
        protocol=protocol,
        queries=queries,
        split=split,
        backbone=",".join(backbone or []),
        seed=seed,
        settings=settings or [],
        say=notices(quiet),
        draw=(lambda name: draw_twin(name, data, bars(quiet))) if synthetic else None,
    )
    given = {text.partition("=")[0].strip() for text in settings or []}
    experiment = with_equal_budget(experiment, given)
    info = load_labelled(experiment, data)
    chosen = [one.strip() for one in methods.split(",")] if methods else usable_methods(info, experiment)
    plan = Plan(experiment, tuple(chosen), (bits, *(more_bits or [])), seeds, features, trials)
    place = folder_of(plan, runs, run_name)
    table = _compare(plan, info, place, quiet)
    print(json.dumps(table)) if as_json else _print(table, place)


def _compare(plan: "Plan", info: "DatasetInfo", place: Path, quiet: bool) -> dict[str, Any]:
    from keras_dhnn.workflows.benchmark import benchmark as compare_all

    with ends_well("Start the same command again: cells that are done stay."):
        return compare_all(plan, info, place, bar=bars(quiet), inner_bar=bars(quiet, delay=2))


def _print(table: dict, place: Path) -> None:
    from keras_dhnn.cli.tables import TextConsole

    console = TextConsole()
    for task, methods in table["scores"].items():
        console.print_whole(_scores(table, task, methods))
    for method, tuned in table["settings"].items():
        values = ", ".join(f"{path}={value}" for path, value in tuned["settings"].items())
        best = "" if tuned["val_map"] is None else f", validation mAP {tuned['val_map']:.4f}"
        title = table["titles"][method]
        console.print(f"{title}: best of {tuned['trials']} trials{best}: {values or 'the preset'}")
    for row in table["failed"]:
        console.print(f"{row['method']}, {row['bits']} bits, seed {row['seed']} failed: {row['failed']}")
    console.print(f"{place}  table.json, table.csv, figures")


def _scores(table: dict, task: str, methods: Mapping[str, dict]) -> "Table":
    """Return a task's table: a row a method, and under it what its paper printed for these images."""
    from rich.table import Table

    kind = "synthetic images" if table["synthetic"] else "real images"
    direction = "" if task == "map" else f", {task.replace('->', ' -> ')}"
    title = (
        f"{table['data']}, {kind}, {table['protocol']}{direction}: mAP, mean of seeds {table['seeds']} "
        f"± standard deviation; {table['queries']} queries, {table['database']} in the database; "
        f"shallow methods on {table['features']}"
    )
    shown = Table(title=title, title_justify="left")
    shown.add_column("method", no_wrap=True)
    for bits in table["bits"]:
        shown.add_column(f"{bits} bits", justify="right", no_wrap=True)
    shown.add_column("seconds", justify="right")
    shown.add_column("MB", justify="right")
    printed = table["published"].get(task, {})
    for method, scores in methods.items():
        cost = table["costs"][method]
        costs = [f"{cost[name]:.1f}" if cost[name] is not None else "" for name in ("seconds", "peak_mb")]
        shown.add_row(table["titles"][method], *(_score(scores.get(bits)) for bits in table["bits"]), *costs)
        if method in printed:
            values = [printed[method].get(bits) for bits in table["bits"]]
            shown.add_row("  published", *("" if value is None else f"{value:.4f}" for value in values), "", "")
    return shown


def _score(score: dict | None) -> str:
    if score is None:
        return "failed"
    return f"{score['mean']:.4f}" + (f" ± {score['spread']:.4f}" if score["spread"] is not None else "")
