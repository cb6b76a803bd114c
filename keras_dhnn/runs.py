"""Read and write a run's folder, each part of it whole or not at all."""

import contextlib
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn._version import __version__
from keras_dhnn.codes import pack
from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError
from keras_dhnn.files import read_arrays, read_json, refuse_address, write_arrays, write_json, write_text
from keras_dhnn.files.checksums import LIST, damage, read_list, relisted, write_list
from keras_dhnn.files.kinds import what_it_is
from keras_dhnn.files.owner import OWNER, owned
from keras_dhnn.machine import cores

# What `Run.load_codes` gives: kinds of the arrays and their numbers of axes.
_CODES = {"codes": ("u", 2), "outputs": ("f", 2), "items": ("i", 1), "labels": ("iu", 1)}

# What scores have: always; where labels are known; and what some have.
_PROTOCOL = {
    **dict.fromkeys(("data", "checksum", "protocol", "split"), str),
    **dict.fromkeys(("queries", "database", "bits", "seed", "distinct_codes"), int),
    "synthetic": bool,
}
_ORDERS = dict.fromkeys(("expected", "stable", "pessimistic", "optimistic"), float)
_SCORES = {"map": _ORDERS, "precision_at": {str: float}, "precision_within_radius_2": float}
_MORE = {
    "tasks": {str: {"map": _ORDERS}},
    "map_at": {str: _ORDERS},
    "map_per_class": {str: float},
    "seconds": {"total": float},
    **dict.fromkeys(("map_untrained", "map_float_features"), (float, type(None))),
}

PACKAGES = ("tensorflow", "tensorflow-addons", "keras", "keras-tuner", "numpy", "scikit-learn", "tifffile", "pillow")


class Run:
    """Read and write the folder of one run, `runs/<name>/`.

    Args:
        path: the folder.

    Attributes:
        experiment_path: the experiment, JSON; what `fit --config` takes.
        split_path: queries, database and validation items.
        labels_path: the labels it was given by a file, if it was, see `pipelines.labels`.
        history_path: losses and validation scores of each epoch, JSON.
        checkpoints: resumable training state.
        weights_path: the trained network's numbers, see `models.weights_file`.
        model_path: the trained network in runs of version 0.1, `.keras`.
        codes_path: hash codes of all items, see `load_codes`; of two sources, `codes-<source>.npz` beside it.
        metrics_path: the scores, JSON.
        tensorboard: event files.
        figures: PNG files.
        snapshots: outputs of some items early in training, of runs with two sources.
        collapse_path: why training ended without a result, if it did, JSON.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.experiment_path = self.path / "experiment.json"
        self.environment_path = self.path / "environment.json"
        self.split_path = self.path / "split.npz"
        self.labels_path = self.path / "labels.npz"
        self.history_path = self.path / "history.json"
        self.checkpoints = self.path / "checkpoints"
        self.weights_path = self.path / "weights.npz"
        self.model_path = self.path / "model.keras"
        self.codes_path = self.path / "codes.npz"
        self.metrics_path = self.path / "metrics.json"
        self.tensorboard = self.path / "tensorboard"
        self.figures = self.path / "figures"
        self.snapshots = self.path / "snapshots"
        self.collapse_path = self.path / "collapse.json"

    @classmethod
    def create(cls, path: Path | str, experiment: Experiment, info: Any) -> "Run":
        """Make the folder and write the experiment and the environment into it.

        Args:
            path: the folder; it must not hold a run.
            experiment: the `Experiment`.
            info: `DatasetInfo` of the prepared data, whose folder and checksum are recorded.

        Raises:
            RunError: if the folder holds a run already, or another process is writing one, or it cannot be written.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            with owned(run.path):
                run._refuse_another()
                write_json(run.environment_path, environment(experiment.seed, info))
                write_text(run.experiment_path, experiment.to_json())
                run.seal()
        except OSError as error:
            raise RunError(f"{run.path} cannot be written: {error.strerror}. Give another folder by --runs.") from error
        return run

    def _refuse_another(self):
        if self.experiment_path.exists():
            state = "finished" if self.finished else "unfinished"
            raise RunError(
                f"{self.path} holds a run already ({state}). Give another --name, or continue it: "
                f"keras-dhnn fit --resume {shlex.quote(str(self.path))}"
            )

    @classmethod
    def open(cls, path: Path | str, *, finished: bool = True) -> "Run":
        """Return a run that exists.

        Args:
            path: its folder.
            finished: whether it must have been trained to the end.

        Raises:
            RunError: if there is none, or it is not finished, or a file of it has changed; or it is a search or a grid.
        """
        run = cls(path)
        run._refuse_job()
        if not run.experiment_path.is_file():
            refuse_address(path)
            raise RunError(
                f"There is no run at {run.path}: expected {run.experiment_path.name} in it.{what_it_is(run.path)} Name "
                "the folder of a run, RUNS/NAME, which keras-dhnn fit makes."
            )
        if finished and not run.finished:
            raise RunError(run._unfinished())
        if found := run.damage():
            raise RunError(
                f"The run {run.path} is damaged: {'; '.join(found)}. Bring the file back from a copy, or train it anew."
            )
        return run

    def _refuse_job(self):
        """Refuse the folder of a search, which holds its winner's experiment, or of a grid."""
        path = self.path / "request.json"
        if not path.is_file():
            return
        verb = read_json(path, {"verb": str}, remedy="What was asked for is lost: start it anew.")["verb"]
        quoted = shlex.quote(str(self.path))
        what, more = "a grid", ""
        if verb == "tune":
            what = "a search"
            if self.experiment_path.is_file():
                more = f" A run with the settings of its winner: keras-dhnn fit --config {quoted}/experiment.json"
        raise RunError(
            f"{self.path} is {what}, not a run. If it is not finished, continue it: keras-dhnn {verb} --resume {quoted}"
            f"{'.' if more else ''}{more}"
        )

    def _unfinished(self):
        if self.collapse_path.is_file():
            reason = read_json(self.collapse_path, {"reason": str}, remedy="Train the run anew.")["reason"]
            return f"The run {self.path} ended without a result, and would again: {reason}"
        return (
            f"The run {self.path} is not finished. Continue it: keras-dhnn fit --resume {shlex.quote(str(self.path))}"
        )

    def keep_collapse(self, reason: str) -> None:
        """Write down why training ended without a result."""
        write_json(self.collapse_path, {"reason": reason})

    def damage(self) -> list[str]:
        """Return what is wrong with the run's files, a sentence each. Runs of earlier versions have no list to compare
        with.

        Raises:
            DataError: if the list itself is damaged.
        """
        return damage(self.path, read_list(self.path))

    def seal(self) -> None:
        """Write down sizes and checksums of what the run has, so that `open` notices changed bytes."""
        paths = (
            *(self.experiment_path, self.environment_path, self.split_path, self.labels_path, self.history_path),
            *(self.metrics_path, self.weights_path, self.model_path, *self.path.glob("codes*.npz")),
        )
        write_list(self.path, [path.name for path in paths if path.exists()])

    def replace_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write other scores."""
        with relisted(self.path, self.metrics_path.name):
            write_json(self.metrics_path, metrics)

    def discard_untrained(self) -> None:
        """Remove the run again if nothing was trained yet; files that are not a run's stay."""
        if self.checkpoints.exists():
            return
        with owned(self.path):
            for path in (
                self.experiment_path,
                self.environment_path,
                self.split_path,
                self.labels_path,
                self.path / OWNER,
                self.path / LIST,
            ):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.path.rmdir()

    @property
    def finished(self) -> bool:
        """Return whether training ended, and model, codes and scores are written."""
        codes = self.codes_path.is_file() or len(list(self.path.glob("codes-*.npz"))) == 2
        trained = self.weights_path.is_file() or self.model_path.is_file()
        return trained and codes and self.metrics_path.is_file()

    def check_data(self, info: Any) -> None:
        """Raise `RunError` if a data set is not the one that the run was made with."""
        if self.environment["checksum"] != info.checksum:
            raise RunError(
                f"{self.path} was made with other images than those in {info.directory} now (checksum "
                f"{self.environment['checksum'][:12]} then, {info.checksum[:12]} now). Name their folder by --data."
            )

    @property
    def experiment(self) -> Experiment:
        """Return the `Experiment` of the run."""
        content = read_json(self.experiment_path, remedy=self._remedy)
        return Experiment.from_json(json.dumps(content))

    @property
    def environment(self) -> dict[str, Any]:
        """Return seed, versions, data set and checksum that the run was made with."""
        return read_json(self.environment_path, {"checksum": str}, remedy=self._remedy)

    @property
    def metrics(self) -> dict[str, Any]:
        """Return the scores."""
        return read_json(self.metrics_path, _kinds_of_metrics, remedy=self._remedy)

    @property
    def history(self) -> dict[str, dict[str, list]]:
        """Return the values of every epoch, by phase and name."""
        return read_json(self.history_path, {str: {str: list}}, remedy=self._remedy)

    @property
    def _remedy(self):
        return f"It is a part of the run {self.path}: bring it back from a copy, or train the run anew."

    def save_codes(
        self, codes: np.ndarray, outputs: np.ndarray, items: np.ndarray, labels: np.ndarray, source: str | None = None
    ) -> None:
        """Write packed codes `(n, l / 8)` and float16 outputs `(n, l)` of items `(n,)` with labels `(n,)`.

        Of a data set with two sources, each has a file of its own.
        """
        arrays = {"codes": codes, "outputs": outputs.astype(np.float16), "items": items, "labels": labels}
        write_arrays(self._codes_path_of(source), arrays)

    def load_codes(self, source: str | None = None) -> dict[str, np.ndarray]:
        """Return dictionary of `codes` (n, l / 8) uint8, `outputs` (n, l) float16, `items` (n,) and `labels` (n,).

        Args:
            source: name of the image source, where there are two.

        Raises:
            DataError: if the file is damaged.
        """
        return read_arrays(self._codes_path_of(source), _CODES, remedy=self._remedy)

    def _codes_path_of(self, source):
        return self.codes_path if source is None else self.codes_path.with_name(f"codes-{source}.npz")

    def save_outputs(self, outputs: Mapping[str, np.ndarray], labels: np.ndarray) -> None:
        """Write the codes and outputs `{source: (n, l)}` of items 0 to n - 1 with labels `(n,)`."""
        for source, one in outputs.items():
            self.save_codes(pack(one), one, np.arange(len(labels)), labels, source if len(outputs) > 1 else None)

    def load_outputs(self, sources: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Return `({source: (n, l) float16}, {source: (n, l / 8) uint8}, labels (n,))`: outputs, their codes, labels.

        The codes are those of the outputs before they were rounded: of a tiny negative float16 has lost the sign.

        Args:
            sources: names of the sources.
        """
        stored = {source: self.load_codes(source if len(sources) > 1 else None) for source in sources}
        outputs, codes = ({source: one[name] for source, one in stored.items()} for name in ("outputs", "codes"))
        return outputs, codes, stored[sources[0]]["labels"]


def _kinds_of_metrics(metrics):
    """Return the kinds of scores; where no label is known, "map" is None, and there is no other."""
    unscored = metrics.get("map", 0) is None and "precision_at" not in metrics
    more = {name: kind for name, kind in _MORE.items() if name in metrics}
    return {**_PROTOCOL, **({} if unscored else _SCORES), **more}


def environment(seed: int, info: Any) -> dict[str, Any]:
    """Return what a result depends on beside the experiment: seed, versions, and the data set with its checksum."""
    return {
        "keras_dhnn": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": cores(),
        "packages": {name: metadata.version(name) for name in PACKAGES if _installed(name)},
        "seed": seed,
        "data": str(info.directory),
        "checksum": info.checksum,
        "synthetic": info.synthetic,
    }


def _installed(name):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
