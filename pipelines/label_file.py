"""Read labels as people keep them: a table with an image a row, CSV or Parquet."""

import ast
import contextlib
import csv
import io
import itertools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError, MissingPackage
from keras_dhnn.files import read_bytes, unguarded
from keras_dhnn.pipelines.labels import UNLABELLED, Labels
from keras_dhnn.pipelines.names import ImageNames

# Columns that name the image, in this order of preference (otherwise the first one), and its labels (otherwise all
# others).
_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "name", "id", "image_id", "patch_id")
_LABELS = ("label", "labels", "class", "classes", "category", "categories")  # each word's singular and plural
_INDEX = ("", "unnamed: 0", "__index_level_0__")  # as pandas calls the number of a row, beside a column that names it
_DELIMITERS, _SEPARATORS = (",", ";", "\t"), ("|", ";")
_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}
_MOST_BYTES = 4 << 30
# Of a Parquet file, whose encodings make any number of a few bytes.
_MOST_ROWS, _MOST_CELLS = 5_000_000, 50_000_000
_SHOWN = 5
# As Python and NumPy write lists of texts; with the escapes that they use, of which no other is read.
_ESCAPE = r"\\(?:[\\'\"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_TEXT = rf"""'(?:[^'\\\n]|{_ESCAPE})*'|"(?:[^"\\\n]|{_ESCAPE})*\""""
_LIST = re.compile(rf"\[\s*(?:(?:{_TEXT})(?:\s*,\s*|\s+|(?=\])))*\]")


def read_labels(path: Path | str, ids: Sequence[str] | np.ndarray) -> Labels:
    """Read the labels of a data set's images from a table.

    A row names an image (with or without folder and suffix, slashes of either kind) and its labels:

    - in a column `label`, or several such; a cell may hold several, separated by `|` or by `;` throughout, or as a list
      that JSON, Python or NumPy writes; without a column of that name, in the only one beside the image's;
    - or in a column for each class, with 1 for yes and 0 for no. There must then be no other column.

    NaN is an empty cell, and the column in which pandas numbers the rows is left out.

    An apostrophe before = + - or @, which keeps spreadsheets from taking a cell of CSV for a formula, is no part of it.

    An image without a row, or whose cells are empty, has no label. Classes stand in the order in which the file first
    has them, or its columns are in. A first row is the header if it has one of the names of columns that are known, or
    other text above 0 and 1.

    Args:
        path: of the table: CSV (with commas, semicolons or tabs, UTF-8, with or without a header) or Parquet.
        ids: `(n,)` names of the images.

    Returns:
        `Labels`.

    Raises:
        DataError: if the file is no such table, names images that are not there or an image twice with different
            labels, mixes separators, has no label at all, or does not say which of its columns have the labels.
        MissingPackage: for Parquet without pyarrow.
    """
    path = Path(path).expanduser()
    names = ImageNames(ids)
    header, rows = parquet_rows(path) if path.suffix.lower() in (".parquet", ".pq") else _csv_rows(path, names)
    column, columns, flags = _columns(path, header, rows)
    separator = None if flags else _separator(path, rows, columns)
    lacking = []
    found: dict = {}
    for line, row in rows:
        try:
            number = names.find(str(row[column]))
            chosen = [header[c] for c in columns if _flag(row[c])] if flags else _cell_labels(row, columns, separator)
        except DataError as error:
            raise DataError(f"{path}, line {line}: {error}") from error
        if number is None:
            lacking.append((line, row[column]))
            continue
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


def _csv_rows(path, names):
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
    if _is_header([row for _, row in rows], names):
        return rows[0][1], rows[1:]
    return ["path", *(["label"] * (width - 1))], rows


def _is_header(rows, names):
    """Return whether the first row names columns: one that is known, or, if it names no image, texts above 0 and 1."""
    first = rows[0]
    if not first[0] or first[0].lower() in _NAMES:
        return True
    try:
        if names.find(first[0]) is not None:
            return False
    except DataError:
        return False
    if any(cell.lower() in (*_NAMES, *_LABELS) for cell in first):
        return True
    columns = itertools.islice(zip(*rows, strict=True), 1, None)
    return any(_is_word(top) and any(cells) and _are_flags(cells) for top, *cells in columns)


def _is_word(cell):
    return _flag(cell) is None and any(map(str.isalpha, cell))


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


def _columns(path, header, rows):
    """Return numbers of the column of names and of those of labels, and whether these are a class each, of 0 and 1."""
    if not header:
        raise DataError(f"{path} has no column. Expected one of images and one of labels.")
    lower = [name.strip().lower() for name in header]
    column = next((lower.index(name) for name in _NAMES if name in lower), 0)
    others = [number for number in range(len(header)) if number != column and lower[number] not in _INDEX]
    words = {number: lower[number].rstrip("0123456789_ ") for number in others}
    called = [number for number in others if words[number] in _LABELS]
    columns = called or others
    if not columns:
        raise DataError(f"{path} has the column {header[column]!r} alone. Expected a column of labels beside it.")
    if len({_LABELS.index(words[number]) // 2 for number in called}) > 1:
        raise DataError(
            f"{path}: which has the labels: {_quoted(header, called)}? Expected one kind; leave out others."
        )
    texts = [number for number in columns if not _are_flags(row[number] for _, row in rows)]
    if len(columns) == 1 or (called and texts):
        return column, columns, False
    if texts:
        raise DataError(
            f"{path}: neither called label nor 0 or 1 in each row: {_quoted(header, texts)}. Expected a column label, "
            "or a column of 0 and 1 for each class and no other beside the image's. Call the column of labels label, "
            "or leave out what is no class."
        )
    if len({header[number] for number in columns}) < len(columns):
        raise DataError(
            f"{path}: columns of 0 and 1 have no name, or one name. Expected each class's name above its own."
        )
    return column, columns, True


def _quoted(header, columns):
    """Return names of columns for a sentence."""
    more = [f"and {len(columns) - _SHOWN} more"] * (len(columns) > _SHOWN)
    return ", ".join([*(f"column {header[number]!r}" for number in columns[:_SHOWN]), *more])


def _are_flags(cells):
    return all(_flag(cell) is not None for cell in cells)


def _flag(cell):
    """Return true, False, or None of a cell that is neither."""
    text = "" if _is_empty(cell) else str(cell).strip().lower()
    return True if text in _YES else False if text in _NO else None


def _is_empty(cell):
    """Return whether a cell of Parquet has no value; pandas writes NaN."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _separator(path, rows, columns):
    """Return what separates labels in a cell, or None."""
    texts = [row[c] for _, row in rows for c in columns if isinstance(row[c], str) and not _is_list(row[c])]
    used = [sign for sign in _SEPARATORS if any(sign in text for text in texts)]
    if len(used) > 1:
        raise DataError(f"{path} separates labels by {' and by '.join(used)}. Expected one of them throughout.")
    return used[0] if used else None


def _cell_labels(row, columns, separator):
    """Return the labels of a row, in order of the alphabet, each once."""
    found = []
    for column in columns:
        cell = row[column]
        if isinstance(cell, (list, tuple)):
            found += cell
        elif isinstance(cell, str):
            found += _listed(cell) if _is_list(cell) else cell.split(separator) if separator else [cell]
        else:
            found.append(cell)
    names = {str(name).strip() for name in found if not _is_empty(name)}
    return sorted(names - {"", UNLABELLED})


def _is_list(text):
    return text.startswith("[") and text.endswith("]")


def _listed(cell):
    """Return the labels of a cell such as `["beach", "sea"]`, of JSON, Python or NumPy."""
    try:
        found = json.loads(cell)
        if not any(isinstance(name, (list, dict)) for name in found):
            return found
    except (ValueError, RecursionError):
        if _LIST.fullmatch(cell):
            with contextlib.suppress(ValueError, SyntaxError):  # of a letter that Unicode has not
                return [ast.literal_eval(text) for text in re.findall(_TEXT, cell)]
    raise DataError(f"Expected several labels as a list ['beach', 'sea'], each in quotes. Found: {cell[:80]}")


def _describe_lacking(path, lacking, count, names):
    lines = [f"{path}: {len(lacking)} of {count} rows name no image:"]
    lines += [f"  line {line}: {name!r}" for line, name in lacking[:_SHOWN]]
    lines += [f"  and {len(lacking) - _SHOWN} more"] * (len(lacking) > _SHOWN)
    return "\n".join(
        [
            *lines,
            f"Expected names such as {names.example!r}, and path,label as the header, if there is one. Remove these "
            "rows, or give their images too.",
        ]
    )


def _shown(values):
    return "|".join(map(str, values)) or "none"
