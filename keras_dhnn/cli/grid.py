"""`keras-dhnn grid`: a table of scores over settings."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.data_sets import prepared, twin
from keras_dhnn.cli.given import refuse_beside_resume
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
    Seed,
    Settings,
    Synthetic,
)
from keras_dhnn.experiment.resolve import chosen_experiment

_SCORES = {"map": "mAP", "val_map": "validation mAP"}


def grid(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The prepared data set: ucmd, sat4, or your own.", metavar="[NAME]")
    ] = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting and its values, e.g. --over s=0.25,0.5; repeat it for more. The last two are the rows and "
            "columns of the tables, each combination of the others has a table of its own. Short names: s, eta, l, "
            "of two image sources alpha, beta, gamma; else a setting as for --set, or its last part.",
            metavar="NAME=VALUE,...",
        ),
    ] = None,
    paper_eta: Annotated[
        bool,
        typer.Option(
            "--paper-eta",
            help="eta is in the papers' units, for sums: converted for the batch and s of each cell. Pairs are "
            "weighted alike, as in the papers (loss.pair_weighting=mean).",
        ),
    ] = False,
    validation: Annotated[
        bool,
        typer.Option("--validation", help="Print the mAP of items held out of the database instead of the queries'."),
    ] = False,
    bits: Bits = None,
    protocol: Protocol = None,
    queries: Queries = None,
    backbone: Backbone = None,
    settings: Settings = None,
    config: Config = None,
    synthetic: Synthetic = False,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this grid: finished cells are kept.", metavar="GRID")
    ] = None,
    grid_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the grid below RUNS.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    runs: RunsFolder = Path("runs"),
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Train at every combination of some settings' values, and print the scores as the papers' tables do.

    Examples:

      keras-dhnn grid ucmd --over s=0.25,0.5,0.75,1 --over eta=5,10,50,100,500 --paper-eta --set fine_tune.epochs=0

      keras-dhnn grid ucmd --over quantization=l1,l2 --over s=0.5,1 --over eta=0.1,0.2

      keras-dhnn grid --resume runs/grid-ucmd
    """
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
    from keras_dhnn.runs import free_name
    from keras_dhnn.tuning.grid import Axis, grid_experiments
    from keras_dhnn.tuning.job import check_job, create_job, open_job

    if resume is not None:
        refuse_beside_resume(context, "validation")
        path, request = resume, open_job(resume, "grid")
    else:
        if paper_eta:
            settings = ["loss.pair_weighting=mean", *(settings or [])]
        experiment = chosen_experiment(
            *(name, data, config, bits, protocol, backbone, seed, settings),
            queries=queries,
            draw=(lambda name: twin(name, data, bars(quiet))) if synthetic else None,
        )
        request = {"base": json.loads(experiment.to_json()), "over": over or [], "paper_eta": paper_eta}
        path = runs / (grid_name or free_name(runs, f"grid-{experiment.data.name}"))
    axes = [Axis.parse(text) for text in request["over"]]
    info = DatasetInfo.load(data / request["base"]["data"]["name"]) if resume else prepared(data, experiment.data.name)
    base = base_experiment(request)
    grid_experiments(base, axes, info, paper_eta=request["paper_eta"])
    if resume is None:
        create_job(path, "grid", request, info)
    else:
        check_job(path, request, info)
    result = _fit(path, base, axes, info, request["paper_eta"], quiet)
    _write(path, result, "val_map" if validation else "map", as_json)


def base_experiment(request):
    """The `Experiment` that a job's request starts from."""
    from keras_dhnn.config import Experiment

    return Experiment.from_json(json.dumps(request["base"]))


def _fit(path, base, axes, info, paper_eta, quiet):
    import tensorflow as tf

    from keras_dhnn.tuning.grid import fit_grid

    tf.config.experimental.enable_op_determinism()
    # Each experiment is a network of its own, and so traced anew.
    tf.get_logger().setLevel("ERROR")
    with ends_well(f"Continue with: keras-dhnn grid --resume {path}"):
        return fit_grid(base, axes, info, path, paper_eta=paper_eta, bar=bars(quiet), inner_bar=bars(quiet, delay=2))


def _write(path, result, score, as_json):
    from keras_dhnn.runs import RunError, write_json, write_text
    from keras_dhnn.tuning.tables import best_cell, grid_csv

    best = best_cell(result, score)
    write_json(path / "grid.json", {**result, "best": best})
    write_text(path / "cells.csv", grid_csv(result))
    if best is None:
        raise RunError(f"No cell of {path} could be trained. The first failed of: {result['cells'][0]['failed']}")
    figure = _draw(path, result, best, score)
    if as_json:
        print(json.dumps({**result, "best": best, "figure": str(figure)}))
    else:
        _print(path, result, best, score, figure)


def _title(result, cell):
    kind = ", synthetic" if result["synthetic"] else ""
    bits = f"{result['base']['model']['bits']} bits" if "l" not in result["over"] else ""
    fixed = {"protocol": cell["protocol"], "quantization": f"{result['base']['loss']['quantization'].upper()}"}
    words = [word for name, word in fixed.items() if name not in result["over"]]
    return ", ".join(word for word in (f"{result['data']}{kind}", *words, bits, f"seed {cell['seed']}") if word)


def _draw(path, result, best, score):
    from keras_dhnn.report.figures.heat_map import heat_map_figure
    from keras_dhnn.tuning.tables import grid_tables, place_of, table_of

    tables, (down, rows), (across, columns) = grid_tables(result, score)
    unit = " (paper's)" if result["paper_eta"] else ""
    axes = tuple(f"{name}{unit if name == 'eta' else ''}" for name in (down, across))
    figure = heat_map_figure(
        tables,
        rows,
        columns,
        axes=axes,
        best=(table_of(result, best), *place_of(result, best)),
        score=_SCORES[score],
        title=f"{_SCORES[score]}: {_title(result, best)}",
    )
    path = path / "figures" / "heat-map.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


def _print(path, result, best, score, figure):
    from rich.console import Console

    console = Console(soft_wrap=True)
    # Of two sources the mean of both directions is in the heat map, and each direction has tables of its own.
    directions = {task: f"mAP {task.replace('->', ' -> ')}" for task in result["tasks"][:2]} if score == "map" else {}
    for one, title in (directions or {score: _SCORES[score]}).items():
        _print_tables(console, result, one, title)
    where = ", ".join(f"{name} {value}" for name, value in best["at"].items())
    which = "Best mean of both directions" if directions else "Best"
    console.print(f"{which}: {best[score]:.4f} at {where}", highlight=False)
    for cell in result["cells"]:
        if "failed" in cell:
            where = ", ".join(f"{name} {value}" for name, value in cell["at"].items())
            console.print(f"Failed: {where}: {cell['failed']}", highlight=False, markup=False)
    console.print(f"{path / 'cells.csv'}  all scores of all cells", highlight=False)
    console.print(f"{figure}  the {'mean' if directions else 'table'} as a heat map", highlight=False)


def _print_tables(console, result, score, score_title):
    from rich.table import Table

    from keras_dhnn.tuning.tables import best_cell, grid_tables, place_of, table_of

    best = best_cell(result, score)
    tables, (down, rows), (across, columns) = grid_tables(result, score)
    for name, values in tables.items():
        title = ", ".join(text for text in (score_title, _title(result, best), name) if text)
        table = Table(title=title, title_justify="left")
        table.add_column(down)
        for column in columns:
            table.add_column(f"{across} = {column}", justify="right")
        for number, (row, scores) in enumerate(zip(rows, values, strict=True)):
            marks = [
                table_of(result, best) == name and place_of(result, best) == (number, c) for c in range(len(scores))
            ]
            table.add_row(row, *(_cell(value, mark) for value, mark in zip(scores, marks, strict=True)))
        console.print(table)


def _cell(value, best):
    if value != value:
        return "failed"
    return f"*{value:.4f}" if best else f"{value:.4f}"
