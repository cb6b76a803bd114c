"""Measure one cell of a comparison: a method at a code length and a seed, from settings to scores, time and memory."""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from keras_dhnn.baselines import CCAITQ, COSDISH, ITQ, KSH, PRH, SCM, SDH
from keras_dhnn.codes import pack
from keras_dhnn.config import Experiment
from keras_dhnn.evaluation.scores import Evaluation, check_scorable, score
from keras_dhnn.experiment.methods import Method, deep_methods, rates
from keras_dhnn.experiment.split import data_key, draw_split
from keras_dhnn.files import write_arrays
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.pipelines.sources import main_tasks, task_name
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import no_bar
from keras_dhnn.training.pairs import needs_pairs, why_not_learnable
from keras_dhnn.tuning.measure import measure
from keras_dhnn.tuning.series import kept_row

SHALLOW_ONE = {"prh": PRH, "itq": ITQ, "ksh": KSH, "sdh": SDH, "cosdish": COSDISH}
SHALLOW_TWO = {"cca-itq": CCAITQ, "scm": SCM}
# What learns from vectors alone; the others learn from those whose labels are known.
_WITHOUT_LABELS = ("prh", "itq", "cca-itq")
# Held out of the database for tuning: more than for picking an epoch, since trials differ by less.
_TUNING_VALIDATION = 0.1


def methods_of(sources: int) -> dict[str, str]:
    """Return the methods that compare on so many image sources, `{name: title}`, shallow ones first."""
    shallow = SHALLOW_ONE if sources == 1 else SHALLOW_TWO
    titles = {name: kind.__name__ if name != "cca-itq" else "CCA-ITQ" for name, kind in shallow.items()}
    return titles | {name: method.title for name, method in deep_methods(sources).items()}


def usable_methods(info: DatasetInfo, experiment: Experiment) -> list[str]:
    """Return the methods of `methods_of` that can learn from a data set's labels.

    Args:
        info: `DatasetInfo`.
        experiment: the `Experiment` that deep methods change.
    """
    names = list(methods_of(len(info.images)))
    if not needs_pairs(info):
        return names
    deep = deep_methods(len(info.images))
    refused = [name for name in deep if why_not_learnable(experiment.replace(dict(deep[name].settings)), info)]
    return [name for name in names if name not in refused]


def is_deep(name: str) -> bool:
    """Return whether a method is one of our models by its settings, rather than an estimator on fixed vectors."""
    return name in deep_methods(1) or name in deep_methods(2)


def shallow_cell(
    name: str,
    bits: int,
    experiment: Experiment,
    info: DatasetInfo,
    features: Callable[[], dict],
    kind: str,
    folder: Path,
) -> dict[str, Any]:
    """Return the row of a shallow method, from its file or measured.

    Args:
        name: of the method.
        bits: code length.
        experiment: the `Experiment`, for data and seed.
        info: `DatasetInfo`.
        features: called without arguments; returns `{source: (n, d)}`.
        kind: "gist" or "backbone", for the record.
        folder: of the benchmark.
    """
    make = SHALLOW_ONE.get(name) or SHALLOW_TWO[name]
    seeded = {"seed": experiment.seed} if name != "scm" else {}
    estimator = make(bits=bits, **seeded)
    key, settings = data_key(experiment.data, experiment.seed, info), sorted(estimator.get_params().items())
    decides = f"{key} {kind} {experiment.data} {experiment.seed} {name} {settings}"

    def measured(_: Path) -> dict[str, Any]:
        vectors = features()
        split = draw_split(experiment.data, experiment.seed, info)
        check_scorable(split, info)
        labels, training = split.items.spread(info.labels), split.training
        if name not in _WITHOUT_LABELS:
            training = training[split.items.spread(info.known)[training]]
        with metered() as spent:
            codes = _fitted_codes(estimator, vectors, labels, training)
        _scored, evaluations, scores = score(codes, split, info, experiment.seed)
        return scores | kept(codes, evaluations, folder, decides) | spent

    return kept_row(
        folder, decides, {"method": name, "bits": bits, "seed": experiment.seed, "features": kind}, measured
    )


def _fitted_codes(
    estimator: BaseEstimator, vectors: Mapping[str, np.ndarray], labels: np.ndarray, training: np.ndarray
) -> dict[str, np.ndarray]:
    """Return `{source: (n, l)}` codes of all items by an estimator for one source or two."""
    if len(vectors) == 1:
        ((source, x),) = vectors.items()
        return {source: estimator.fit(x[training], labels[training]).transform(x)}
    estimator.fit({source: x[training] for source, x in vectors.items()}, labels[training])
    return estimator.transform(vectors)


def deep_cell(
    name: str,
    bits: int,
    experiment: Experiment,
    info: DatasetInfo,
    settings: Mapping[str, Any],
    folder: Path,
    bar: Callable = no_bar,
) -> dict[str, Any]:
    """Return the row of a deep method, from its file or trained; arguments as of `shallow_cell`, and its settings."""
    changed = experiment.replace({**settings, "model.bits": bits})
    decides = f"{data_key(changed.data, changed.seed, info)} {changed.to_json()}"

    def measured(state: Path) -> dict[str, Any]:
        with metered() as spent:
            row = measure(
                *(changed, info, state),
                queries=True,
                also=lambda outputs, evaluations: kept(outputs, evaluations, folder, decides),
                bar=bar,
            )
        return row | spent

    about = {"method": name, "bits": bits, "seed": experiment.seed, "settings": dict(settings)}
    return kept_row(folder, decides, about, measured)


def tuned_settings(
    name: str, bits: int, experiment: Experiment, info: DatasetInfo, trials: int, folder: Path, bar: Callable = no_bar
) -> tuple[dict[str, Any], list[dict]]:
    """Search a deep method's settings by items held out of the database; the queries are not looked at.

    The first trial is the method as it is published, the others are drawn at random in its ranges.

    Returns:
        (settings of the best trial, rows of all trials).
    """
    method = deep_methods(len(info.images))[name]
    rows = []
    for settings in drawn_settings(method, experiment.settings, trials, experiment.seed):
        changed = experiment.replace({**settings, "model.bits": bits, "data.validation": _TUNING_VALIDATION})
        decides = f"trial {data_key(changed.data, changed.seed, info)} {changed.to_json()}"
        about = {"method": name, "bits": bits, "settings": settings}
        rows.append(kept_row(folder, decides, about, lambda state, e=changed: measure(e, info, state, bar=bar)))
    done = [row for row in rows if row.get("val_map") is not None]
    best = max(done, key=lambda row: row["val_map"], default={"settings": dict(method.settings)})
    return best["settings"], rows


def drawn_settings(method: Method, base: Mapping[str, Any], trials: int, seed: int) -> list[dict[str, Any]]:
    """Return the settings of each trial: the method's own, then random ones in its ranges.

    Args:
        method: the `Method`.
        base: `{setting: value}` of the experiment that it changes.
        trials: how many, at least 1.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    ranges = {**rates(base), **method.tuned}
    found = [dict(method.settings)]
    for _ in range(trials - 1):
        found.append({**method.settings, **{path: _drawn(random, values) for path, values in ranges.items()}})
    return found


def _drawn(random: np.random.Generator, values: tuple) -> Any:
    if isinstance(values[0], str):
        return values[random.integers(len(values))]
    low, high = np.log(values)
    return float(f"{np.exp(random.uniform(low, high)):.4g}")


def kept(
    outputs: Mapping[str, np.ndarray], evaluations: list[Evaluation], folder: Path, decides: str
) -> dict[str, Any]:
    """Return what a row keeps beside scores: the curves, and the name of the file with the codes of all items."""
    name = f"{hashlib.sha256(decides.encode()).hexdigest()[:16]}.npz"
    path = folder / "codes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, {source: pack(values) for source, values in outputs.items()}, compressed=True)
    main = {task_name(task) for task in main_tasks(tuple(outputs))}
    curves = {
        task_name(one.task): [x.tolist() for x in precision_recall_curve(one.counts)[::-1]] for one in evaluations
    }
    return {"codes": name, "curves": {task: curve for task, curve in curves.items() if task in main}}


@contextlib.contextmanager
def metered() -> Iterator[dict]:
    """Give a dictionary that holds the block's `seconds`, and `peak_mb`, what memory it took at most, at its end.

    Memory is what the process had in memory beyond what it had before, in 10^6 bytes; where the operating system does
    not tell it (it is Linux that does), it is None.
    """
    spent: dict[str, float | None] = {}
    before, started = _resident("VmRSS", reset=True), time.monotonic()
    yield spent
    peak = _resident("VmHWM")
    spent["seconds"] = time.monotonic() - started
    spent["peak_mb"] = None if before is None or peak is None else max(peak - before, 0) / 1e6


def _resident(name: str, reset: bool = False) -> int | None:
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    except OSError:
        return None
    return None if found is None else 1024 * int(found.group(1))
