"""Read labels as people keep them: a table with an image a row, CSV or Parquet."""

import csv
import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError, MissingPackage
from keras_dhnn.files import read_bytes, unguarded
from keras_dhnn.pipelines.labels import UNLABELLED, Labels
from keras_dhnn.pipelines.names import ImageNames

# Columns that name the image and its labels, in this order of preference; otherwise the first one, and all others.
_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "name", "id", "image_id", "patch_id")
_LABELS = ("label", "labels", "class", "classes", "category", "categories")
_DELIMITERS, _SEPARATORS = (",", ";", "\t"), ("|", ";")
_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}
_MOST_BYTES = 4 << 30
# Of a Parquet file, whose encodings make any number of a few bytes.
_MOST_ROWS, _MOST_CELLS = 5_000_000, 50_000_000
_SHOWN = 5


def read_labels(path: Path | str, ids: Sequence[str] | np.ndarray) -> Labels:
    """Read the labels of a data set's images from a table.

    A row names an image (with or without folder and suffix, slashes of either kind) and its labels:

    - in a column `label`, or several such; a cell may hold several, separated by `|` or by `;` throughout;
    - or in a column for each class, with 1 for yes and 0 for no.

    An apostrophe before = + - or @, which keeps spreadsheets from taking a cell of CSV for a formula, is no part of it.

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
    reader = None
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
        given = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        line = reader.line_num if reader else 1
        raise DataError(f"{path}, line {line}: {error}. Expected a table IMAGE,LABEL.") from error
    rows = [(line, list(map(unguarded, row))) for line, row in given if any(row) and not row[0].startswith("#")]
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
        DataError: if it is no such file, lacks a column, or has more rows or values than are read.
        MissingPackage: without pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage(f"{path} is Parquet. Run: pip install 'keras-dhnn[scale]', or give it as CSV.") from error
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            texts = _check_parquet(path, file.metadata)
        # So that a text which stands in many rows is in memory once.
        table = pyarrow.parquet.read_table(path, columns=columns, read_dictionary=texts, partitioning=None)
        cells = zip(*(_cells(column) for column in table.columns), strict=True)
        return list(table.column_names), list(enumerate(map(list, cells), 1))
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:  # of text, of times out of range
        raise DataError(f"{path} cannot be read as Parquet ({error}).") from error


def _check_parquet(path, metadata):
    """Refuse what would take all memory before it is read; return the paths of its columns of text."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = sum(group.num_rows for group in groups)
    if rows > _MOST_ROWS:
        raise DataError(f"{path} has {rows:,} rows. Expected {_MOST_ROWS:,} at most: a row for each image.")
    leaves = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    columns = [(leaf, group.column(number)) for group in groups for number, leaf in enumerate(leaves)]
    cells = sum(column.num_values for _, column in columns)
    if cells > _MOST_CELLS:
        raise DataError(f"{path} has {cells:,} values. Expected {_MOST_CELLS:,} at most: leave out columns.")
    nbytes = sum(column.num_values * max(0, leaf.length or 0) for leaf, column in columns)
    nbytes += sum(column.total_uncompressed_size for _, column in columns)
    if nbytes > _MOST_BYTES:
        raise DataError(f"{path} unpacks to {nbytes:,} bytes. Expected {_MOST_BYTES:,} at most: leave out columns.")
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _cells(column):
    """Return the values of a column as a list; one that stands in many rows is one object."""
    import pyarrow.types as kinds

    found = []
    for chunk in getattr(column, "chunks", [column]):
        if kinds.is_dictionary(chunk.type):
            values = chunk.dictionary.to_pylist()
            found += [None if number is None else values[number] for number in chunk.indices.to_pylist()]
        elif kinds.is_list(chunk.type) or kinds.is_large_list(chunk.type):
            inner = iter(_cells(chunk.flatten()))
            lengths = chunk.value_lengths().to_pylist()
            found += [None if length is None else list(itertools.islice(inner, length)) for length in lengths]
        elif kinds.is_struct(chunk.type):
            parts = zip(*(_cells(part) for part in chunk.flatten()), strict=True)
            names = [field.name for field in chunk.type]
            found += [dict(zip(names, values, strict=True)) for values in parts]
        else:
            found += chunk.to_pylist()
    return found


def _columns(path, header):
    """Return numbers of the column of names and of those of labels."""
    if not header:
        raise DataError(f"{path} has no column. Expected one of images and one of labels.")
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
    except (ValueError, TypeError, RecursionError):
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
