"""Read which images search and which are searched from a list of names such as others have published."""

import csv
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import read_lines
from keras_dhnn.pipelines.names import ImageNames

_PARTS = {
    "query": "queries",
    "queries": "queries",
    "test": "queries",
    "database": "database",
    "gallery": "database",
    "train": "database",
    "training": "database",
    "validation": "validation",
    "val": "validation",
}


def read_split_file(path: Path | str, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Read which of a data set's images are queries and which the database.

    The file has a name a line, of the queries: all other images are the database. Or it has `NAME,PART` lines, PART
    being query (or test), database (or train) or validation (or val), which is a part of the database that picks the
    epoch; images that are not named are then left out. A name is an image's, with or without folder and suffix. Lines
    that begin with `#` are comments.

    Args:
        path: of the file, UTF-8.
        ids: `(n,)` names of the data set's images, such as "forest/forest00.tif".

    Returns:
        `{"queries", "database"}`, and "validation" where the file has any: arrays of image numbers, int64, sorted.

    Raises:
        DataError: if there is no such file, a name is not an image's or is that of several, is named twice, or there
            are no queries or no database.
    """
    rows = _rows(path)
    names = ImageNames(ids)
    parts: dict[str, list[int]] = {"queries": [], "database": [], "validation": []}
    seen: dict = {}
    for line, (name, part) in rows:
        number = _number(name, names, f"{path}, line {line}")
        if number in seen:
            raise DataError(f"{path}, line {line}: {name!r} is also named in line {seen[number]}. Name it once.")
        seen[number] = line
        parts[part or "queries"].append(number)
    if not any(part for _, (_, part) in rows):
        parts["database"] = [number for number in range(len(ids)) if number not in seen]
    parts["database"] += parts["validation"]
    for part in ("queries", "database"):
        if not parts[part]:
            raise DataError(f"{path} has no images that are {part}. Expected some: {len(ids)} images are there.")
    return {part: np.sort(np.array(numbers, np.int64)) for part, numbers in parts.items() if numbers}


def _rows(path: Path | str) -> list[tuple[int, tuple[str, str | None]]]:
    """Return `[(line number, (name, part or None))]` of a file."""
    try:
        lines = read_lines(path)
    except (OSError, DataError) as error:
        raise DataError(f"{path} is no list of names ({error}). Expected a text file with a name a line.") from error
    rows = []
    for line, fields in enumerate(csv.reader(lines), 1):
        fields = [field.strip() for field in fields]
        if not any(fields) or fields[0].startswith("#"):
            continue
        part = fields[1].lower() if len(fields) > 1 else None
        if len(fields) > 2 or (part is not None and part not in _PARTS):
            raise DataError(
                f"{path}, line {line}: expected NAME or NAME,PART with a part of {', '.join(_PARTS)}. "
                f"Received: {lines[line - 1]!r}"
            )
        rows.append((line, (fields[0], part and _PARTS[part])))
    if len({part is None for _, (_, part) in rows}) > 1:
        raise DataError(f"{path} has lines with a part and lines without. Expected a part in all lines or in none.")
    return rows


def _number(name, names, where):
    try:
        number = names.find(name)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if number is None:
        raise DataError(f"{where}: no image has the name {name!r}. Expected names such as {names.example!r}.")
    return number
