"""Train a hashing network on a prepared data set, and score its retrieval."""

import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError, RunError, SettingError
from keras_dhnn.experiment.resolve import notice, resolve_experiment
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import check_name, new_folder
from keras_dhnn.machine import cores
from keras_dhnn.models.backbones.build import trust
from keras_dhnn.pipelines.name_groups import groups_by_name
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, show_progress
from keras_dhnn.runs import Run
from keras_dhnn.training.distribution import is_chief, make_strategy
from keras_dhnn.workflows.open_run import open_run
from keras_dhnn.workflows.prepare import draw_twin, load_labelled
from keras_dhnn.workflows.train_run import assist, train_run

Say = Callable[[str], None]


def fit(
    name: str | None = None,
    *,
    bits: int | None = None,
    protocol: str | None = None,
    queries: float | None = None,
    split: Path | str | None = None,
    labels: Path | str | None = None,
    group_pattern: str | None = None,
    backbone: str | Callable[..., tf.keras.Model] | Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | str | Iterable[str] = (),
    config: Path | str | None = None,
    synthetic: bool = False,
    resume: Run | Path | str | None = None,
    strategy: str | None = None,
    run_name: str | None = None,
    data: Path | str = "data",
    runs: Path | str = "runs",
    seed: int | None = None,
    bar: Bar = show_progress,
    say: Say = notice,
    started: Callable[[Run], None] = lambda run: None,
) -> Run | None:
    """Train on a prepared data set, or continue a run, and write model, codes, scores and figures.

    Args:
        name: of the prepared data set; its preset is taken, or that of folders.
        bits: length of the hash codes; None leaves this and the following as the preset has them.
        protocol: see `config.Data`.
        queries: see `config.Data`.
        split: file of a published split, see `config.Data`.
        labels: table of the images' labels, most of which may be missing, see `pipelines.label_file`.
        group_pattern: see `config.Data`.
        backbone: name of a network; a function from an image shape to a Keras model with `(B, d)` features; of two
            sources one for both, or `{source: name}`.
        settings: `{"section.field": value}`, or a text "section.field=value" or several.
        config: file of an experiment as JSON, instead of a preset.
        synthetic: draw the synthetic twin of the data set first, and train on that.
        resume: an unfinished run, to be continued to where it would have ended.
        strategy: "mirrored" or "multi_worker", see `training.distribution`.
        run_name: folder of the run below `runs`; by default by data set, protocol and bits.
        data: folder of the prepared data sets.
        runs: folder of the runs.
        seed: of the split, the initial weights and the order.
        bar: progress bar factory.
        say: is told what was decided for the user.
        started: is called with the run before training begins.

    Returns:
        The finished `Run`; its scores are `run.metrics`. None for a process that trains along with the first one.

    Raises:
        SettingError: for a setting that is not allowed.
        DataError: if the data set is not prepared, or is damaged, or all labels are of one class.
        RunError: if the run cannot be created or continued.
        CollapseError: if training ends with one code for all images, or without a finite loss.
    """
    # Before anything else: several processes start with it.
    chosen = None if strategy is None else make_strategy(strategy)
    # So that a run that was killed and resumed ends with the same weights as one that was not.
    tf.config.experimental.enable_op_determinism()

    def resolve() -> Experiment:
        return resolve_experiment(
            name,
            data=data,
            config=config,
            bits=bits,
            protocol=protocol,
            queries=queries,
            split=split,
            labels=labels,
            group_pattern=group_pattern,
            backbone=trust(backbone),
            seed=seed,
            settings=settings,
            draw=(lambda name: draw_twin(name, data, bar)) if synthetic else None,
            say=say,
        )

    run = info = None
    if resume is not None:
        run, info = open_run(resume, data, finished=False)
        if run.finished:
            quoted = shlex.quote(str(run.path))
            say(f"{run.path} is finished: nothing to train. Its figures anew: keras-dhnn evaluate {quoted}")
            return run
        _compare_cores(run, say)
    if chosen is not None and not is_chief(chosen):
        _assist(run, info, resolve, synthetic, data, chosen)
        return None
    if run is None or info is None:
        experiment = resolve()
        info = load_labelled(experiment, data)
        _check_split(experiment, info, say)
        run = _create(experiment, info, Path(runs), run_name)
    started(run)
    try:
        train_run(run, info, bar, chosen)
    except CollapseError as error:
        run.keep_collapse(str(error))
        raise
    except SettingError:
        # What was there before this call stays.
        if resume is None:
            run.discard_untrained()
        raise
    return run


def _compare_cores(run: Run, say: Say) -> None:
    """Say so if the rest of a run would be computed with another number of threads than its beginning."""
    before = run.environment.get("cores")
    if before not in (None, cores()):
        say(
            f"{run.path} was begun on {before} processor cores, and goes on with {cores()}: sums are then added in "
            "another order, so that its codes may differ a little from those of a run that was not interrupted. To "
            f"have the same, continue it with {before}, for instance by taskset."
        )


def _create(experiment: Experiment, info: DatasetInfo, runs: Path, name: str | None) -> Run:
    usual = f"{experiment.data.name}-{experiment.data.protocol}-{experiment.model.bits}"
    try:
        path = new_folder(runs, usual) if name is None else runs / check_name(name, "a run")
    except OSError as error:
        raise RunError(f"{runs} cannot be written: {error.strerror}. Give another folder by --runs.") from error
    run = Run.create(path, experiment, info)
    if info.table is not None:
        info.table.save(run.labels_path)
        run.seal()
    return run


def _assist(
    run: Run | None,
    info: DatasetInfo | None,
    resolve: Callable[[], Experiment],
    synthetic: bool,
    data: Path | str,
    strategy: tf.distribute.Strategy,
) -> None:
    """Do what a worker does beside the chief: it trains along, and writes no run."""
    if run is not None and info is not None:
        assist(run.experiment, info, run.checkpoints, strategy)
        return
    if synthetic:
        raise SettingError(
            "Several processes need one data set. Prepare the twin first: keras-dhnn prepare --synthetic"
        )
    experiment = resolve()
    with tempfile.TemporaryDirectory() as nothing:
        info = load_labelled(experiment, data)
        assist(experiment, info, Path(nothing), strategy)


def _check_split(experiment: Experiment, info: DatasetInfo, say: Say) -> None:
    """Draw the split, so that one that cannot be drawn leaves no run behind; say how many are on either side."""
    split = draw_split(experiment.data, experiment.seed, info)
    images = f"{info.count} images"
    if experiment.data.group_pattern is not None:
        groups = len(set(groups_by_name(info.ids, info.folders, experiment.data.group_pattern)))
        images += f" in {groups} groups by their names"
    say(f"{images}; {len(split.queries)} queries, {len(split.database)} in the database.")
    if not info.known.all():
        given = int(info.known[split.items.image(split.database)].sum())
        say(f"{given} labels in the database; what is similar to the others is inferred from all images.")
