"""Read the trials of a search as rows: from KerasTuner's files to CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_dhnn.files import read_json
from keras_dhnn.tuning.space import Space

_MEASURED = ("distinct_codes", "epochs", "seconds")


def read_trials(folder: Path | str, space: Space) -> list[dict[str, Any]]:
    """Read the trials of a search from the files that each writes.

    Args:
        folder: the search's folder.
        space: its `Space`.

    Returns:
        A list of dictionaries in order of their numbers: `trial`, `status` ("completed", "failed" or "running"),
        `settings` ({setting: value}), `val_map`, `distinct_codes`, `epochs`, `seconds`, and `reason` if it failed.
    """
    paths = sorted(Path(folder).glob("trials/trial_*/trial.json"))
    return [_row(read_trial(path), path.with_name("result.json"), space) for path in paths]


def read_trial(path: Path) -> dict[str, Any]:
    """Return the state that KerasTuner keeps of a trial in `trial.json`.

    Raises:
        DataError: if it is damaged.
    """
    kinds = {"trial_id": str, "status": str, "hyperparameters": {"values": dict}}
    return read_json(path, kinds, remedy=f"Remove {path.parent} to go on without that trial.")


def _row(trial, result_path, space):
    result = read_json(result_path, remedy="Remove it.") if result_path.exists() else {}
    status = {"COMPLETED": "completed", "FAILED": "failed"}.get(trial["status"], "running")
    row = {"trial": trial["trial_id"], "status": status, "settings": space.settings(trial["hyperparameters"]["values"])}
    row["val_map"] = trial["score"] if status == "completed" else None
    row |= {name: result.get(name) for name in _MEASURED}
    message = (trial["message"] or "its worker kept the reason").strip()
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
        writer.writerow([row["trial"], row["status"], *settings, *(row[name] for name in names)])
    return file.getvalue()
