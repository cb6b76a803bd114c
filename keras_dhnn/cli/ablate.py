"""Run `keras-dhnn ablate`: what each part of the cross-source objective is worth."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_dhnn.cli.bars import bars, notices
from keras_dhnn.cli.options import Json, Quiet
from keras_dhnn.cli.training_options import training_options


@training_options("bits", "config", "synthetic")
def ablate(
    name: Annotated[
        str, typer.Argument(help="A prepared data set of two sources: ucmd-dual, dsrsid, or your own.", metavar="NAME")
    ],
    bits: Annotated[int, typer.Option(help="Code lengths: --bits 8 16 24 32.", metavar="BITS...")] = 32,
    more_bits: Annotated[list[int] | None, typer.Argument(hidden=True, metavar="BITS")] = None,
    sweep: Annotated[
        str | None, typer.Option(help="alpha, beta or gamma at 0, 0.1, 1 and 10 instead, in our units.")
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the results below RUNS.", metavar="NAME")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
    **asked: Any,
) -> None:
    """Train without and with each constraint of SIDHCNN, and print the scores as Table IV of the paper has them.

    IRSC pairs images across sources, IASC within each, BQC draws outputs to common codes, FDC balances the bits. DCMH
    is the full objective without IASC. The rows that are done stay if it is started again.

    --sweep takes the values of Tables V to VII as they are. Our weights are for means, the paper's for sums: its beta
    is ours times the number of items and divided by the bits, its gamma ours divided by the bits.

    Examples:

      keras-dhnn ablate ucmd-dual --bits 8 16 24 32

      keras-dhnn ablate ucmd-dual --sweep alpha
    """
    from keras_dhnn.workflows.ablate import ablate as ablate_data

    lengths = [bits, *(more_bits or [])]
    table = ablate_data(
        name,
        **asked,
        bits=lengths,
        sweep=sweep,
        run_name=run_name,
        bar=bars(quiet),
        inner_bar=bars(quiet, delay=2),
        say=notices(quiet),
    )
    if as_json:
        print(json.dumps(table))
    else:
        _print(table, lengths, Path(table["path"]))


def _print(table, lengths, place):
    from rich.table import Table

    from keras_dhnn.cli.tables import TextConsole

    kind = "synthetic images" if table["synthetic"] else "real images"
    title = f"{table['data']}, {kind}, {table['protocol']}, seed {table['seed']}: mean average precision"
    shown = Table(title=title, title_justify="left")
    for column in ("task", "objective"):
        shown.add_column(column, no_wrap=True)
    for length in lengths:
        shown.add_column(f"{length} bits", justify="right", no_wrap=True)
    scores = {(row["row"], row["bits"]): row["tasks"] for row in table["rows"] if "tasks" in row}
    names = list(dict.fromkeys(row["row"] for row in table["rows"]))
    for task in next(iter(scores.values()), ()):
        for name in names:
            found = [scores.get((name, length)) for length in lengths]
            values = [f"{tasks[task]:.4f}" if tasks else "failed" for tasks in found]
            shown.add_row(task.replace("->", " -> "), name, *values, end_section=name == names[-1])
    console = TextConsole()
    console.print_whole(shown)
    for row in table["rows"]:
        if "failed" in row:
            console.print(f"{row['row']}, {row['bits']} bits failed: {row['failed']}")
    console.print(f"{place}  table.json, precision-recall curves")
