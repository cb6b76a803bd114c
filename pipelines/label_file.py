"""Read labels as people keep them: a table with an image a row, CSV or Parquet."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError, MissingPackage
from keras_dhnn.files import read_bytes
from keras_dhnn.pipelines.labels import UNLABELLED, Labels
from keras_dhnn.pipelines.names import ImageNames

# Columns that name the image and its labels, in this order of preference; otherwise the first one, and all others.
_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "name", "id", "image_id", "patch_id")
_LABELS = ("label", "labels", "class", "classes", "category", "categories")
_DELIMITERS, _SEPARATORS = (",", ";", "\t"), ("|", ";")
_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}
_MOST_BYTES = 4 << 30
_SHOWN = 5


def read_labels(path: Path | str, ids: Sequence[str] | np.ndarray) -> Labels:
    """Read the labels of a data set's images from a table.

    A row names an image (with or without folder and suffix, slashes of either kind) and its labels:

    - in a column `label`, or several such; a cell may hold several, separated by `|` or by `;` throughout;
    - or in a column for each class, with 1 for yes and 0 for no.

    An image without a row, or whose cells are empty, has no label. Classes stand in the order in which the file first
    has them, or its columns are in.

    Args:
        path: of the table: CSV (with commas, semicolons or tabs, UTF-8, with or without a header) or Parquet.
        ids: `(n,)` names of the images.

    Returns:
        `Labels`.

    Raises:
        DataError: if the file is no such table, names images that are not there or an image twice with different
            labels, mixes separators, or has no label at all.
        MissingPackage: for Parquet without pyarrow.
    """
    path = Path(path).expanduser()
    header, rows = parquet_rows(path) if path.suffix.lower() in (".parquet", ".pq") else _csv_rows(path, ids)
    column, columns = _columns(path, header)
    flags = len(columns) > 1 and all(_flag(row[c]) is not None for _, row in rows for c in columns)
    separator = None if flags else _separator(path, rows, columns)
    names, lacking = ImageNames(ids), []
    found: dict = {}
    for line, row in rows:
        try:
            number = names.find(str(row[column]))
        except DataError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        if number is None:
            lacking.append((line, row[column]))
            continue
        chosen = [header[c] for c in columns if _flag(row[c])] if flags else _cell_labels(row, columns, separator)
        if found.setdefault(number, (line, chosen))[1] != chosen:
            raise DataError(
                f"{path}, line {line}: {row[column]!r} also stands in line {found[number][0]}, with other labels: "
                f"{_shown(found[number][1])} there, {_shown(chosen)} here. Give an image one row, with several labels "
                "as a|b."
            )
    if lacking:
        raise DataError(_describe_lacking(path, lacking, len(rows), names))
    classes = [header[c] for c in columns] if flags else []
    return _labels(path, classes, {number: chosen for number, (_, chosen) in found.items()}, len(ids))


def _labels(path, classes, found, count):
    """Return the `Labels` of `{number: labels}`; a class without an image is left out."""
    used = dict.fromkeys(name for chosen in found.values() for name in chosen)
    classes = tuple(name for name in dict.fromkeys([*classes, *used]) if name in used)
    if not classes:
        raise DataError(f"{path} has no label. Expected rows such as IMAGE,LABEL.")
    places, sets = {name: place for place, name in enumerate(classes)}, np.zeros((count, len(classes)), bool)
    for number, chosen in found.items():
        sets[number, [places[name] for name in chosen]] = True
    return Labels(classes, sets)


def _csv_rows(path, ids):
    """Return `(header, [(line number, cells)])`; without a header it is made up."""
    try:
        text = read_bytes(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 ({error}). Expected a table IMAGE,LABEL.") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}. Expected a table IMAGE,LABEL.") from error
    rows = [(line, row) for line, row in rows if not row[0].startswith("#")]
    if not rows or len(rows[0][1]) < 2:
        raise DataError(f"{path} has {'one column' if rows else 'no row'}. Expected a table IMAGE,LABEL.")
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise DataError(
                f"{path}, line {line}: expected {width} cells, as in its first line. Found {len(row)}: {_shown(row)}. "
                "Are separators mixed, or does a label with a comma lack its quotes?"
            )
    if _is_header(rows[0][1], ids):
        return rows[0][1], rows[1:]
    return ["path", *(["label"] * (width - 1))], rows


def _is_header(row, ids):
    """Return whether a first row names columns: its first cell says so, or is no image."""
    if row[0].lower() in _NAMES:
        return True
    try:
        return ImageNames(ids).find(row[0]) is None and "." not in row[0]
    except DataError:
        return False


def _delimiter(text):
    """Return the delimiter that the first line has most of."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(_DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))


def parquet_rows(path: Path, columns: Sequence[str] | None = None) -> tuple[list[str], list[tuple[int, list]]]:
    """Read a Parquet file.

    Args:
        path: of the file.
        columns: names of those to read; all, if None.

    Returns:
        `(names, rows)`: names of the columns, and (number from 1, values) of each row.

    Raises:
        DataError: if it is no such file, or lacks a column.
        MissingPackage: without pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage(f"{path} is Parquet. Run: pip install 'keras-dhnn[scale]', or give it as CSV.") from error
    try:
        table = pyarrow.parquet.read_table(path, columns=columns)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}).") from error
    cells = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return list(table.column_names), list(enumerate(map(list, cells), 1))


def _columns(path, header):
    """Return numbers of the column of names and of those of labels."""
    lower = [name.strip().lower() for name in header]
    column = next((lower.index(name) for name in _NAMES if name in lower), 0)
    others = [number for number in range(len(header)) if number != column]
    columns = [number for number in others if lower[number].rstrip("0123456789_ ") in _LABELS] or others
    if not columns:
        raise DataError(f"{path} has the column {header[0]!r} alone. Expected a column of labels beside it.")
    return column, columns


def _flag(cell):
    """Return true, False, or None of a cell that is neither."""
    text = "" if cell is None else str(cell).strip().lower()
    return True if text in _YES else False if text in _NO else None


def _separator(path, rows, columns):
    """Return what separates labels in a cell, or None."""
    texts = [row[c] for _, row in rows for c in columns if isinstance(row[c], str)]
    used = [sign for sign in _SEPARATORS if any(sign in text for text in texts)]
    if len(used) > 1:
        raise DataError(f"{path} separates labels by {' and by '.join(used)}. Expected one of them throughout.")
    return used[0] if used else None


def _cell_labels(row, columns, separator):
    """Return the labels of a row, in order of the row, each once."""
    found = []
    for column in columns:
        cell = row[column]
        if isinstance(cell, (list, tuple)):
            found += map(str, cell)
        elif isinstance(cell, str) and cell.startswith("[") and cell.endswith("]"):
            found += _listed(cell)
        elif cell is not None:
            found += str(cell).split(separator) if separator else [str(cell)]
    return sorted(dict.fromkeys(name.strip() for name in found if name.strip() and name.strip() != UNLABELLED))


def _listed(cell):
    """Return the labels of a cell such as `["beach", "sea"]`."""
    try:
        return [str(name) for name in json.loads(cell)]
    except (ValueError, TypeError):
        return [name.strip(" '\"") for name in cell[1:-1].split(",")]


def _describe_lacking(path, lacking, count, names):
    lines = [f"{path}: {len(lacking)} of {count} rows name no image:"]
    lines += [f"  line {line}: {name!r}" for line, name in lacking[:_SHOWN]]
    lines += [f"  and {len(lacking) - _SHOWN} more"] * (len(lacking) > _SHOWN)
    return "\n".join(
        [*lines, f"Expected names such as {names.example!r}. Remove these rows, or give their images too."]
    )


def _shown(values):
    return "|".join(map(str, values)) or "none"
