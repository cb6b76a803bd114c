"""Compare hashing methods on one data set: the same split, seeds, features and budget for all of them."""

import csv
import functools
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.codes import hamming_distances
from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError, SettingError, check_each_once, invalid
from keras_dhnn.evaluation.scores import check_scorable, known_part, relevant
from keras_dhnn.experiment.methods import deep_methods
from keras_dhnn.experiment.published import published
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import guarded, write_json, write_text
from keras_dhnn.files.owner import owned
from keras_dhnn.models.hash_head import check_bits
from keras_dhnn.pipelines.sources import main_tasks, sources_of, task_name
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import no_bar
from keras_dhnn.report.figures.gallery import GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.report.report import item_images
from keras_dhnn.workflows.benchmark_cells import (
    deep_cell,
    is_deep,
    methods_of,
    shallow_cell,
    tuned_settings,
    usable_methods,
)
from keras_dhnn.workflows.benchmark_features import check_features, load_features

RANKS = (1, 2, 3, 4, 5, 10, 20, 50)


@dataclass(frozen=True)
class Plan:
    """Describe what is compared.

    Attributes:
        experiment: the `Experiment` that deep methods change, and that says split and budget; its seed is the first.
        methods: names, see `methods_of`.
        bits: code lengths.
        seeds: how many, from the experiment's on.
        features: "gist" or "backbone", which shallow methods hash.
        trials: of each deep method's tuning, by validation; 1 takes the published settings.
    """

    experiment: Experiment
    methods: tuple[str, ...]
    bits: tuple[int, ...]
    seeds: int = 3
    features: str = "gist"
    trials: int = 8

    def check(self, info: DatasetInfo) -> None:
        """Raise SettingError for what cannot be compared on a data set, before hours of work begin."""
        known, usable = methods_of(len(info.images)), usable_methods(info, self.experiment)
        check_each_once("--methods", self.methods)
        check_each_once("--bits", self.bits)
        for name in self.methods:
            if name not in known:
                raise SettingError(invalid("--methods", f"some of {', '.join(known)}", name))
            if name not in usable:
                expected = f"methods that learn where labels are missing or several: {', '.join(usable)}"
                raise SettingError(invalid("--methods", expected, name))
        for length in self.bits:
            check_bits(length)
        for name, value in (("--seeds", self.seeds), ("--trials", self.trials)):
            if value < 1:
                raise SettingError(invalid(name, "a whole number above 0", value))
        if any(not is_deep(name) for name in self.methods):
            check_features(self.features, self.experiment, info)
        check_scorable(draw_split(self.experiment.data, self.experiment.seed, info), info)


def benchmark(
    plan: Plan, info: DatasetInfo, folder: Path, *, bar: Callable = no_bar, inner_bar: Callable = no_bar
) -> dict[str, Any]:
    """Measure every method at every code length and seed, and write table, curves and galleries.

    Cells that an earlier call finished are kept; tables are written anew after every cell, so that what is there is
    never lost.

    Args:
        plan: the `Plan`.
        info: `DatasetInfo` of the prepared data set.
        folder: where cells, `table.json`, `table.csv` and figures are written; it is made.
        bar: context manager factory `bar(description, total, unit)` for the cells.
        inner_bar: the same for the parts of one cell.

    Returns:
        The table, see `tabulate`.

    Raises:
        SettingError: if a method, a code length or another argument is not allowed.
        RunError: if another process is at work in the folder, or no cell could be measured.
    """
    plan.check(info)
    folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        return _measure(plan, info, folder, bar, inner_bar)


def with_equal_budget(experiment: Experiment, given: Collection[str] = ()) -> Experiment:
    """Return an experiment with what all methods have, shallow ones too: frozen features, and queries as they lie.

    Args:
        experiment: the `Experiment` as `fit` would train it.
        given: names of the settings that its user chose, which stay.
    """
    budget = {"model.query_turns": 1, **({"fine_tune.epochs": 0} if experiment.head.epochs else {})}
    return experiment.replace({path: value for path, value in budget.items() if path not in given})


def _measure(plan: Plan, info: DatasetInfo, folder: Path, bar: Callable, inner_bar: Callable) -> dict[str, Any]:
    cells = _cells(plan)
    rows, settings = [], {}
    features = functools.cache(lambda: load_features(plan.features, plan.experiment, info, inner_bar))
    with bar("Comparing", len(cells), "cell") as update:
        for done, (name, bits, seed) in enumerate(cells):
            update(done, f"{name}, {bits} bits, seed {seed}")
            experiment = plan.experiment.replace({"seed": seed})
            if is_deep(name):
                if name not in settings:
                    settings[name] = _tuned(plan, name, info, folder, inner_bar)
                row = deep_cell(name, bits, experiment, info, settings[name]["settings"], folder, inner_bar)
            else:
                row = shallow_cell(name, bits, experiment, info, features, plan.features, folder)
            rows.append(row)
            table = tabulate(plan, rows, info, settings)
            write_json(folder / "table.json", table)
        update(len(cells), "")
    write_text(folder / "table.csv", cells_csv(rows))
    if len(table["failed"]) == len(rows):
        raise RunError(f"No cell of {folder} could be measured. The first failed of: {rows[0]['failed']}")
    _draw(plan, rows, info, folder)
    return table


def _cells(plan: Plan) -> list[tuple[str, int, int]]:
    """Return (method, bits, seed) of all cells: all methods at the first seed before the next one."""
    seeds = range(plan.experiment.seed, plan.experiment.seed + plan.seeds)
    return [(name, bits, seed) for seed in seeds for name in plan.methods for bits in plan.bits]


def _tuned(plan: Plan, name: str, info: DatasetInfo, folder: Path, bar: Callable) -> dict[str, Any]:
    """Return the settings of a deep method, chosen at the middle code length and the first seed for all cells."""
    if plan.trials == 1:
        return {"settings": dict(deep_methods(len(info.images))[name].settings), "trials": 1, "val_map": None}
    middle = sorted(plan.bits)[len(plan.bits) // 2]
    settings, rows = tuned_settings(name, middle, plan.experiment, info, plan.trials, folder, bar)
    scores = [row.get("val_map") for row in rows]
    return {"settings": settings, "trials": len(rows), "val_map": max((s for s in scores if s), default=None)}


def tabulate(plan: Plan, rows: list[dict], info: DatasetInfo, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return means and spreads of rows.

    Args:
        plan: the `Plan`.
        rows: of cells, those that are done.
        info: `DatasetInfo`.
        settings: `{deep method: {"settings", "trials", "val_map"}}`.

    Returns:
        Dictionary for JSON: the protocol, `scores` `{task: {method: {bits: {"mean", "spread", "seeds"}}}}` with the
        standard deviation over seeds (None of one), `costs` `{method: {"seconds", "peak_mb"}}` means over cells,
        `published` in the form of scores, `settings`, and `failed` rows.
    """
    tasks = [task_name(task) for task in main_tasks(sources_of(info))]
    single = len(tasks) == 1
    names = {task: "map" if single else task for task in tasks}
    done = [row for row in rows if "failed" not in row]
    data = plan.experiment.data
    return {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "protocol": data.protocol,
        "queries": done[0]["queries"] if done else None,
        "database": done[0]["database"] if done else None,
        "features": plan.features,
        "bits": list(plan.bits),
        "seeds": list(range(plan.experiment.seed, plan.experiment.seed + plan.seeds)),
        "titles": {name: methods_of(len(tasks))[name] for name in plan.methods},
        "scores": {
            name: {method: _of_method(done, method, task, single) for method in plan.methods}
            for task, name in names.items()
        },
        "costs": {method: _cost(done, method) for method in plan.methods},
        "published": published(info.name, data.protocol, info.synthetic),
        "settings": settings,
        "experiment": asdict(plan.experiment),
        "failed": [{key: row[key] for key in ("method", "bits", "seed", "failed")} for row in rows if "failed" in row],
    }


def _of_method(rows: list[dict], method: str, task: str, single: bool) -> dict[int, dict]:
    """Return `{bits: {"mean", "spread", "seeds"}}` of a method's rows."""
    found: dict = {}
    for row in rows:
        if row["method"] == method:
            scores = row if single else row["tasks"][task]
            found.setdefault(row["bits"], []).append(scores["map"]["expected"])
    return {
        bits: {
            "mean": float(np.mean(values)),
            "spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
            "seeds": len(values),
        }
        for bits, values in found.items()
    }


def _cost(rows: list[dict], method: str) -> dict[str, float | None]:
    own = [row for row in rows if row["method"] == method]
    means = {}
    for name in ("seconds", "peak_mb"):
        values = [row[name] for row in own if row.get(name) is not None]
        means[name] = float(np.mean(values)) if values else None
    return means


def cells_csv(rows: list[dict]) -> str:
    """Return all cells as CSV text, a line a cell and task."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "bits", "seed", "task", "map", "distinct_codes", "seconds", "peak_mb", "failed"])
    for row in rows:
        start, end = [row["method"], row["bits"], row["seed"]], [row.get("seconds"), row.get("peak_mb")]
        if "failed" in row:
            writer.writerow([*start, "", "", "", *end, guarded(row["failed"])])
            continue
        for task, scores in row.get("tasks", {"": row}).items():
            writer.writerow([*start, task, scores["map"]["expected"], scores["distinct_codes"], *end, ""])
    return text.getvalue()


def _draw(plan: Plan, rows: list[dict], info: DatasetInfo, folder: Path) -> None:
    """Draw precision-recall curves for each code length, and what every method finds for one query."""
    seed, titles = plan.experiment.seed, methods_of(len(info.images))
    place = folder / "figures"
    place.mkdir(exist_ok=True)
    kind = f"{info.name}{', synthetic' if info.synthetic else ''}, {plan.experiment.data.protocol}"
    first = [row for row in rows if row["seed"] == seed and "failed" not in row]
    for task in main_tasks(sources_of(info)):
        name = task_name(task)
        which = "" if len(info.images) == 1 else f"-{name.replace('->', '-to-')}"
        for bits in plan.bits:
            found = [row for row in first if row["bits"] == bits]
            if found:
                curves = {titles[row["method"]]: row["curves"][name] for row in found}
                figure = precision_recall_figure(curves, f"{kind}, {bits} bits{', ' + name if which else ''}")
                figure.savefig(place / f"precision-recall-{bits}{which}.png", dpi=120)
        longest = [row for row in first if row["bits"] == max(plan.bits)]
        if longest:
            gallery = _gallery(plan.experiment, longest, titles, info, folder, task)
            title = f"{kind}, {max(plan.bits)} bits, seed {seed}{', ' + name if which else ''}"
            gallery_figure(gallery, ranks=RANKS, title=title).savefig(place / f"gallery{which}.png", dpi=100)


def _gallery(
    experiment: Experiment,
    rows: list[dict],
    titles: Mapping[str, str],
    info: DatasetInfo,
    folder: Path,
    task: tuple[str, str],
) -> list[GalleryRow]:
    """Return a row a method of what it finds for the query on which the methods differ most at the first ranks."""
    split = draw_split(experiment.data, experiment.seed, info)
    labels = split.items.spread(info.true_labels)
    split = known_part(split, split.items.spread(info.truly_known)) or split
    ranks = [rank for rank in RANKS if rank <= len(split.database)]
    queries = np.random.default_rng(experiment.seed).permutation(split.queries)[:200]
    found, distances = {}, {}
    for row in rows:
        with np.load(folder / "codes" / row["codes"], allow_pickle=False) as codes:
            gaps = hamming_distances(codes[task[0]][queries], codes[task[1]][split.database])
        order = np.argsort(gaps, axis=1, kind="stable")[:, np.array(ranks) - 1]
        found[row["method"]] = split.database[order]
        distances[row["method"]] = np.take_along_axis(gaps, order, axis=1)
    rights = {method: relevant(info, split.items, queries[:, None], items) for method, items in found.items()}
    right = np.stack([of_method.sum(axis=1) for of_method in rights.values()])
    place = int((right.max(axis=0) - right.min(axis=0)).argmax())
    query = queries[place]
    (image,) = item_images(info, np.array([query]), split.turns, task[0]).values()
    images = item_images(info, np.concatenate([items[place] for items in found.values()]), split.turns, task[1])

    def results(method: str) -> dict[int, Retrieved]:
        items = zip(ranks, *(of[method][place] for of in (found, distances, rights)), strict=True)
        return {
            rank: Retrieved(images[int(item)], info.classes[labels[item]], int(gap), bool(correct))
            for rank, item, gap, correct in items
        }

    return [GalleryRow(image, titles[method], results(method)) for method in found]


def folder_of(plan: Plan, runs: Path, name: str | None) -> Path:
    """Return the folder of a benchmark, by the user's name or by what it compares."""
    data = plan.experiment.data
    return runs / (name or f"benchmark-{data.name}-{data.protocol}-{plan.features}")
