"""Run `keras-dhnn compare`: runs side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.options import Json

_BESIDE = 4  # runs in one table


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of two runs or more, such as runs/a runs/b.", metavar="RUN")
    ],
    unlike: Annotated[
        bool, typer.Option("--unlike", help="Put runs side by side although their protocols differ.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to draw the curves; by default comparison.png beside the first run.", metavar="PNG"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the scores of runs side by side, and draw their precision-recall curves into one figure.

    Runs compare if they searched the same images by the same protocol: bits, seeds and all of the training may differ.
    Others are refused, unless --unlike is given.

    Example: keras-dhnn compare runs/ucmd-paper-32 runs/ucmd-paper-64
    """
    from keras_dhnn.workflows.compare import compare as compare_runs

    result = compare_runs(runs, out, unlike=unlike)
    if as_json:
        print(json.dumps(result))
    else:
        _print(result)


def _print(result):
    from rich.table import Table

    from keras_dhnn.cli.tables import TextConsole

    console = TextConsole()
    for first in range(0, len(result["runs"]), _BESIDE):
        beside = result["runs"][first : first + _BESIDE]
        table = Table(show_edge=False)
        table.add_column("", no_wrap=True)
        for run in beside:
            table.add_column(run["name"], justify="right", overflow="fold")
        columns = [_rows(run) for run in beside]
        for name in dict.fromkeys(name for rows in columns for name in rows):
            values = [rows.get(name, "") for rows in columns]
            table.add_row(name, *values, end_section=name.startswith(("distinct", "seconds", "ties")))
        console.print(table)
        console.print()
    if result["unlike"]:
        console.print(f"Unlike in {', '.join(result['unlike'])}: these scores do not compare.")
    if result["without_curve"]:
        console.print(f"No curve of {', '.join(result['without_curve'])}: no scores by its labels.")
    if result["figure"]:
        console.print(f"{result['figure']}  precision-recall curves")


def _rows(run):
    """Return the column of a run: {what: text}."""
    metrics, rows = run["metrics"], {}
    if metrics["map"] is None:
        rows["mAP"] = "no labels"
    else:
        rows["mAP"] = f"{metrics['map']['expected']:.4f}"
        rows |= {f"  {name}": f"{metrics['map'][name]:.4f}" for name in ("stable", "pessimistic", "optimistic")}
        rows |= {f"precision at {k}": f"{value:.4f}" for k, value in metrics["precision_at"].items()}
        rows["within radius 2"] = f"{metrics['precision_within_radius_2']:.4f}"
    rows["distinct codes"] = str(metrics["distinct_codes"])
    rows["bits"] = str(metrics["bits"])
    rows["seconds"] = f"{metrics['seconds']['total']:.0f}"
    rows["data"] = metrics["data"] + (", synthetic" if metrics["synthetic"] else "")
    rows |= {name: str(metrics[name]) for name in ("checksum", "protocol", "split", "seed", "queries", "database")}
    rows["checksum"] = metrics["checksum"][:12]
    rows["cut-off"] = str(metrics["cut_off"] or "none")
    rows["own copy"] = "left out" if metrics["exclude_self"] else "counts"
    rows["ties"] = metrics["ties"]
    return rows | {
        name: str(value)
        for name, value in run["settings"].items()
        if name not in ("seed", "model.bits", "data.protocol")
    }
