"""Put runs side by side: their scores, what differs in their settings, their precision-recall curves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.errors import DataError, RunError
from keras_dhnn.evaluation.scores import count, known_part
from keras_dhnn.files import as_list
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.sources import ARROW, task_name
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.runs import Run


def compare(
    runs: Path | str | Sequence[Path | str], out: Path | str | None = None, *, unlike: bool = False
) -> dict[str, Any]:
    """Read the scores of runs, check that they compare, and draw their precision-recall curves.

    Args:
        runs: folders of the runs, two or more.
        out: path of the PNG file to draw; by default comparison.png beside the first run.
        unlike: whether to put runs side by side whose protocols differ.

    Returns:
        Dictionary for JSON: `runs` (of each its name, folder, metrics and the settings that are not the same in all),
        `unlike` ({field: {name: value}}, what of the protocol differs), `figure` (None if no run has a curve), and
        `without_curve`, the names of runs that have none: no label is known to score them by, or their scores are by
        other labels than the run has.

    Raises:
        RunError: if there are fewer than two runs, one is not there or not finished, or (without `unlike`) protocols
            differ.
        DataError: if the figure cannot be written.
    """
    runs = as_list(runs)
    figure = Path(out) if out is not None else Path(runs[0]).parent / "comparison.png"
    opened = _named([Run.open(path) for path in runs])
    metrics = {name: run.metrics for name, run in opened.items()}
    differing = _differing(_comparable({name: protocol_of(run) for name, run in opened.items()}))
    differing = differing or _unlike_splits(opened, metrics)
    if differing and not unlike:
        lines = [
            f"  {field}: " + ", ".join(f"{n} {v}" for n, v in values.items()) for field, values in differing.items()
        ]
        raise RunError(
            "These runs were not scored by the same protocol:\n" + "\n".join(lines) + "\nTheir scores do not compare. "
            "Put them side by side all the same by --unlike."
        )
    curves = {name: _curves(name, run, metrics[name]) for name, run in opened.items()}
    if any(curves.values()):
        _draw(curves, metrics, figure)
    settings = _differing({name: run.experiment.settings for name, run in opened.items()})
    return {
        "runs": [
            {
                "name": name,
                "path": str(run.path),
                "settings": {field: values[name] for field, values in settings.items()},
                "metrics": metrics[name],
            }
            for name, run in opened.items()
        ],
        "unlike": differing,
        "figure": str(figure) if any(curves.values()) else None,
        "without_curve": [name for name, of_run in curves.items() if not of_run],
    }


def protocol_of(run: Run) -> dict[str, Any]:
    """Return what must be equal for the scores of runs to compare; seed and bits need not.

    Splits that differ because the seed does are draws by one protocol, so that it is not the split's hash that must be
    equal, but how it was drawn.
    """
    metrics, data = run.metrics, run.experiment.data
    items = metrics["queries"] + metrics["database"]
    return {
        "images": f"{metrics['data']} {metrics['checksum'][:12]}",
        # Of no labels there is no score, and runs of before do not say which.
        "labels": None if metrics["map"] is None else metrics.get("labels"),
        "protocol": metrics["protocol"],
        "items": items,
        # Groups that do not fit a class's share move it a little from seed to seed.
        "share of queries": f"{metrics['queries'] / items:.0%}",
        "groups kept together": " and ".join(filter(None, (data.groups, data.group_pattern))) or "none",
        **{name: metrics[name] for name in ("ties", "cut_off", "exclude_self")},
    }


def _comparable(protocols):
    """Return protocols without the labels, where not all of them say which they are."""
    if all(values["labels"] for values in protocols.values()):
        return protocols
    return {name: {**values, "labels": None} for name, values in protocols.items()}


def _unlike_splits(runs, metrics):
    """Find runs of one seed whose queries or database differ; which part is held out for validation may."""
    splits = {name: Split.load(run.split_path) for name, run in runs.items()}
    by_seed = {}
    for name in runs:
        by_seed.setdefault(metrics[name]["seed"], []).append(name)
    for names in by_seed.values():
        sides = {(splits[name].queries.tobytes(), splits[name].database.tobytes()) for name in names}
        if len(sides) > 1:
            return {"split": {name: metrics[name]["split"] for name in names}}
    return {}


def _named(runs):
    """Return {name: Run}; runs of one name in several folders go by their paths."""
    if len(runs) < 2:
        raise RunError("Name two runs or more: keras-dhnn compare RUN RUN ...")
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    if len(set(names)) < len(names):
        raise RunError(f"A run is named twice: {', '.join(names)}")
    return dict(zip(names, runs, strict=True))


def _differing(by_run):
    """Return {field: {run: value}} of the fields whose values are not all equal; `by_run` is {run: {field: value}}."""
    fields = dict.fromkeys(field for values in by_run.values() for field in values)
    columns = {field: {run: values.get(field) for run, values in by_run.items()} for field in fields}
    return {field: column for field, column in columns.items() if len({json.dumps(v) for v in column.values()}) > 1}


def _draw(curves, metrics, path):
    curves = {what: curve for of_run in curves.values() for what, curve in of_run.items()}
    titles = {f"{m['data']}{', synthetic' if m['synthetic'] else ''}, {m['protocol']}" for m in metrics.values()}
    title = titles.pop() if len(titles) == 1 else "unlike protocols: " + "; ".join(sorted(titles))
    try:
        save_figure(precision_recall_figure(curves, title), path, dpi=150)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another place by --out.") from error


def _curves(name, run, metrics):
    """Return {what: (recall, precision)} of a run; of two sources, one for each direction across them."""
    tasks = [task for task in (tuple(one.split(ARROW)) for one in metrics.get("tasks", {})) if len(set(task)) > 1]
    _, codes, labels = run.load_outputs(sorted({source for task in tasks for source in task}) or ["image"])
    split, curves = _scored_split(run, labels, metrics), {}
    if split is None:
        return {}
    table = Labels.load(run.labels_path) if run.labels_path.is_file() else None
    sets = table if table is not None and table.several else None
    for task in tasks or [("image", "image")]:
        precision, recall = precision_recall_curve(count(codes, labels, split, task, sets))
        score = (metrics["tasks"][task_name(task)] if tasks else metrics)["map"]["expected"]
        curves[f"{name}, {task_name(task) + ', ' if tasks else ''}mAP {score:.4f}"] = recall, precision
    return curves


def _scored_split(run, labels, metrics):
    """Return the part of a run's split that its scores are of, which their hash names; None if it has none.

    Where labels are missing it is what is left without one of the classes, that of images without a label.
    """
    split = Split.load(run.split_path)
    if metrics["map"] is None or split.hash == metrics["split"]:
        return None if metrics["map"] is None else split
    missing = len(split.queries) - metrics["queries"], len(split.database) - metrics["database"]
    for label in np.unique(labels):
        known = labels != label
        if ((~known[split.queries]).sum(), (~known[split.database]).sum()) == missing:
            part = known_part(split, known)
            if part is not None and part.hash == metrics["split"]:
                return part
    return None
