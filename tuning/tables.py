"""The cells of a grid as tables of two settings, with the best marked."""

import csv
import io

import numpy as np

SCORES = ("map", "val_map")


def best_cell(result, score="map"):
    """The cell with the highest score; of equal ones the first. None if all failed."""
    cells = [cell for cell in result["cells"] if cell.get(score) is not None]
    return max(cells, key=lambda cell: cell[score], default=None)


def grid_tables(result, score="map"):
    """The scores of a grid, by its last two settings.

    Args:
        result: what `fit_grid` returns.
        score: "map", of the queries, or "val_map", of the items held out of the database.

    Returns:
        `(tables, rows, columns)`: `{name: (r, c) float64}`, one for each combination of the settings before the last
        two, NaN where a cell failed; and `(setting, values)` down and across. Of one setting there is one row.
    """
    over = list(result["over"].items())
    columns, rows = over[-1], over[-2] if len(over) > 1 else ("", [""])
    tables = {}
    for cell in result["cells"]:
        table = tables.setdefault(table_of(result, cell), np.full((len(rows[1]), len(columns[1])), np.nan))
        if cell.get(score) is not None:
            table[place_of(result, cell)] = cell[score]
    return tables, rows, columns


def table_of(result, cell):
    """Name of the table that a cell stands in: its settings before the last two."""
    return ", ".join(f"{name} {cell['at'][name]}" for name in list(result["over"])[:-2])


def place_of(result, cell):
    """Row and column of a cell in its table."""
    places = [values.index(cell["at"][name]) for name, values in list(result["over"].items())[-2:]]
    return (0, *places)[-2:]


def grid_csv(result):
    """The cells as CSV text, a row a cell."""
    scores = ("map", "val_map", "distinct_codes", "epochs", "seconds", "protocol", "queries", "database", "split")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*result["over"], "loss.eta", *scores, "failed"])
    for cell in result["cells"]:
        eta = cell["settings"].get("loss.eta", result["base"]["loss"]["eta"])
        writer.writerow([*cell["at"].values(), eta, *(cell.get(name, "") for name in (*scores, "failed"))])
    return file.getvalue()
