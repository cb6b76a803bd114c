"""Train and score what each part of the cross-source objective is worth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.experiment.resolve import notice, resolve_experiment
from keras_dhnn.files import as_list, check_name
from keras_dhnn.progress import Bar, no_bar, show_progress
from keras_dhnn.tuning.ablation import ablate as fit_rows
from keras_dhnn.workflows.prepare import load_labelled


def ablate(
    name: str,
    *,
    bits: int | Sequence[int] = (32,),
    sweep: str | None = None,
    protocol: str | None = None,
    queries: float | None = None,
    backbone: str | Mapping[str, str] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | str | Iterable[str] = (),
    data: Path | str = "data",
    runs: Path | str = "runs",
    run_name: str | None = None,
    bar: Bar = show_progress,
    inner_bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> dict[str, Any]:
    """Train every row of an ablation at every code length; rows that an earlier call finished are kept.

    Args:
        name: of a prepared data set with two sources.
        bits: a code length, or several.
        sweep: "alpha", "beta" or "gamma", see `tuning.ablation.rows_of`; None leaves constraints out, one by one.
        protocol: see `fit`, as are the arguments that are not named here.
        queries: see `fit`.
        backbone: see `fit`.
        seed: see `fit`.
        settings: see `fit`.
        data: folder of the prepared data sets.
        runs: where the folder of the results is made.
        run_name: its name; by default by data set, protocol and what is varied.
        bar: progress bar factory, of the rows.
        inner_bar: progress bar factory, of the parts of one row.
        say: is told what was decided for the user.

    Returns:
        The table as in the folder's `table.json`, and `path`, the folder.

    Raises:
        SettingError: if the data set has one source, or a setting or code length is not allowed.
        RunError: if the folder holds an ablation of another experiment, or no row could be trained.
    """
    experiment = resolve_experiment(
        name,
        data=data,
        protocol=protocol,
        queries=queries,
        backbone=backbone,
        seed=seed,
        settings=settings,
        say=say,
    )
    info = load_labelled(experiment, data)
    usual = f"{name}-{experiment.data.protocol}-{sweep or 'ablation'}"
    path = Path(runs) / (usual if run_name is None else check_name(run_name, "an ablation"))
    return {
        **fit_rows(experiment, info, as_list(bits), path, sweep=sweep, bar=bar, inner_bar=inner_bar),
        "path": str(path),
    }
