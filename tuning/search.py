"""Search: trials one after another, or by many workers for one chief."""

import contextlib
import io
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras_tuner as kt
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.oracle import Oracle
from keras_tuner.engine.trial import Trial

from keras_dhnn.errors import DataError, RunError, SettingError
from keras_dhnn.files import read_json, whole, write_json, write_text
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.tuning.chief import patient_stub
from keras_dhnn.tuning.hypermodel import RetrievalHyperModel
from keras_dhnn.tuning.job import check_worker
from keras_dhnn.tuning.measure import measure
from keras_dhnn.tuning.oracles import OBJECTIVE, make_oracle
from keras_dhnn.tuning.space import Space
from keras_dhnn.tuning.trials import PAST, checkpoints, read_trials

PARALLEL = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
_WINNER = {
    "trial": str,
    "settings": dict,
    "data": str,
    "protocol": str,
    "synthetic": bool,
    "map": {"expected": float},
    "queries": int,
    "database": int,
}


class Search(BaseTuner):
    """Run the trials of an oracle.

    Args:
        oracle: from `make_oracle`.
        hypermodel: the `RetrievalHyperModel`.
        folder: the search's folder: `trials/` has KerasTuner's state, `checkpoints/` what trials have trained.
    """

    def __init__(self, oracle: Oracle, hypermodel: RetrievalHyperModel, folder: Path | str) -> None:
        self.folder = Path(folder)
        super().__init__(oracle, hypermodel, directory=str(self.folder), project_name="trials")
        if self._is_worker():
            self.oracle.stub = patient_stub(f"{os.environ[PARALLEL[1]]}:{os.environ[PARALLEL[2]]}")

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Train a trial, or continue it; under Hyperband from where its earlier self paused."""
        values, folder = trial.hyperparameters.values, checkpoints(self.folder, trial.trial_id)
        past = values.get(PAST)
        if past is not None and not folder.exists() and checkpoints(self.folder, past).is_dir():
            with whole(folder) as partial:
                shutil.copytree(checkpoints(self.folder, past), partial)
        result = {}
        try:
            experiment = self.hypermodel.build(trial.hyperparameters)
            result = self.hypermodel.fit(
                trial.hyperparameters, experiment, folder=folder, epochs=values.get("tuner/epochs")
            )
        except kt.errors.FailedTrialError as error:
            result = {"failed": str(error)}
            raise
        except (DataError, RunError, OSError) as error:
            # Other trials would meet the same: a full disk, a data set that is gone.
            raise kt.errors.FatalRuntimeError(str(error)) from error
        finally:
            # Only the objective travels to a chief.
            if result:
                result["worker"] = self.tuner_id
                write_json(Path(self.get_trial_dir(trial.trial_id)) / "result.json", result)
        return {OBJECTIVE: result["val_map"]}

    def on_search_begin(self) -> None:
        if self._is_worker():
            # Answered when the chief listens, and by then its request is written.
            self.oracle.get_space()
            check_worker(self.folder, self.hypermodel.space, self.hypermodel.info)
        self.save()

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()
        write_json(Path(self._get_tuner_fname()), {})


def role() -> str:
    """Return "alone", "chief" or "worker", by KerasTuner's environment variables.

    Raises:
        SettingError: if only some of them are set.
    """
    there = [name for name in PARALLEL if os.environ.get(name)]
    if "KERASTUNER_ORACLE_IP" not in there and "KERASTUNER_ORACLE_PORT" not in there:
        return "alone"
    if len(there) < len(PARALLEL):
        missing = ", ".join(name for name in PARALLEL if name not in there)
        raise SettingError(f"A parallel search needs {', '.join(PARALLEL)} in its environment. Not set: {missing}")
    return "chief" if "chief" in os.environ["KERASTUNER_TUNER_ID"] else "worker"


def search(
    space: Space,
    info: DatasetInfo,
    folder: Path | str,
    *,
    tuner: str,
    trials: int | None,
    seed: int,
    hours: float | None = None,
    listener: Callable[[list[dict[str, Any]]], None] | None = None,
    bar: Bar = no_bar,
    inner_bar: Bar = no_bar,
) -> list[dict[str, Any]]:
    """Search, or continue the search in `folder`; in a worker, run trials for its chief.

    Args:
        space: the `Space`, with the experiment that is varied.
        info: `DatasetInfo` of the prepared data set.
        folder: the search's folder.
        tuner: one of `TUNERS`.
        trials: most trials, or None.
        seed: of the points that are tried.
        hours: no trial starts later; None is no limit.
        listener: function of the list of trials, called when one ends; not in a worker.
        bar: context manager factory for the trials.
        inner_bar: the same for the parts of one.

    Returns:
        The trials, as `read_trials` gives them.

    Raises:
        SettingError: if nothing is held out of the database to validate on, or for settings out of bounds.
        DataError: if the state of a search that is continued is damaged.
        RunError: if a chief cannot listen at its address, or a worker's search is not its chief's.
    """
    base, folder = space.base, Path(folder)
    if not base.data.validation:
        raise SettingError("A search validates on items held out of the database: give --set data.validation=0.1")
    oracle = make_oracle(tuner, trials=trials, epochs=base.head.epochs + base.fine_tune.epochs, seed=seed)
    oracle.verbose, oracle.is_chief = 0, role() == "chief"
    if hours is not None:
        oracle.deadline = time.monotonic() + 3600 * hours
    # KerasTuner prints what it does, which the progress shows; results alone go to stdout.
    with bar("Search", trials, "trial") as update, contextlib.redirect_stdout(io.StringIO()):
        searching = Search(oracle, RetrievalHyperModel(space, info, inner_bar), folder)

        def on_end(_: Oracle) -> None:
            rows = read_trials(folder, space)
            ended = [row for row in rows if row["status"] != "running"]
            best = best_trial(rows)
            _tidy(folder, ended, best, keep=tuner == "hyperband")
            update(len(ended), f"best {best['val_map']:.4f}" if best else "none finished")
            if listener is not None:
                listener(rows)

        oracle.listener = on_end
        try:
            searching.search()
        except kt.errors.FatalError as error:
            raise error.__cause__ or error from None
        except RuntimeError as error:
            if role() != "chief":
                raise
            raise RunError(f"The chief cannot listen at {_address()}: {error}") from error
    return read_trials(folder, space)


def best_trial(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the finished trial with the highest validation mAP, of equal ones the first; None if none finished."""
    done = [row for row in rows if row["status"] == "completed"]
    return max(done, key=lambda row: row["val_map"], default=None)


def _nothing_finished(rows, folder):
    reasons = [row["reason"] for row in rows if row["status"] == "failed"]
    if reasons:
        return f"No trial of {folder} finished. The first failed of: {reasons[0]}"
    resume = f"keras-dhnn tune --resume {shlex.quote(str(folder))}"
    return f"No trial of {folder} finished in its time. Continue it, with more hours or without a limit: {resume}"


def _tidy(folder, ended, best, keep):
    """Remove trials that ended but the best, which is scored once more; Hyperband goes on from any."""
    for row in ended if not keep else []:
        if row is not best:
            shutil.rmtree(checkpoints(folder, row["trial"]), ignore_errors=True)


def _address():
    return f"{os.environ['KERASTUNER_ORACLE_IP']}:{os.environ['KERASTUNER_ORACLE_PORT']}"


def score_winner(
    rows: Sequence[dict[str, Any]], space: Space, info: DatasetInfo, folder: Path | str, *, bar: Bar = no_bar
) -> dict[str, Any]:
    """Score the winner on the queries, once: a score that is there already for it is returned.

    Args:
        rows: the trials.
        space: the `Space`.
        info: `DatasetInfo` of the prepared data set.
        folder: the search's folder.
        bar: context manager factory for the parts of training, where it was not trained to the end.

    Returns:
        Dictionary for JSON: `trial`, `val_map`, `settings`, and what `measure` gives.

    Raises:
        RunError: if no trial finished.
    """
    best, path = best_trial(rows), Path(folder) / "winner.json"
    if best is None:
        raise RunError(_nothing_finished(rows, Path(folder)))
    experiment = space.base.replace(best["settings"])
    if path.exists():
        winner = read_json(path, _WINNER, remedy="Remove it: the winner is then scored again.")
        if winner["trial"] == best["trial"]:
            return winner
    scores = measure(experiment, info, checkpoints(folder, best["trial"]), queries=True, bar=bar)
    winner = {"trial": best["trial"], "settings": best["settings"], **scores}
    write_text(Path(folder) / "experiment.json", experiment.to_json())
    write_json(path, winner)
    return winner
