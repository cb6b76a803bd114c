"""Write texts into tables so that no spreadsheet takes them for formulas, and read them back."""

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: Any) -> Any:
    """Return a cell of a CSV file: a text that begins as a formula does gets an apostrophe before it.

    A spreadsheet shows such a cell as text. What begins with apostrophes and a formula gets one more, so that
    `unguarded` finds every text again. What is no text stays as it is.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the text of which `guarded` made a cell."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
