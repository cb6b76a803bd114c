"""Train and score a table of settings, as the papers' sensitivity tables have them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError
from keras_dhnn.experiment.resolve import notice, resolve_experiment
from keras_dhnn.files import as_list, check_name, new_folder, write_json, write_text
from keras_dhnn.files.owner import owned
from keras_dhnn.progress import Bar, no_bar, show_progress
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.heat_map import heat_map_figure
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.tuning.grid import Axis, fit_grid, grid_experiments
from keras_dhnn.tuning.job import check_job, create_job, open_job
from keras_dhnn.tuning.tables import best_cell, grid_csv, grid_tables, place_of, table_of
from keras_dhnn.workflows.prepare import draw_twin, load_labelled

SCORES = {"map": "mAP", "val_map": "validation mAP"}


def grid(
    name: str | None = None,
    *,
    over: str | Sequence[str] = (),
    paper_eta: bool = False,
    validation: bool = False,
    bits: int | None = None,
    protocol: str | None = None,
    queries: float | None = None,
    backbone: str | Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | str | Iterable[str] = (),
    config: Path | str | None = None,
    synthetic: bool = False,
    resume: Path | str | None = None,
    grid_name: str | None = None,
    data: Path | str = "data",
    runs: Path | str = "runs",
    seed: int | None = None,
    bar: Bar = show_progress,
    inner_bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
    started: Callable[[Path], Any] = lambda path: None,
) -> dict[str, Any]:
    """Train every combination of some values of settings, and write the table of their scores.

    Args:
        name: of the prepared data set.
        over: what is varied, e.g. `["s=0.5,1", "eta=0.1,0.2"]`.
        paper_eta: whether values of eta are the papers', for sums.
        validation: whether the best is chosen by validation mAP instead of by the queries.
        bits: see `fit`, as are the arguments that are not named here.
        protocol: see `fit`.
        queries: see `fit`.
        backbone: see `fit`.
        settings: see `fit`.
        config: see `fit`.
        synthetic: see `fit`.
        resume: folder of a grid to continue: cells that are finished are kept.
        grid_name: folder of the results below `runs`.
        data: folder of the prepared data sets.
        runs: folder of the results.
        seed: see `fit`.
        bar: progress bar factory, of the cells.
        inner_bar: progress bar factory, of the parts of one cell.
        say: is told what was decided for the user.
        started: is called with the folder before training begins.

    Returns:
        As in the folder's `grid.json`: `cells`, `best` and what they have in common; and `path`, `table` and `figure`,
        where they are written (None for a
        figure that could not be drawn).

    Raises:
        SettingError: for a setting that is not allowed.
        RunError: if there is nothing to continue, or no cell could be trained.
    """
    if resume is not None:
        path, request = Path(resume), open_job(resume, "grid")
    else:
        experiment = resolve_experiment(
            name,
            data=data,
            config=config,
            bits=bits,
            protocol=protocol,
            queries=queries,
            backbone=backbone,
            seed=seed,
            settings=settings,
            draw=(lambda name: draw_twin(name, data, bar)) if synthetic else None,
            say=say,
        )
        if paper_eta and "loss.pair_weighting" not in _given(settings):
            experiment = experiment.replace({"loss.pair_weighting": "mean"})
        request = {"base": json.loads(experiment.to_json()), "over": as_list(over), "paper_eta": paper_eta}
    axes = [Axis.parse(text) for text in request["over"]]
    base = Experiment.from_json(json.dumps(request["base"]))
    info = load_labelled(base, data)
    grid_experiments(base, axes, info, paper_eta=request["paper_eta"])
    if resume is None:
        usual = f"grid-{base.data.name}"
        path = new_folder(Path(runs), usual) if grid_name is None else Path(runs) / check_name(grid_name, "a grid")
        create_job(path, "grid", request, info)
    else:
        check_job(path, request, info)
    started(path)
    with owned(path):
        result = fit_grid(base, axes, info, path, paper_eta=request["paper_eta"], bar=bar, inner_bar=inner_bar)
    return _write(path, result, "val_map" if validation else "map")


def _given(settings: Mapping[str, Any] | str | Iterable[str]) -> set[str]:
    """Return the names of the settings that a user has given."""
    return {text.partition("=")[0].strip() for text in as_list(settings)}


def _write(path: Path, result: dict[str, Any], score: str) -> dict[str, Any]:
    best = best_cell(result, score)
    write_json(path / "grid.json", {**result, "best": best})
    write_text(path / "cells.csv", grid_csv(result))
    if best is None:
        raise RunError(f"No cell of {path} could be trained. The first failed of: {result['cells'][0]['failed']}")
    figure = None
    with alone(f"The figure of {path}", f"Draw it later: keras-dhnn grid --resume {path}"):
        figure = str(_draw(path, result, best, score))
    places = {"path": str(path), "table": str(path / "cells.csv"), "figure": figure}
    return {**result, "best": best, **places}


def grid_title(result: dict[str, Any], cell: dict[str, Any]) -> str:
    """Return what the cells of a grid have in common, in words."""
    kind = ", synthetic" if result["synthetic"] else ""
    bits = f"{result['base']['model']['bits']} bits" if "l" not in result["over"] else ""
    fixed = {"protocol": cell["protocol"], "quantization": f"{result['base']['loss']['quantization'].upper()}"}
    words = [word for name, word in fixed.items() if name not in result["over"]]
    return ", ".join(word for word in (f"{result['data']}{kind}", *words, bits, f"seed {cell['seed']}") if word)


def _draw(path: Path, result: dict[str, Any], best: dict[str, Any], score: str) -> Path:
    tables, (down, rows), (across, columns) = grid_tables(result, score)
    unit = " (paper's)" if result["paper_eta"] else ""
    axes = tuple(f"{name}{unit if name == 'eta' else ''}" for name in (down, across))
    figure = heat_map_figure(
        tables,
        rows,
        columns,
        axes=axes,
        best=(table_of(result, best), *place_of(result, best)),
        score=SCORES[score],
        title=f"{SCORES[score]}: {grid_title(result, best)}",
    )
    path = path / "figures" / "heat-map.png"
    path.parent.mkdir(exist_ok=True)
    save_figure(figure, path, dpi=120)
    return path
