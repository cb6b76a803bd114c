"""Score tables of settings, in the shape of DHNN's Tables II, III, VI and VII (and SIDHCNN's V to VII)."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment, parse_setting
from keras_dhnn.errors import SettingError, check_each_once
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.losses.quantization import eta_in_means
from keras_dhnn.pipelines.sources import sources_of, task_name, tasks_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.tuning.names import setting
from keras_dhnn.tuning.series import fit_series
from keras_dhnn.tuning.weights import check_weights


@dataclass(frozen=True)
class Axis:
    """Describe a setting and the values that a grid gives it.

    Attributes:
        name: what its user called it, "s".
        path: the setting, "loss.similarity_factor".
        values: texts, as in `Experiment.override`.
    """

    name: str
    path: str
    values: tuple

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Return an axis from `"s=0.25,0.5"`.

        Raises:
            SettingError: if it is not of this form, names no setting, or has a value twice.
        """
        name, equals, listed = (part.strip() for part in text.partition("="))
        values = tuple(value.strip() for value in listed.split(","))
        if not equals or not all(values):
            raise SettingError(f"A grid goes over NAME=VALUE,VALUE,... such as s=0.25,0.5. Received: {text!r}")
        path = setting(name)
        check_each_once(f"--over {name}", [parse_setting(path, value) for value in values])
        return cls(name, path, values)


def grid_experiments(
    base: Experiment, axes: Sequence[Axis], info: DatasetInfo, *, paper_eta: bool = False
) -> dict[tuple[str, ...], Experiment]:
    """Return the experiments of a grid.

    Args:
        base: the `Experiment` that is varied.
        axes: `Axis` list; the last varies fastest.
        info: `DatasetInfo` of the prepared data set.
        paper_eta: whether eta, on an axis or in `base`, is in the papers' units: it is converted to ours for the pairs
            and s of each cell.

    Returns:
        `{values: Experiment}`; values is a tuple of texts, one an axis.

    Raises:
        SettingError: if two axes are one setting, a value is not allowed, or a weight has no effect on the data set.
    """
    paths = [axis.path for axis in axes]
    if not axes or len(set(paths)) < len(paths):
        raise SettingError(f"A grid goes over one setting or more, each once. Received: {', '.join(paths) or 'none'}")
    check_weights([*paths, *(["loss.eta"] if paper_eta else [])], info)
    experiments = {}
    for values in itertools.product(*(axis.values for axis in axes)):
        experiment = base.override(*(f"{path}={value}" for path, value in zip(paths, values, strict=True)))
        experiments[values] = _in_means(experiment, info) if paper_eta else experiment
    return experiments


def _in_means(experiment, info):
    """Return the experiment with its eta, which is in the papers' units, in ours."""
    loss, fitted = experiment.loss, len(draw_split(experiment.data, experiment.seed, info).fitting)
    if loss.pair_weighting != "mean":
        raise SettingError(
            "The papers' eta is for sums over all pairs alike. Expected loss.pair_weighting=mean. "
            f"Received: {loss.pair_weighting!r}"
        )
    pairs = fitted if loss.pairs == "memory" else min(experiment.training.batch_size, fitted)
    s = loss.similarity_factor if loss.penalty is None else loss.penalty / experiment.model.bits
    return experiment.replace({"loss.eta": eta_in_means(loss.eta, pairs, s, pairs=loss.pairs)})


def fit_grid(
    base: Experiment,
    axes: Sequence[Axis],
    info: DatasetInfo,
    folder: Path,
    *,
    paper_eta: bool = False,
    bar: Bar = no_bar,
    inner_bar: Bar = no_bar,
) -> dict[str, Any]:
    """Train and score every cell of a grid; cells that are finished in `folder` are kept.

    Args:
        base: the `Experiment` that is varied.
        axes: `Axis` list.
        info: `DatasetInfo` of the prepared data set.
        folder: the grid's folder.
        paper_eta: whether eta is in the papers' units, see `grid_experiments`.
        bar: context manager factory for the cells.
        inner_bar: the same for the parts of one.

    Returns:
        Dictionary for JSON: `data`, `synthetic`, `over` ({name: values}), `paper_eta`, `tasks` (their names of two
        sources, both directions across first; none of one), and `cells`, each `at` ({name: value}), `settings` that it
        has beside `base` ({setting: value}), and `map`, `val_map`, `distinct_codes`, `seconds`, of two sources `tasks`
        ({name: mAP}, `map` being the mean of both directions), or `failed`.
    """
    experiments = grid_experiments(base, axes, info, paper_eta=paper_eta)
    names = {" ".join(f"{a.name}={v}" for a, v in zip(axes, values, strict=True)): values for values in experiments}
    rows = fit_series(
        {name: experiments[values] for name, values in names.items()}, info, folder, bar=bar, inner_bar=inner_bar
    )
    cells, sources = [], sources_of(info)
    for name, values in names.items():
        settings = experiments[values].settings
        cells.append(
            {
                "at": {axis.name: value for axis, value in zip(axes, values, strict=True)},
                "settings": {path: value for path, value in settings.items() if value != base.settings[path]},
                **_scores(rows[name]),
            }
        )
    return {
        "data": info.name,
        "synthetic": info.synthetic,
        "over": {axis.name: list(axis.values) for axis in axes},
        "paper_eta": paper_eta,
        "tasks": [task_name(task) for task in tasks_of(sources)] if len(sources) > 1 else [],
        "base": json.loads(base.to_json()),
        "cells": cells,
    }


def _scores(row):
    if "failed" in row:
        return {"failed": row["failed"]}
    names = ("val_map", "distinct_codes", "epochs", "seconds", "protocol", "queries", "database", "split", "seed")
    tasks = {task: scores["map"]["expected"] for task, scores in row.get("tasks", {}).items()}
    scores = {"map": row["map"]["expected"], **{name: row[name] for name in names}}
    return {**scores, "tasks": tasks} if tasks else scores
