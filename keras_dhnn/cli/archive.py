"""Run `keras-dhnn archive`: what is in an archive, and care of it."""

import json
from typing import Annotated

import typer

from keras_dhnn.cli.options import Json
from keras_dhnn.cli.plain_help import PlainHelp
from keras_dhnn.cli.printing import printable

archive = typer.Typer(
    help="Look at an archive and take care of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_Folder = Annotated[str, typer.Argument(help="Folder of an archive.", metavar="ARCHIVE")]
_Source = Annotated[str | None, typer.Option(help="Which of several image sources, such as pan.")]


@archive.command(cls=PlainHelp)
def info(folder: _Folder, as_json: Json = False) -> None:
    """Say what an archive holds: items, labels, distinct codes, model, bytes."""
    from keras_dhnn.archive.statistics import describe
    from keras_dhnn.archive.store import Archive

    found = describe(Archive.open(folder))
    if as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:15} {printable(_text(_of_one_source(value, found['items'])))}")


@archive.command(cls=PlainHelp)
def compact(folder: _Folder, as_json: Json = False) -> None:
    """Merge small files into few."""
    from keras_dhnn.archive.maintenance import compact as merge
    from keras_dhnn.archive.store import Archive

    opened = Archive.open(folder)
    listed = opened.parts
    before, after = merge(opened)
    if as_json:
        print(json.dumps({"before": before, "after": after}))
    elif after < before:
        print(f"{before} files were merged into {after}")
    else:
        print(f"{_count(after)} written anew" if opened.parts != listed else f"Nothing to merge: {_count(after)}")


@archive.command(cls=PlainHelp)
def verify(
    folder: _Folder,
    drop_damaged: Annotated[
        bool, typer.Option("--drop-damaged", help="Take damaged files out; they stay on disk as NAME.damaged.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read every file: it must be as it was written, and of this archive's model. Exit status 2 if one is not."""
    from keras_dhnn.archive.maintenance import verify as check
    from keras_dhnn.archive.store import Archive

    opened = Archive.open(folder)
    faults = check(opened, drop_damaged)
    unknown = sum(not part.digest for part in opened.parts)
    if as_json:
        listed = [fault._asdict() for fault in faults]
        print(json.dumps({"files": opened.info.files, "without_digest": unknown, "faults": listed}))
    else:
        for fault in faults:
            print(printable(fault))
        if unknown:
            print(
                f"Whether values have changed is not known of {_count(unknown)}, written when no digest was kept. "
                f"keras-dhnn archive compact {printable(str(folder))} gives each one, of what it holds now."
            )
        damaged = sum(fault.damaged for fault in faults)
        unread = f", {len(faults) - damaged} cannot be read now" if damaged < len(faults) else ""
        print(f"{_count(damaged, 'damaged ')}{unread}; {_count(opened.info.files)}, {opened.info.rows:,} items in all")
    raise typer.Exit(2 if faults else 0)


@archive.command(cls=PlainHelp)
def dedupe(
    folder: _Folder,
    radius: Annotated[int, typer.Option(min=0, help="Bits that may differ.")] = 0,
    source: _Source = None,
    as_json: Json = False,
) -> None:
    """List groups of items that are nearly the same; --radius 0: with equal codes."""
    from keras_dhnn.archive.dedupe import find_groups
    from keras_dhnn.archive.store import Archive

    groups = find_groups(Archive.open(folder), radius, source)
    if as_json:
        print(json.dumps([vars(group) for group in groups]))
        return
    for number, group in enumerate(groups, 1):
        apart = (
            f"each at most {radius} bits from another" if group.widest is None else f"at most {group.widest} bits apart"
        )
        print(f"group {number}: {len(group.ids)} items, {apart}")
        for key in group.ids:
            print(f"  {printable(key)}")


@archive.command(cls=PlainHelp)
def calibrate(
    folder: _Folder,
    queries: Annotated[int, typer.Option(min=1, help="How many items search the others at most.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of their choice.")] = 0,
    source: _Source = None,
    as_json: Json = False,
) -> None:
    """Learn what each distance is worth, by the archive's labels or, without, by its random pairs; keep it with it."""
    from keras_dhnn.archive.calibration import calibrate as measure
    from keras_dhnn.archive.store import Archive

    found = measure(Archive.open(folder), source, queries=queries, seed=seed)
    name = "background" if found.precision is None else "precision"
    values = getattr(found, name).tolist()
    if as_json:
        print(json.dumps({name: values, "queries": found.queries, "rows": found.rows}))
        return
    print(
        "distance  share of the items there that have the query's label"
        if found.precision is not None
        else "distance  share of random pairs that are as near"
    )
    for distance, value in enumerate(values[: found.farthest + 1]):
        print(f"{distance:8}  {value:.4f}")


@archive.command(cls=PlainHelp)
def remove(
    folder: _Folder,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, as a search lists them.", metavar="ID")] = None,
    where: Annotated[str | None, typer.Option(help="Items that meet this condition.", metavar="SQL")] = None,
    source: _Source = None,
    as_json: Json = False,
) -> None:
    """Take items out of an archive."""
    from keras_dhnn.archive.maintenance import remove as take_out
    from keras_dhnn.archive.store import Archive

    opened = Archive.open(folder)
    count = take_out(opened, ids or None, where, source)
    if as_json:
        print(json.dumps({"removed": count}))
    else:
        print(f"{count:,} items taken out, {opened.info.rows:,} are left")


def _of_one_source(value, sources):
    """Return what is said of each image source; where there is one, which nobody named, what is said of it."""
    return next(iter(value.values())) if isinstance(value, dict) and len(sources) == 1 else value


def _count(files, which=""):
    return f"{files:,} {which}file{'' if files == 1 else 's'}"


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
