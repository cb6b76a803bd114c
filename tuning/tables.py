"""Arrange the cells of a grid as tables of two settings, with the best marked."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_dhnn.files import guarded


def score_of(cell: Mapping[str, Any], score: str) -> float | None:
    """Return a score of a cell: "map", "val_map", or the mAP of a task such as "pan->mul"; None if the cell failed."""
    return cell.get("tasks", {}).get(score, cell.get(score))


def best_cell(result: Mapping[str, Any], score: str = "map") -> dict[str, Any] | None:
    """Return the cell with the highest score; of equal ones the first. None if all failed."""
    scored = [(found, cell) for cell in result["cells"] if (found := score_of(cell, score)) is not None]
    return max(scored, key=lambda pair: pair[0])[1] if scored else None


def grid_tables(
    result: Mapping[str, Any], score: str = "map"
) -> tuple[dict[str, np.ndarray], tuple[str, list[str]], tuple[str, list[str]]]:
    """Return the scores of a grid, by its last two settings.

    Args:
        result: what `fit_grid` returns.
        score: "map", of the queries, of two sources the mean of both directions; a task, for one of them; or "val_map",
            of the items held out of the database.

    Returns:
        `(tables, rows, columns)`: `{name: (r, c) float64}`, one for each combination of the settings before the last
        two, NaN where a cell failed; and `(setting, values)` down and across. Of one setting there is one row.
    """
    over = list(result["over"].items())
    columns, rows = over[-1], over[-2] if len(over) > 1 else ("", [""])
    tables: dict[str, np.ndarray] = {}
    for cell in result["cells"]:
        table = tables.setdefault(table_of(result, cell), np.full((len(rows[1]), len(columns[1])), np.nan))
        if score_of(cell, score) is not None:
            table[place_of(result, cell)] = score_of(cell, score)
    return tables, rows, columns


def table_of(result: Mapping[str, Any], cell: Mapping[str, Any]) -> str:
    """Return the name of the table that a cell stands in: its settings before the last two."""
    return ", ".join(f"{name} {cell['at'][name]}" for name in list(result["over"])[:-2])


def place_of(result: Mapping[str, Any], cell: Mapping[str, Any]) -> tuple[int, int]:
    """Return row and column of a cell in its table."""
    places = [values.index(cell["at"][name]) for name, values in list(result["over"].items())[-2:]]
    return (0, *places)[-2:]


def grid_csv(result: Mapping[str, Any]) -> str:
    """Return the cells as CSV text, a row a cell."""
    scores = ("map", "val_map", "distinct_codes", "epochs", "seconds", "protocol", "queries", "database", "split")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*result["over"], "loss.eta", *scores, *(f"map {task}" for task in result["tasks"]), "failed"])
    for cell in result["cells"]:
        eta = cell["settings"].get("loss.eta", result["base"]["loss"]["eta"])
        found = (score_of(cell, name) for name in (*scores, *result["tasks"]))
        writer.writerow([*cell["at"].values(), eta, *found, guarded(cell.get("failed"))])
    return file.getvalue()
