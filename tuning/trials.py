"""Read the trials of a search as rows: from KerasTuner's files to CSV."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import guarded, read_json
from keras_dhnn.tuning.space import Space

_MEASURED = ("distinct_codes", "epochs", "seconds")
_VALUE = (str, int, float, bool, type(None))
# What KerasTuner keeps of a trial, and what we keep beside it; of the latter each may be missing.
_TRIAL = {
    "trial_id": str,
    "status": str,
    "hyperparameters": {"space": [{"class_name": str, "config": dict}], "values": {str: _VALUE}},
    "metrics": {"metrics": {str: {"direction": str, "observations": [{"value": [float], "step": int}]}}},
    "score": (float, type(None)),
    "best_step": (int, type(None)),
    "message": (str, type(None)),
}
_RESULT = {**dict.fromkeys(_MEASURED, (int, float, type(None))), "failed": str}
# Of Hyperband: the trial that another goes on from.
PAST = "tuner/trial_id"


def check_trial_id(trial_id: Any) -> str:
    """Return what KerasTuner calls a trial, which becomes the name of folders: digits, and so nothing that leads
    elsewhere.

    Raises:
        ValueError: if it is something else.
    """
    if not isinstance(trial_id, str) or not (trial_id.isascii() and trial_id.isdigit()):
        raise ValueError(f"it names a trial {trial_id!r}; expected digits")
    return trial_id


def checkpoints(folder: Path | str, trial_id: str) -> Path:
    """Return where a search, by its folder, keeps what a trial has trained."""
    return Path(folder) / "checkpoints" / check_trial_id(trial_id)


def read_trials(folder: Path | str, space: Space) -> list[dict[str, Any]]:
    """Read the trials of a search from the files that each writes.

    Args:
        folder: the search's folder.
        space: its `Space`.

    Returns:
        A list of dictionaries in order of their numbers: `trial`, `status` ("completed", "failed" or "running"),
        `settings` ({setting: value}), `val_map`, `distinct_codes`, `epochs`, `seconds`, and `reason` if it failed.

    Raises:
        DataError: if one of the files is damaged.
    """
    return [_row(path, space) for path in sorted(Path(folder).glob("trials/trial_*/trial.json"))]


def read_trial(path: Path) -> dict[str, Any]:
    """Return the state that KerasTuner keeps of a trial in `trial.json`.

    Raises:
        DataError: if it is damaged, or of another trial than its folder.
    """
    remedy = f"Remove {path.parent} to go on without that trial."
    trial = read_json(path, _TRIAL, remedy=remedy)
    try:
        if path.parent.name != f"trial_{check_trial_id(trial['trial_id'])}":
            raise ValueError(f"it is of trial {trial['trial_id']}")
        past = trial["hyperparameters"]["values"].get(PAST)
        if past is not None:
            check_trial_id(past)
        if trial["status"] == "COMPLETED" and (trial["score"] is None or not math.isfinite(trial["score"])):
            raise ValueError(f"the trial ended with the score {trial['score']}")
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {remedy}") from error
    return trial


def _read_result(path):
    """Return what a trial has written of how it ended; empty if it has not."""
    if not path.exists():
        return {}
    return read_json(path, _kinds_of_result, remedy="Remove it.")


def _kinds_of_result(result):
    return {name: kind for name, kind in _RESULT.items() if name in result}


def _settings(trial, path, space):
    """Return `{setting: value}` of a trial; one that ended has a value of each setting's kind."""
    settings = space.settings(trial["hyperparameters"]["values"])
    lacking = [name for name in space.parts if name not in settings]
    try:
        if trial["status"] == "COMPLETED" and lacking:
            raise ValueError(f"it has no value of {lacking[0]}")
        space.base.replace(settings)
    except (ValueError, SettingError) as error:
        raise DataError(f"{path} is damaged: {error}. Remove {path.parent} to go on without that trial.") from error
    return settings


def _row(path, space):
    trial, result = read_trial(path), _read_result(path.with_name("result.json"))
    status = {"COMPLETED": "completed", "FAILED": "failed"}.get(trial["status"], "running")
    row = {"trial": trial["trial_id"], "status": status, "settings": _settings(trial, path, space)}
    row["val_map"] = trial["score"] if status == "completed" else None
    row |= {name: result.get(name) for name in _MEASURED}
    message = (trial["message"] or "").strip() or "its worker kept the reason"
    row["reason"] = result.get("failed", message.splitlines()[-1]) if status == "failed" else None
    return row


def trials_csv(rows: Iterable[Mapping[str, Any]], space: Space) -> str:
    """Return the trials as CSV text, a row a trial, a column a setting."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = ("val_map", *_MEASURED, "reason")
    writer.writerow(["trial", "status", *space.parts, *names])
    for row in rows:
        settings = (row["settings"].get(path, "") for path in space.parts)
        writer.writerow(map(guarded, [row["trial"], row["status"], *settings, *(row[name] for name in names)]))
    return file.getvalue()
