"""Make KerasTuner's oracles survive being killed at any moment, and trials that fail."""

import itertools
import time
from pathlib import Path
from typing import Any, ClassVar

import keras_tuner as kt
from keras_tuner.engine import oracle as kt_oracle
from keras_tuner.engine.trial import Trial

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files import read_json, write_json
from keras_dhnn.tuning.trials import read_trial

OBJECTIVE = "val_map"
TUNERS = ("bayesian", "random", "hyperband", "grid")
_STATE = {
    "ongoing_trials": {str: str},
    "hyperparameters": {"space": [{"class_name": str, "config": dict}], "values": dict},
    "start_order": [str],
    "end_order": [str],
    "run_times": {str: int},
    "retry_queue": [str],
    "seed": int,
    "seed_state": int,
    "tried_so_far": [str],
    "id_to_hash": {str: (str, type(None))},
    "display": dict,
}
_ROUND = [{"id": str, "past_id": (str, type(None))}]
_ANEW = "Start the search anew with another --name."


class _Resumable(kt_oracle.Oracle):
    """Change each oracle so that a search can be resumed.

    State is written whole or not at all; after a reload, trials that had not ended are done again and those that had
    are kept; a chief that is started again leaves the trials under way to the workers that have them; no trial starts
    after a deadline; who listens is told when a trial ends.
    """

    kinds: ClassVar[dict[str, Any]] = _STATE
    is_chief = False
    deadline = None
    listener = None

    def save(self) -> None:
        write_json(Path(self._get_oracle_fname()), self.get_state())

    def _save_trial(self, trial):
        write_json(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", trial.get_state())

    def set_state(self, state: dict[str, Any]) -> None:
        # Of a trial that was removed since, or was killed before it was written, the lists know nothing.
        ongoing = {who: trial for who, trial in state["ongoing_trials"].items() if trial in self.trials}
        lists = {
            name: [trial for trial in state[name] if trial in self.trials] for name in ("end_order", "retry_queue")
        }
        super().set_state({**state, "ongoing_trials": ongoing, **lists})
        self._had: dict[str, Trial] = self.ongoing_trials

    def reload(self) -> None:
        # KerasTuner's own errors about damaged files name none.
        for path in Path(self._project_dir).glob("trial_*/trial.json"):
            read_trial(path)
        read_json(Path(self._get_oracle_fname()), self.kinds, remedy=_ANEW)
        # Trials and the list of them are two files: a kill between them leaves the trials in the right.
        try:
            super().reload()
        except Exception as error:  # What it cannot read surfaces as KeyError, TypeError and half a dozen more.
            reason = error.__cause__ or error
            raise DataError(
                f"The state of the search in {self._project_dir} is damaged: {type(reason).__name__}: {reason}. {_ANEW}"
            ) from error
        ended = {key for key, trial in self.trials.items() if trial.status in ("COMPLETED", "FAILED")}
        if self.is_chief:
            # Workers outlive their chief. (KerasTuner hands their trials to others, and to themselves a second time.)
            self.ongoing_trials = {who: trial for who, trial in self._had.items() if trial.trial_id not in ended}
        waiting = set(self.trials) - ended - {trial.trial_id for trial in self.ongoing_trials.values()}
        self._retry_queue = sorted(waiting, reverse=True)
        self.start_order = sorted(self.trials)
        self.end_order += sorted(ended - set(self.end_order))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.deadline is not None and time.monotonic() > self.deadline:
            return {"status": "STOPPED", "values": None}
        return super().populate_space(trial_id)

    def end_trial(self, trial: Trial) -> None:
        if trial.trial_id in self.end_order:
            # A worker says it again where its chief was killed before it had answered.
            return
        super().end_trial(trial)
        if self.listener is not None:
            self.listener(self)


class _Grid(kt_oracle.Oracle):
    """Try all combinations in order. (KerasTuner's own forgets where it was when it is reloaded.)"""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        space = self.hyperparameters.space
        for values in itertools.product(*(part.values for part in space)):
            combination = {part.name: value for part, value in zip(space, values, strict=True)}
            if not self._duplicate(combination):
                return {"status": "RUNNING", "values": combination}
        return {"status": "STOPPED", "values": None}


class BayesianOracle(_Resumable, kt.oracles.BayesianOptimizationOracle):
    """Try points that a Gaussian process over the space expects most of."""


class RandomOracle(_Resumable, kt.oracles.RandomSearchOracle):
    """Try points at random."""


class HyperbandOracle(_Resumable, kt.oracles.HyperbandOracle):
    """Try many points for a few epochs, the better ones for more."""

    kinds: ClassVar[dict[str, Any]] = {
        **_STATE,
        "brackets": [{"bracket_num": int, "rounds": [_ROUND]}],
        "current_bracket": int,
        "current_iteration": int,
        "max_epochs": int,
        "min_epochs": int,
        "factor": int,
    }

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        trials = [entry["id"] for bracket in state["brackets"] for round_ in bracket["rounds"] for entry in round_]
        lacking = sorted(set(trials) - set(self.trials))
        if lacking:
            raise ValueError(f"it goes on from trial {lacking[0]}, of which nothing is left")


class GridOracle(_Resumable, _Grid):
    """Try all combinations."""


def make_oracle(kind: str, *, trials: int | None, epochs: int, seed: int) -> kt_oracle.Oracle:
    """Return an oracle that looks for the highest validation mAP.

    Args:
        kind: one of `TUNERS`.
        trials: most trials; None is as many as there are, for "grid".
        epochs: epochs of a whole trial, which Hyperband divides.
        seed: of the points.

    Raises:
        SettingError: if `kind` is none of them.
    """
    # Failed trials do not end the search, however many in a row.
    common = {"objective": kt.Objective(OBJECTIVE, "max"), "seed": seed, "max_consecutive_failed_trials": 10**9}
    if kind == "hyperband":
        oracle = HyperbandOracle(max_epochs=epochs, hyperband_iterations=None, **common)
        oracle.max_trials = trials
        return oracle
    oracles = {"bayesian": BayesianOracle, "random": RandomOracle, "grid": GridOracle}
    if kind not in oracles:
        raise SettingError(invalid("argument `tuner`", f"one of {', '.join(TUNERS)}", kind))
    return oracles[kind](max_trials=trials, **common)
