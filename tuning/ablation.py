"""Which parts of SIDHCNN's objective pay: one training a row and code length (Tables IV to VII of the paper)."""

import contextlib
import json
import shutil

from keras_dhnn.errors import CollapseError, RunError, SettingError, invalid
from keras_dhnn.evaluation.scores import evaluate_all
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import read_json, write_json
from keras_dhnn.files.owner import OWNER, owned
from keras_dhnn.metrics.curves import precision_recall_curve
from keras_dhnn.models.hash_head import check_bits
from keras_dhnn.pipelines.sources import task_name
from keras_dhnn.progress import no_bar
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.training.train import train

# Weights that a row sets to nothing, of alpha (IASC), beta (BQC) and gamma (FDC).
ROWS = {
    "IRSC": ("alpha", "beta", "gamma"),
    "IRSC+IASC": ("beta", "gamma"),
    "IRSC+IASC+BQC": ("gamma",),
    "IRSC+IASC+BQC+FDC": (),
    "DCMH": ("alpha",),
}
SWEPT = (0.0, 0.1, 1.0, 10.0)


def rows_of(experiment, sweep=None):
    """The rows of a table: `{name: settings}`.

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
        raise SettingError(
            f"The full objective has no {' and no '.join(missing)}: with them at 0 some rows are the same. Give them "
            f"a weight, e.g. --set loss.{missing[0]}=0.1"
        )
    return {name: tuple(f"loss.{weight}=0" for weight in off) for name, off in ROWS.items()}


def ablate(experiment, info, bits, folder, *, sweep=None, bar=no_bar):
    """Trains and scores every row at every code length; rows that an earlier call finished are kept.

    A row whose training collapses has the reason instead of scores, and the others are trained.

    Args:
        experiment: the `Experiment` with the full objective.
        info: `DatasetInfo` of a data set with two sources.
        bits: code lengths.
        folder: where each result, `table.json` and the curves are written.
        sweep: see `rows_of`.
        bar: progress bar factory.

    Returns:
        `{"protocol": str, "rows": [{"row", "bits", "tasks": {task: mAP}, ...}, {"row", "bits", "failed"}], ...}`.

    Raises:
        RunError: if the folder holds an ablation of another experiment, or another process is at work in it.
        DataError: if a finished row in the folder is damaged.
        SettingError: if the data set has one source, or a setting or code length is not allowed.
    """
    if len(info.images) != 2:
        raise SettingError(f"An ablation is of a data set with two image sources. {info.name} has {len(info.images)}.")
    for length in bits:
        check_bits(length)
    rows = {
        (name, length): experiment.override(f"model.bits={length}", *settings)
        for length in bits
        for name, settings in rows_of(experiment, sweep).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    with owned(folder):
        return _ablate(experiment, info, bits, rows, folder, bar)


def _ablate(experiment, info, bits, rows, folder, bar):
    _check_same(experiment, info, folder / "experiment.json")
    results = [_row(changed, info, folder, name, length, bar) for (name, length), changed in rows.items()]
    table = {
        "data": info.name,
        "checksum": info.checksum,
        "synthetic": info.synthetic,
        "protocol": experiment.data.protocol,
        "seed": experiment.seed,
        "rows": [{name: value for name, value in one.items() if name != "curves"} for one in results],
    }
    write_json(folder / "table.json", table)
    for length in dict.fromkeys(bits):
        scored = [one for one in results if one["bits"] == length and "tasks" in one]
        with alone(f"The curves at {length} bits of {folder}", "Draw them later: start the same command again."):
            if scored:
                _draw(scored, info, folder)
    return table


def _check_same(experiment, info, path):
    ours = {"checksum": info.checksum, "experiment": json.loads(experiment.to_json())}
    # Alone in its folder it is of settings that were refused.
    others = set(path.parent.iterdir()) - {path, path.parent / OWNER}
    if others and path.exists() and read_json(path, remedy="Give another --name.") != ours:
        raise RunError(f"{path.parent} holds an ablation of other settings or images. Give another --name.")
    write_json(path, ours)


def _row(experiment, info, folder, name, bits, bar):
    path = folder / f"{name}-{bits}.json"
    if path.exists():
        return read_json(path, {"row": str, "bits": int}, remedy="Remove it to train that row again.")
    split, state = draw_split(experiment.data, experiment.seed, info), folder / f"training-{name}-{bits}"
    row = {"row": name, "bits": bits, "split": split.hash}
    # The folder is taken: another process with other settings is refused from now on.
    state.mkdir(exist_ok=True)
    try:
        row |= _scores(experiment, info, split, state, bar)
    except CollapseError as error:
        row["failed"] = str(error)
    except SettingError:
        with contextlib.suppress(OSError):
            state.rmdir()
        raise
    write_json(path, row)
    shutil.rmtree(state, ignore_errors=True)
    return row


def _scores(experiment, info, split, state, bar):
    trained = train(experiment, info, split, state, bar=bar)
    labels = split.items.spread(info.true_labels)
    evaluations, metrics = evaluate_all(trained.outputs, labels, split, info, experiment.seed)
    return {
        "tasks": {task: scores["map"]["expected"] for task, scores in metrics["tasks"].items()},
        "distinct_codes": metrics["distinct_codes"],
        "curves": {
            task_name(one.task): [x.tolist() for x in precision_recall_curve(one.counts)] for one in evaluations
        },
    }


def _draw(rows, info, folder):
    """Precision-recall curves of all rows, a figure a direction (SIDHCNN Figs. 3 and 4)."""
    for task in list(rows[0]["tasks"])[:2]:
        curves = {f"{one['row']}, mAP {one['tasks'][task]:.4f}": one["curves"][task][::-1] for one in rows}
        title = f"{info.name}{', synthetic' if info.synthetic else ''}, {task}, {rows[0]['bits']} bits"
        name = f"{task.replace('->', '-to-')}-{rows[0]['bits']}.png"
        precision_recall_figure(curves, title).savefig(folder / name, dpi=120)
