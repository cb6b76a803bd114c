"""Draw scores over two settings, as coloured cells."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from keras_dhnn.errors import invalid
from keras_dhnn.report.figures.plain_text import plain_text


@plain_text
def heat_map_figure(
    tables: Mapping[str, np.ndarray],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    axes: tuple[str, str] = ("", ""),
    best: tuple[str, int, int] | None = None,
    score: str = "mAP",
    title: str = "",
) -> Figure:
    """Return tables of scores as heat maps on one scale, side by side.

    Args:
        tables: `{name: (r, c) array}`; NaN is a cell without a score.
        rows: r texts, the values down.
        columns: c texts, the values across.
        axes: what the rows and what the columns are.
        best: `(name, row, column)` of the cell to frame.
        score: what the numbers are.
        title: data set, protocol, bits.

    Returns:
        matplotlib Figure; its axes are labelled by the tables' names (`get_label`).

    Raises:
        ValueError: if there is no table, or one has another shape.
    """
    tables = {name: np.asarray(values, float) for name, values in tables.items()}
    wrong = {name: values.shape for name, values in tables.items() if values.shape != (len(rows), len(columns))}
    if not tables or wrong:
        raise ValueError(
            invalid("argument `tables`", f"at least one of shape {(len(rows), len(columns))}", wrong or "none")
        )
    size = (len(tables) * (1.5 + 0.75 * len(columns)) + 1.2, 1.6 + 0.5 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    known = np.concatenate([values[np.isfinite(values)] for values in tables.values()])
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    for number, (name, values) in enumerate(tables.items(), 1):
        plot = figure.add_subplot(1, len(tables), number, label=name)
        image = plot.imshow(values, cmap="viridis", vmin=low, vmax=max(high, low + 1e-4), aspect="auto")
        plot.set(title=name, xlabel=axes[1], ylabel=axes[0])
        plot.set_xticks(range(len(columns)), columns)
        plot.set_yticks(range(len(rows)), rows)
        _write(plot, values, (low + high) / 2)
        if best is not None and best[0] == name:
            corner = (best[2] - 0.47, best[1] - 0.47)
            plot.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor="red", linewidth=2))
    figure.colorbar(image, ax=figure.axes, label=score)
    return figure


def _write(plot, values, middle):
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "black" if value > middle else "white"
            plot.text(column, row, f"{value:.4f}", ha="center", va="center", color=colour, fontsize="small")
