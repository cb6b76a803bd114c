"""Retrieve for many image files, into one table."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.files import guarded, whole_file
from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.runs import Run
from keras_dhnn.workflows.image_paths import image_paths
from keras_dhnn.workflows.open_run import open_run
from keras_dhnn.workflows.query import RunSearch
from keras_dhnn.workflows.remote_query import search_remote

FORMATS = (".csv", ".jsonl")
_COLUMNS = ("query", "rank", "distance", "class", "id", "turned", "error")
_BATCH = 32
# Path of a query, and what was found, or the DataError that says why nothing was.
Answer = tuple[Path, list[dict[str, Any]] | DataError]


def query_files(
    run: Run | Path | str | None,
    images: Path | str | Iterable[Path | str],
    out: Path | str,
    *,
    server: str | None = None,
    k: int = 10,
    source: str | None = None,
    target: str | None = None,
    class_name: str | None = None,
    data: Path | str = "data",
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> dict[str, Any]:
    """Find the images in a run's database that are nearest to each of many image files, and write them to a file.

    A file that cannot be used is entered with the reason, and the others are searched all the same.

    Args:
        run: a finished `Run`, or its folder; None with `server`.
        images: files, and folders of them at any depth.
        out: of the table: `.csv`, a row an image that was found, or `.jsonl`, a line a query; written whole or not at
            all. In CSV what a spreadsheet would take for a formula, as of names that begin with - or =, has an
            apostrophe before it.
        server: URL of a served model that is asked instead.
        k: how many to find for each.
        source, target, class_name, data: as of `query`.
        bar: progress bar factory.
        say: is told which files could not be used.

    Returns:
        Dictionary for JSON: `out`, and the numbers of `queries` and of those that `failed`.

    Raises:
        RunError: if there is no such run, it is not finished, or it was made with other images.
        DataError: if a path is not there.
        SettingError: as of `query`, or if the table is to be of another kind.
    """
    out = Path(out)
    if out.suffix.lower() not in FORMATS:
        raise SettingError(f"Expected the results as --out FILE.csv or FILE.jsonl. Received: {out}")
    paths, failed = image_paths(images), 0
    if server is None:
        answers = _of_run(run, paths, k, (source, target), class_name, data)
    else:
        answers = _of_server(server, paths, k, (source, target), class_name)
    with bar("Searching", len(paths), "image") as update, whole_file(out) as file:
        as_csv = out.suffix.lower() == ".csv"
        lines = _csv_lines if as_csv else _json_line
        file.write(_csv([dict(zip(_COLUMNS, _COLUMNS, strict=True))]).encode() if as_csv else b"")
        for done, (path, found) in enumerate(answers, 1):
            file.write(lines(path, found).encode())
            if isinstance(found, DataError):
                failed += 1
                say(f"Not searched: {found}")
            update(done)
    return {"out": str(out), "queries": len(paths), "failed": failed}


def _of_run(run, paths, k, task, class_name, data) -> Iterator[Answer]:
    run, info = open_run(run, data)
    searching = RunSearch(run, info, task, class_name, len(paths))
    for first in range(0, len(paths), _BATCH):
        batch = [(path, _read(path, searching.spec)) for path in paths[first : first + _BATCH]]
        pixels = [image for _, image in batch if not isinstance(image, DataError)]
        found = iter(searching.search(np.stack(pixels), k) if pixels else ())
        for path, image in batch:
            yield path, image if isinstance(image, DataError) else next(found)


def _of_server(url, paths, k, task, class_name) -> Iterator[Answer]:
    for path in paths:
        try:
            yield path, search_remote(url, path, k, task, class_name)
        except DataError as error:
            yield path, error


def _read(path, spec):
    try:
        return read_image(path, spec)
    except DataError as error:
        return error


def _csv_lines(path, found):
    if isinstance(found, DataError):
        return _csv([{"query": path, "error": found}])
    return _csv([{"query": path, **one} for one in found])


def _csv(rows):
    text = io.StringIO()
    cells = [{name: _cell(row[name]) for name in _COLUMNS if name in row} for row in rows]
    csv.DictWriter(text, _COLUMNS, lineterminator="\n").writerows(cells)
    return text.getvalue()


def _cell(value):
    return guarded(str(value) if isinstance(value, Path | DataError) else value)


def _json_line(path, found):
    said = {"error": str(found)} if isinstance(found, DataError) else {"results": found}
    return json.dumps({"query": str(path), **said}, ensure_ascii=False) + "\n"
