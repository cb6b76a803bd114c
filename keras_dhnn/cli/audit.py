"""Run `keras-dhnn audit`: what a split of a data set puts on both sides."""

import json
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import Json, Queries, Quiet

_LEAKS = {
    "itself": "another turn of itself",
    "copy": "an exact copy of it",
    "lookalike": "a lookalike",
    "overlap": "a crop that shares ground",
    "any": "any of these",
}
_PRINTED = 20


def audit(
    dataset: Annotated[Path, typer.Argument(help="Folder of a prepared data set, such as data/ucmd.", metavar="DATA")],
    protocol: Annotated[
        str | None,
        typer.Option(help="The split to look at: paper, grouped or standard; by default as `fit` would draw it."),
    ] = None,
    queries: Queries = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the split, by default 0.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="Look at the split of this run instead, finished or not.", metavar="RUN")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(help="Keep these groups together (--protocol grouped).", metavar="FILE")
    ] = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(help="Keep images together by their names (--protocol grouped): see `fit`.", metavar="REGEX"),
    ] = None,
    write_groups: Annotated[
        Path | None,
        typer.Option(
            help="Write which images show the same, for `fit --protocol grouped --set data.groups=FILE`.",
            metavar="FILE",
        ),
    ] = None,
    threshold: Annotated[
        int, typer.Option(min=0, max=255, help="Largest distance of two perceptual hashes of 256 bits for lookalikes.")
    ] = 40,
    out: Annotated[
        Path | None, typer.Option(help="Where to draw the worst pairs; by default beside the data set.", metavar="PNG")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find images on both sides of a split that show the same: copies, near-duplicates, crops that share ground.

    Images are compared in all 8 symmetries of the square. It counts the queries that have such an image in the
    database, names the pairs and draws the worst.

    Examples:

      keras-dhnn audit data/ucmd

      keras-dhnn audit data/ucmd --protocol grouped --write-groups data/ucmd-groups.npz

      keras-dhnn audit data/ucmd --run runs/ucmd-grouped-64
    """
    from keras_dhnn.workflows.audit import audit as audit_data

    result = audit_data(
        dataset,
        protocol=protocol,
        queries=queries,
        seed=seed,
        run=run,
        groups=groups,
        group_pattern=group_pattern,
        write_groups=write_groups,
        threshold=threshold,
        out=out,
        bar=bars(quiet),
    )
    if as_json:
        print(json.dumps(result))
    else:
        _print(result)


def _print(result):
    from rich.table import Table

    from keras_dhnn.cli.tables import TextConsole

    kind = "synthetic images" if result["synthetic"] else "real images"
    split = f"{result['protocol']}, seed {result['seed']}, {result['queries']} queries, {result['database']} searched"
    table = Table(title=f"{result['data']}, {kind}: {split}", title_justify="left")
    for heading in ("of a query, the database holds", "queries", "share", "pairs", "on both sides"):
        table.add_column(heading, justify="left" if heading.startswith("of") else "right")
    for name, text in _LEAKS.items():
        queries, found = result["affected"][name], result["found"].get(name)
        pairs = (str(found["pairs"]), str(found["across"])) if found else ("", "")
        table.add_row(text, str(queries), f"{queries / result['queries']:.1%}", *pairs)
    console = TextConsole()
    console.print(table)
    for pair in result["pairs"][:_PRINTED]:
        console.print(_pair_line(pair))
    if len(result["pairs"]) > _PRINTED:
        console.print(f"... and {len(result['pairs']) - _PRINTED} more pairs; --json names all")
    groups = result["groups"]
    console.print(f"{groups['images']} images in {groups['count']} groups that show the same.")
    if result["figure"]:
        console.print(f"{result['figure']}  the worst pairs")
    if result["groups_file"]:
        use = f"fit NAME --protocol grouped --set data.groups={result['groups_file']}"
        console.print(f"{result['groups_file']}  to keep them together: keras-dhnn {use}")


def _pair_line(pair):
    notes = [] if pair["same_class"] else ["other class"]
    notes += [] if pair["across"] else ["on one side"]
    note = f" ({', '.join(notes)})" if notes else ""
    return f"{pair['what']}: {pair['first']}  {pair['second']}{note}"
