"""Measure a series of experiments on one data set, one after the other; what is finished is kept."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_dhnn._version import __version__
from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError
from keras_dhnn.experiment.split import data_key
from keras_dhnn.files import read_json, write_json
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.tuning.measure import FAILURES, measure, reason


def fit_series(
    experiments: Mapping[str, Experiment],
    info: DatasetInfo,
    folder: Path,
    *,
    also: Callable[..., dict[str, Any]] | None = None,
    bar: Bar = no_bar,
    inner_bar: Bar = no_bar,
) -> dict[str, dict[str, Any]]:
    """Train and score experiments that have names, such as the cells of a table or the rows of an ablation.

    A row is a file that is named by what decides its result (experiment, images, labels, split, version of this
    package), so that a series which was killed, or is longer the second time, trains only what is missing. One that
    fails is a row with the reason; a collapse is kept, since it would come again, and any other failure is tried again
    the next time.

    Args:
        experiments: `{name: Experiment}`.
        info: `DatasetInfo` of the prepared data set.
        folder: where the rows and the state of the one under way are kept; it is made.
        also: see `measure`.
        bar: context manager factory `bar(description, total, unit)` for the series.
        inner_bar: the same for the parts of one experiment.

    Returns:
        `{name: row}`: what `measure` returns for each (with the queries), or `{"failed": reason}`; and `experiment`.
    """
    rows = {}
    with bar("Fitting", len(experiments), "experiment") as update:
        for done, (name, experiment) in enumerate(experiments.items()):
            update(done, name)
            rows[name] = _row(experiment, info, folder, also, inner_bar)
        update(len(experiments), "")
    return rows


def _row(experiment, info, folder, also, bar):
    about = {"experiment": json.loads(experiment.to_json())}
    return kept_row(
        folder,
        f"{data_key(experiment.data, experiment.seed, info)} {experiment.to_json()}",
        about,
        lambda state: measure(experiment, info, state, queries=True, also=also, bar=bar),
    )


def kept_row(
    folder: Path, decides: str, about: Mapping[str, Any], make: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    """Return a row from its file, or make it and write the file.

    Args:
        folder: of the series.
        decides: text of all that decides the row, beside the package's version.
        about: what stands in the row however it ends.
        make: called with the folder of the resumable state; returns the rest of the row.

    Returns:
        Dictionary; with `failed` if `make` failed of what others need not: see `fit_series`.
    """
    key = hashlib.sha256(f"{__version__} {decides}".encode()).hexdigest()[:16]
    path = folder / "rows" / f"{key}.json"
    if path.exists():
        return read_json(path, remedy="Remove it to train that one again.")
    state = folder / "checkpoints" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    row = dict(about)
    try:
        row |= make(state)
    except CollapseError as error:
        row["failed"] = reason(error)
    except FAILURES as error:
        return row | {"failed": reason(error)}
    write_json(path, row)
    shutil.rmtree(state, ignore_errors=True)
    return row
