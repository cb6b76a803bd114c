"""Measure what each part of SIDHCNN's objective is worth: a training a row and code length (Tables IV to VII)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError, SettingError, check_each_once, invalid
from keras_dhnn.experiment.split import data_key
from keras_dhnn.files import read_json, write_json
from keras_dhnn.files.owner import OWNER, owned
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.sources import ARROW, main_tasks, sources_of, task_name
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.tuning.series import fit_series

# Weights that a row sets to nothing, of alpha (IASC), beta (BQC) and gamma (FDC).
ROWS = {
    "IRSC": ("alpha", "beta", "gamma"),
    "IRSC+IASC": ("beta", "gamma"),
    "IRSC+IASC+BQC": ("gamma",),
    "IRSC+IASC+BQC+FDC": (),
    "DCMH": ("alpha",),
}
SWEPT = (0.0, 0.1, 1.0, 10.0)
# What to propose for a weight that is 0: those of the preset ucmd-dual.
_PROPOSED = {"alpha": 1.0, "beta": 0.1, "gamma": 0.05}


def rows_of(experiment: Experiment, sweep: str | None = None) -> dict[str, tuple[str, ...]]:
    """Return the rows of a table, `{name: settings}`.

    Args:
        experiment: the `Experiment` whose weights are the full objective's.
        sweep: "alpha", "beta" or "gamma", which then takes the values `SWEPT`, those of Tables V to VII but in our
            units, for means; None is Table IV, and DCMH as the paper has it: the same networks and objective, without
            pairs inside a source.

    Raises:
        SettingError: if a weight of the full objective is 0, so that rows would be the same.
    """
    if sweep is not None:
        if sweep not in ("alpha", "beta", "gamma"):
            raise SettingError(invalid("--sweep", "alpha, beta or gamma", sweep))
        return {f"{sweep}={value:g}": (f"loss.{sweep}={value}",) for value in SWEPT}
    missing = [name for name in ("alpha", "beta", "gamma") if not getattr(experiment.loss, name)]
    if missing:
        weights = " ".join(f"--set loss.{name}={_PROPOSED[name]:g}" for name in missing)
        raise SettingError(
            f"Some rows would be the same, since {' and '.join(f'loss.{name}' for name in missing)} "
            f"{'is' if len(missing) == 1 else 'are'} 0 in the full objective. Give the weights of the preset "
            f"ucmd-dual, or your own: {weights}"
        )
    return {name: tuple(f"loss.{weight}=0" for weight in off) for name, off in ROWS.items()}


def ablate(
    experiment: Experiment,
    info: DatasetInfo,
    bits: Sequence[int],
    folder: Path,
    *,
    sweep: str | None = None,
    bar: Bar = no_bar,
    inner_bar: Bar = no_bar,
) -> dict[str, Any]:
    """Train and score every row at every code length, as a series: rows that an earlier call finished are kept.

    A row that fails has the reason instead of scores, and the others are trained.

    Args:
        experiment: the `Experiment` with the full objective.
        info: `DatasetInfo` of a data set with two sources.
        bits: code lengths.
        folder: where the series, `table.json` and the curves are written.
        sweep: see `rows_of`.
        bar: context manager factory `bar(description, total, unit)` for the rows.
        inner_bar: the same for the parts of one.

    Returns:
        `{"protocol": str, "rows": [{"row", "bits", "tasks": {task: mAP}, ...}, {"row", "bits", "failed"}], ...}`.

    Raises:
        RunError: if the folder holds an ablation of another experiment, another process is at work in it, or no row
            could be trained.
        DataError: if a finished row in the folder is damaged.
        SettingError: if the data set has one source, or a code length is not allowed or given twice.
    """
    check_each_once("--bits", bits)
    if len(info.images) != 2:
        raise SettingError(f"An ablation is of a data set with two image sources. {info.name} has {len(info.images)}.")
    rows = {
        (name, length): experiment.override(f"model.bits={length}", *settings)
        for length in bits
        for name, settings in rows_of(experiment, sweep).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        _check_same(experiment, info, folder / "experiment.json")
        experiments = {f"{name}, {length} bits": changed for (name, length), changed in rows.items()}
        fitted = fit_series(experiments, info, folder, also=_curves, bar=bar, inner_bar=inner_bar)
        results = dict(zip(rows, fitted.values(), strict=True))
        table = _table(experiment, info, results, folder)
    for length in bits:
        with alone(f"The curves at {length} bits of {folder}", "Draw them later: start the same command again."):
            _draw({name: one for (name, of), one in results.items() if of == length and "tasks" in one}, info, folder)
    return table


def _curves(outputs, evaluations):
    """Return the precision-recall curve of each task, for JSON."""
    return {
        "curves": {
            task_name(one.task): [values.tolist() for values in precision_recall_curve(one.counts)]
            for one in evaluations
        }
    }


def _table(experiment, info, results, folder):
    """Write the table of the scores, and return it."""
    reasons = [one["failed"] for one in results.values() if "failed" in one]
    if len(reasons) == len(results):
        raise RunError(f"No row of {folder} could be trained. The first failed of: {reasons[0]}")
    table = {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "protocol": experiment.data.protocol,
        "seed": experiment.seed,
        "rows": [{"row": name, "bits": length, **_scores(one)} for (name, length), one in results.items()],
    }
    write_json(folder / "table.json", table)
    return table


def _scores(row):
    if "failed" in row:
        return {"failed": row["failed"]}
    tasks = {task: scores["map"]["expected"] for task, scores in row["tasks"].items()}
    return {"split": row["split"], "tasks": tasks, "distinct_codes": row["distinct_codes"]}


def _check_same(experiment, info, path):
    key = data_key(experiment.data, experiment.seed, info)
    ours = {"checksum": key, "experiment": json.loads(experiment.to_json())}
    # Alone in its folder it is of settings that were refused.
    others = {file for file in path.parent.rglob("*") if file.is_file()} - {path, path.parent / OWNER}
    if others and path.exists() and read_json(path, remedy="Give another --name.") != ours:
        raise RunError(f"{path.parent} holds an ablation of other settings, images or labels. Give another --name.")
    write_json(path, ours)


def _draw(rows, info, folder):
    """Draw precision-recall curves of all rows `{name: row}`, a figure a direction (SIDHCNN Figs. 3 and 4)."""
    for task in [task_name(task) for task in main_tasks(sources_of(info))] if rows else []:
        bits = next(iter(rows.values()))["bits"]
        curves = {
            f"{name}, mAP {one['tasks'][task]['map']['expected']:.4f}": one["curves"][task][::-1]
            for name, one in rows.items()
        }
        title = f"{info.name}{', synthetic' if info.synthetic else ''}, {task}, {bits} bits"
        precision_recall_figure(curves, title).savefig(folder / f"{task.replace(ARROW, '-to-')}-{bits}.png", dpi=120)
