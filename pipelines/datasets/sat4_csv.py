"""Read the CSV files of SAT-4: rows of whole numbers from 0 to 255, in chunks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import open_regular

FILES = ("X_train_sat4.csv", "y_train_sat4.csv", "X_test_sat4.csv", "y_test_sat4.csv")
_COMMA, _NEWLINE, _ZERO, _NINE = b",\n09"
_CHUNK = 1 << 19


def read_rows(path: Path, columns: int) -> Iterator[np.ndarray]:
    """Read a CSV file without header.

    Args:
        path: of the file.
        columns: numbers a row.

    Returns:
        Iterator of (k, columns) uint8.

    Raises:
        DataError: while iterating, if a row has another number of columns, or anything but a whole number from 0 to
            255 in one, or the file cannot be read.
    """
    first = 1
    try:
        with open_regular(path) as file:
            rest = b""
            while chunk := file.read(_CHUNK):
                text, newline, rest = (rest + chunk).rpartition(b"\n")
                if not newline and len(rest) > _most_bytes(columns):
                    raise DataError(_wrong(path, first, columns, rest))
                if newline:
                    yield (rows := parse_rows(text + newline, columns, path, first))
                    first += len(rows)
            if rest:
                yield parse_rows(rest + b"\n", columns, path, first)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error


def parse_rows(text: bytes, columns: int, path: Path, first: int) -> np.ndarray:
    """Return (k, columns) uint8 of whole rows.

    Args:
        text: of the rows.
        columns: how many numbers a row has.
        path: of the file, for the message.
        first: number of the first row, for the message.

    Raises:
        DataError: if a row is not so many whole numbers from 0 to 255.
    """
    signs = np.frombuffer(text.replace(b"\r\n", b"\n") if b"\r" in text else text, np.uint8)
    # Sums over every byte, whether a number ends there or not: they take a tenth of the time of finding the ends.
    inside = (signs >= _ZERO).view(np.uint8)
    digits = (signs - np.uint8(_ZERO)) * inside
    values = digits.astype(np.uint16)
    values[1:] += digits[:-1] * np.uint16(10)
    values[2:] += (digits[:-2] * inside[1:-1]) * np.uint16(100)
    ends = np.flatnonzero(inside == 0)
    values = values.take(ends - 1)
    long = (inside[3:] & inside[2:-1] & inside[1:-2] & inside[:-3]).any()
    empty = not inside[0] or not (inside[1:] | inside[:-1]).all()
    if long or empty or signs.max() > _NINE or values.max() > 255 or not _in_rows(signs.take(ends), columns):
        raise DataError(_first_wrong(signs.tobytes(), columns, path, first))
    return values.astype(np.uint8).reshape(-1, columns)


def _in_rows(marks, columns):
    """Return whether commas and new lines come as they do in rows of so many columns."""
    if len(marks) % columns:
        return False
    marks = marks.reshape(-1, columns)
    return (marks[:, :-1] == _COMMA).all() and (marks[:, -1] == _NEWLINE).all()


def _most_bytes(columns):
    return 4 * columns + 1


def _first_wrong(text, columns, path, first):
    """Return the message about the first wrong row."""
    for number, row in enumerate(text.removesuffix(b"\n").split(b"\n"), first):
        cells = row.split(b",")
        if len(cells) != columns or not all(cell.isdigit() and len(cell) < 4 and int(cell) < 256 for cell in cells):
            return _wrong(path, number, columns, row)
    raise AssertionError("every row is right")


def _wrong(path, number, columns, row):
    cells = row.split(b",")
    wrong = next((cell for cell in cells if not (cell.isdigit() and len(cell) < 4 and int(cell) < 256)), None)
    found = f"{len(cells)} columns" if len(cells) != columns else repr(wrong.decode("utf-8", "backslashreplace"))[:40]
    return (
        f"{path}, row {number:,}: expected {columns} whole numbers from 0 to 255 between commas. Found: {found}. Is it "
        "the right file, and whole?"
    )
