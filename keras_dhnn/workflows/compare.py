"""Put runs side by side: their scores, what differs in their settings, their precision-recall curves."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.errors import DataError, RunError
from keras_dhnn.files import as_list
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.sources import ARROW
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
        `unlike` ({field: {name: value}}, what of the protocol differs) and `figure`.

    Raises:
        RunError: if there are fewer than two runs, one is not there or not finished, or (without `unlike`) protocols
            differ.
        DataError: if the figure cannot be written.
    """
    runs = as_list(runs)
    figure = Path(out) if out is not None else Path(runs[0]).parent / "comparison.png"
    opened = _named([Run.open(path) for path in runs])
    metrics = {name: run.metrics for name, run in opened.items()}
    differing = _differing({name: protocol_of(run) for name, run in opened.items()})
    differing = differing or _unlike_splits(opened, metrics)
    if differing and not unlike:
        lines = [
            f"  {field}: " + ", ".join(f"{n} {v}" for n, v in values.items()) for field, values in differing.items()
        ]
        raise RunError(
            "These runs were not scored by the same protocol:\n" + "\n".join(lines) + "\nTheir scores do not compare. "
            "Put them side by side all the same by --unlike."
        )
    _draw(opened, figure)
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
        "figure": str(figure),
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
        "protocol": metrics["protocol"],
        "items": items,
        # Groups that do not fit a class's share move it a little from seed to seed.
        "share of queries": f"{metrics['queries'] / items:.0%}",
        "groups kept together": " and ".join(filter(None, (data.groups, data.group_pattern))) or "none",
        **{name: metrics[name] for name in ("ties", "cut_off", "exclude_self")},
    }


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


def _draw(runs, path):
    metrics, curves = {name: run.metrics for name, run in runs.items()}, {}
    for name, run in runs.items():
        curves |= _curves(name, run, metrics[name])
    titles = {f"{m['data']}{', synthetic' if m['synthetic'] else ''}, {m['protocol']}" for m in metrics.values()}
    title = titles.pop() if len(titles) == 1 else "unlike protocols: " + "; ".join(sorted(titles))
    try:
        save_figure(precision_recall_figure(curves, title), path, dpi=150)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}. Choose another place by --out.") from error


def _curves(name, run, metrics):
    """Return {what: (recall, precision)} of a run; of two sources, one for each direction across them."""
    split, curves = Split.load(run.split_path), {}
    across = [name for name in metrics.get("tasks", {}) if len(set(name.split(ARROW))) > 1]
    for task in across or [None]:
        searching, searched = (run.load_codes(source) for source in (task.split(ARROW) if task else (None, None)))
        codes = searching["codes"][split.queries], searched["codes"][split.database]
        labels = (searching["labels"][side] for side in (split.queries, split.database))
        precision, recall = precision_recall_curve(rank(*codes, *labels, stable_at=()))
        score = (metrics["tasks"][task] if task else metrics)["map"]["expected"]
        curves[f"{name}, {task + ', ' if task else ''}mAP {score:.4f}"] = recall, precision
    return curves
