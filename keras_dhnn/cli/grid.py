"""Run `keras-dhnn grid`: a table of scores over settings."""

import contextlib
import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import Json, Quiet
from keras_dhnn.cli.training_options import training_options


@training_options()
def grid(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="The prepared data set: ucmd, sat4, or your own.", metavar="NAME")
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
    resume: Annotated[
        Path | None, typer.Option(help="Continue this grid: finished cells are kept.", metavar="GRID")
    ] = None,
    grid_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the grid below RUNS.", metavar="NAME")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **asked: Any,
) -> None:
    """Train at every combination of some settings' values, and print the scores as the papers' tables do.

    Examples:

      keras-dhnn grid ucmd --over s=0.25,0.5,0.75,1 --over eta=5,10,50,100,500 --paper-eta

      keras-dhnn grid ucmd --over quantization=l1,l2 --over s=0.5,1 --over eta=0.1,0.2

      keras-dhnn grid --resume runs/grid-ucmd
    """
    from keras_dhnn.workflows.grid import grid as fit_grid

    if resume is not None:
        refuse_beside_resume(context, "validation")
    with contextlib.ExitStack() as interruptible:
        result = fit_grid(
            name,
            **asked,
            over=over or [],
            paper_eta=paper_eta,
            validation=validation,
            resume=resume,
            grid_name=grid_name,
            bar=bars(quiet),
            inner_bar=bars(quiet, delay=2),
            say=notices(quiet),
            started=lambda path: interruptible.enter_context(
                ends_well(f"Continue with: keras-dhnn grid --resume {shlex.quote(str(path))}")
            ),
        )
    if as_json:
        print(json.dumps(result))
    else:
        _print(result, "val_map" if validation else "map")


def _print(result, score):
    from keras_dhnn.cli.tables import TextConsole
    from keras_dhnn.workflows.grid import SCORES

    console, best = TextConsole(), result["best"]
    # Of two sources the mean of both directions is in the heat map, and each direction has tables of its own.
    directions = {task: f"mAP {task.replace('->', ' -> ')}" for task in result["tasks"][:2]} if score == "map" else {}
    for one, title in (directions or {score: SCORES[score]}).items():
        _print_tables(console, result, one, title)
    where = ", ".join(f"{name} {value}" for name, value in best["at"].items())
    which = "Best mean of both directions" if directions else "Best"
    console.print(f"{which}: {best[score]:.4f} at {where}")
    for cell in result["cells"]:
        if "failed" in cell:
            where = ", ".join(f"{name} {value}" for name, value in cell["at"].items())
            console.print(f"Failed: {where}: {cell['failed']}")
    console.print(f"{result['table']}  all scores of all cells")
    if result["figure"]:
        console.print(f"{result['figure']}  the {'mean' if directions else 'table'} as a heat map")


def _print_tables(console, result, score, score_title):
    from rich.table import Table

    from keras_dhnn.tuning.tables import best_cell, grid_tables, place_of, table_of
    from keras_dhnn.workflows.grid import grid_title

    best = best_cell(result, score)
    tables, (down, rows), (across, columns) = grid_tables(result, score)
    for name, values in tables.items():
        title = ", ".join(text for text in (score_title, grid_title(result, best), name) if text)
        table = Table(title=title, title_justify="left")
        table.add_column(down)
        for column in columns:
            table.add_column(f"{across} = {column}", justify="right")
        for number, (row, scores) in enumerate(zip(rows, values, strict=True)):
            marks = [
                table_of(result, best) == name and place_of(result, best) == (number, c) for c in range(len(scores))
            ]
            table.add_row(row, *(_cell(value, mark) for value, mark in zip(scores, marks, strict=True)))
        console.print_whole(table)


def _cell(value, best):
    if value != value:
        return "failed"
    return f"*{value:.4f}" if best else f"{value:.4f}"
