"""The CSV files of SAT-4: rows of whole numbers from 0 to 255, read in chunks."""

import numpy as np

from keras_dhnn.pipelines.errors import DataError

FILES = ("X_train_sat4.csv", "y_train_sat4.csv", "X_test_sat4.csv", "y_test_sat4.csv")
_COMMA, _NEWLINE, _ZERO, _NINE = b",\n09"
_CHUNK = 8 << 20


def read_rows(path, columns):
    """Reads a CSV file without header.

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
        with open(path, "rb") as file:
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


def parse_rows(text, columns, path, first):
    """(k, columns) uint8 of whole rows; `first` is the number of the first, for the message if one is wrong."""
    text = np.frombuffer(text.replace(b"\r\n", b"\n"), np.uint8)
    # All characters below the digits; the comma and the new line are right, and others are found below.
    ends = np.flatnonzero(text < _ZERO)
    marks = text[ends]
    lengths = np.diff(ends, prepend=-1) - 1
    right = len(ends) % columns == 0 and text.max() <= _NINE and lengths.min() >= 1 and lengths.max() <= 3
    if not right or not _in_rows(marks, columns):
        raise DataError(_first_wrong(text.tobytes(), columns, path, first))
    digits = text - np.uint8(_ZERO)
    values = digits[ends - 1].astype(np.uint16)
    for place, digit in ((2, 10), (3, 100)):
        # A number with fewer digits reads its neighbour's here, times 0.
        values += digits[ends - place] * np.where(lengths >= place, np.uint16(digit), np.uint16(0))
    if values.max() > 255:
        raise DataError(_first_wrong(text.tobytes(), columns, path, first))
    return values.astype(np.uint8).reshape(-1, columns)


def _in_rows(marks, columns):
    marks = marks.reshape(-1, columns)
    return (marks[:, :-1] == _COMMA).all() and (marks[:, -1] == _NEWLINE).all()


def _most_bytes(columns):
    return 4 * columns + 1


def _first_wrong(text, columns, path, first):
    """The message about the first wrong row."""
    for number, row in enumerate(text.splitlines(), first):
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
