"""Search for the settings with the best validation mAP."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment
from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.resolve import notice, read_settings, resolve_experiment
from keras_dhnn.files import as_list, check_name, new_folder, write_text
from keras_dhnn.files.owner import owned
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar, show_progress
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.figures.saving import save_figure
from keras_dhnn.tuning.hparams import write_hparams
from keras_dhnn.tuning.job import check_job, create_job, open_job
from keras_dhnn.tuning.oracles import TUNERS
from keras_dhnn.tuning.pictures import search_figures
from keras_dhnn.tuning.search import role, score_winner, search
from keras_dhnn.tuning.space import Space
from keras_dhnn.tuning.trials import trials_csv
from keras_dhnn.tuning.weights import check_weights, default_names
from keras_dhnn.workflows.prepare import draw_twin, load_labelled

TRIALS = 20


def tune(
    name: str | None = None,
    *,
    tuner: str = "bayesian",
    trials: int | None = None,
    hours: float | None = None,
    vary: str | Sequence[str] | None = None,
    space: Path | str | None = None,
    bits: int | None = None,
    protocol: str | None = None,
    queries: float | None = None,
    backbone: str | Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | str | Iterable[str] = (),
    config: Path | str | None = None,
    synthetic: bool = False,
    resume: Path | str | None = None,
    search_name: str | None = None,
    data: Path | str = "data",
    runs: Path | str = "runs",
    seed: int | None = None,
    bar: Bar = show_progress,
    inner_bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
    started: Callable[[Path], Any] = lambda path: None,
) -> dict[str, Any] | None:
    """Search for settings by validation on items held out of the database; score the winner alone on the queries.

    Args:
        name: of the prepared data set.
        tuner: "bayesian", "random", "hyperband" or "grid".
        trials: most trials; by default 20, and all of a grid.
        hours: no trial starts after so many hours.
        vary: names of the settings that are searched, by default those of the objective.
        space: file with a search space as JSON, instead of `vary`.
        bits: see `fit`, as are the arguments that are not named here.
        protocol: see `fit`.
        queries: see `fit`.
        backbone: see `fit`.
        settings: see `fit`.
        config: see `fit`.
        synthetic: see `fit`.
        resume: folder of a search to continue: finished trials are kept, those under way are done again.
        search_name: folder of the search below `runs`.
        data: folder of the prepared data sets.
        runs: folder of the search.
        seed: of the split, the initial weights, the order, and the points tried.
        bar: progress bar factory, of the trials.
        inner_bar: progress bar factory, of the parts of one trial.
        say: is told what was decided for the user.
        started: is called with the folder before training begins.

    Returns:
        `path`, `trials` (a row each) and `winner`; None for a worker, whose chief has the results.

    Raises:
        SettingError: for a setting or a space that is not allowed.
        RunError: if there is nothing to continue, or no trial could be trained.
    """
    part, base = role(), None
    if resume is not None:
        path, request = Path(resume), open_job(resume, "tune")
        info = load_labelled(Experiment.from_json(json.dumps(request["base"])), data)
        check_job(path, request, info)
    else:
        if tuner not in TUNERS:
            raise SettingError(f"There is no tuner {tuner!r}. There are: {', '.join(TUNERS)}")
        base = resolve_experiment(
            name,
            data=data,
            config=config,
            bits=bits,
            protocol=protocol,
            queries=queries,
            backbone=backbone,
            seed=seed,
            settings=_held_out(settings),
            draw=(lambda name: draw_twin(name, data, bar)) if synthetic else None,
            say=say,
        )
        if not base.data.validation:
            raise SettingError("A search picks the best trial by validation. Expected data.validation above 0.")
        info = load_labelled(base, data)
        request = {
            "base": json.loads(base.to_json()),
            "space": _space(vary, space, base, info).to_json(),
            "tuner": tuner,
            "trials": None if tuner == "grid" else TRIALS,
        }
        usual = f"tune-{base.data.name}"
        path = _folder(Path(runs), search_name, usual, part)
        if part != "worker":
            create_job(path, "tune", {**request, "trials": trials or request["trials"]}, info)
    request["trials"] = trials or request["trials"]
    started(path)
    return _search(path, request, info, part, hours, bar, inner_bar)


def _folder(runs: Path, name: str | None, usual: str, part: str) -> Path:
    if name is not None:
        return runs / check_name(name, "a search")
    # Chief and workers meet in one.
    return new_folder(runs, usual) if part == "alone" else runs / usual


def _held_out(settings: Mapping[str, Any] | str | Iterable[str]) -> Mapping[str, Any] | list[str]:
    """Return settings by which a tenth of the database is held out, unless they say otherwise themselves."""
    if isinstance(settings, Mapping):
        return {"data.validation": 0.1, **settings}
    return ["data.validation=0.1", *as_list(settings)]


def _space(
    vary: str | Sequence[str] | None, file: Path | str | None, experiment: Experiment, info: DatasetInfo
) -> Space:
    if file is not None:
        if vary is not None:
            raise SettingError("--space says all that is searched. Leave out --vary.")
        space = read_settings(Path(file), lambda text: Space.from_json(text, experiment))
    else:
        space = Space.of(as_list(vary) if vary else default_names(info), experiment)
    check_weights(space.parts, info)
    return space


def _search(
    path: Path,
    request: dict[str, Any],
    info: DatasetInfo,
    part: str,
    hours: float | None,
    bar: Bar,
    inner_bar: Bar,
) -> dict[str, Any] | None:
    experiment = Experiment.from_json(json.dumps(request["base"]))
    space = Space.from_json(json.dumps(request["space"]), experiment)
    # Workers write beside their chief, each into trials of its own.
    ours = contextlib.nullcontext() if part == "worker" else owned(path)
    with ours:
        rows = search(
            space,
            info,
            path,
            tuner=request["tuner"],
            trials=request["trials"],
            seed=experiment.seed + 1,  # KerasTuner takes 0 for none
            hours=hours,
            listener=lambda rows: _record(path, rows, space),
            bar=bar,
            inner_bar=inner_bar,
        )
        if part == "worker":
            return None
        _record(path, rows, space)
        winner = score_winner(rows, space, info, path, bar=inner_bar)
    with alone(f"The figures of {path}", f"Draw them later: keras-dhnn tune --resume {path}"):
        _draw(path, rows, space, winner)
    return {"path": str(path), "trials": rows, "winner": winner}


def _record(path: Path, rows: list[dict[str, Any]], space: Space) -> None:
    write_text(path / "trials.csv", trials_csv(rows, space))
    write_hparams(path / "tensorboard", rows, space)


def _draw(path: Path, rows: list[dict[str, Any]], space: Space, winner: dict[str, Any]) -> None:
    kind = ", synthetic" if winner["synthetic"] else ""
    title = f"{winner['data']}{kind}, {winner['protocol']}"
    (path / "figures").mkdir(exist_ok=True)
    for name, figure in search_figures(rows, space, title).items():
        save_figure(figure, path / "figures" / f"{name}.png", dpi=120)
