"""Keep the folder of a search or a grid: what was asked for, so that it can be continued."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError
from keras_dhnn.experiment.split import data_key
from keras_dhnn.files import read_json, write_json
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.tuning.space import Space


def create_job(path: Path | str, verb: str, request: Mapping[str, Any], info: DatasetInfo) -> None:
    """Make a folder and write down what was asked for.

    Args:
        path: the folder; it must not hold a job.
        verb: the command, "tune" or "grid".
        request: dictionary for JSON, from which the command continues.
        info: `DatasetInfo`, whose checksum is recorded, and what else `data_key` has.

    Raises:
        RunError: if the folder holds a job, or cannot be written.
    """
    path = Path(path)
    if (path / "request.json").exists():
        raise RunError(f"{path} exists already. Give another --name, or continue it: keras-dhnn {verb} --resume {path}")
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "request.json", {"verb": verb, "checksum": _key(request, info), **request})
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}. Give another folder by --runs.") from error


def open_job(path: Path | str, verb: str) -> dict[str, Any]:
    """Return what was asked for in a folder.

    Raises:
        RunError: if there is no such job.
    """
    path = Path(path) / "request.json"
    if not path.is_file():
        raise RunError(f"There is nothing to continue at {path.parent}: expected {path.name} in it.")
    kinds = {"verb": str, "checksum": str, "base": dict}
    request = read_json(path, kinds, remedy="What was asked for is lost: start it anew with another --name.")
    if request["verb"] != verb:
        raise RunError(f"{path.parent} was made by another command. Continue it: keras-dhnn {request['verb']} --resume")
    return request


def check_worker(path: Path | str, space: Space, info: DatasetInfo) -> None:
    """Raise `RunError` if a worker would train something else than its chief has asked for.

    Args:
        path: the search's folder. Where it is not shared with the chief there is nothing to compare with.
        space: the worker's `Space`.
        info: `DatasetInfo` of the worker's prepared data set.
    """
    if not (Path(path) / "request.json").is_file():
        return
    request = open_job(path, "tune")
    check_job(path, request, info)
    theirs, ours = Experiment.from_json(json.dumps(request["base"])).settings, space.base.settings
    unlike = [f"{name} is {theirs[name]!r}, here {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
    if space.to_json() != request["space"]:
        unlike.append(f"the space is {json.dumps(request['space'])}, here {json.dumps(space.to_json())}")
    if unlike:
        raise RunError(
            f"This worker's search is not its chief's, {path}. There {'; '.join(unlike)}. Start it with the chief's "
            "options, or both with another --name."
        )


def check_job(path: Path | str, request: Mapping[str, Any], info: DatasetInfo) -> None:
    """Raise `RunError` if a data set, its labels or its split are not those that a job was made with."""
    if request["checksum"].split()[0] != info.checksum:
        raise RunError(
            f"{path} was made with other images than those in {info.directory} now. Name their folder by --data."
        )
    if request["checksum"] != _key(request, info):
        raise RunError(
            f"{path} was made with other labels of {info.directory}, or another split of it, than there are now. Start "
            "it anew with another --name."
        )


def _key(request, info):
    base = Experiment.from_json(json.dumps(request["base"]))
    return data_key(base.data, base.seed, info)
