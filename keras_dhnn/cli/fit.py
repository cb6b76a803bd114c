"""`keras-dhnn fit`: prepared images to a trained hashing network, its codes and its scores."""

import contextlib
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import (
    Backbone,
    Bits,
    Config,
    DataFolder,
    Json,
    Protocol,
    Queries,
    Quiet,
    RunsFolder,
    Settings,
    Synthetic,
)

# How networks of two sources learn from random weights: docs/cross-source.md.
SCRATCH = (
    "fine_tune.epochs=108",
    "fine_tune.learning_rate=5e-4",
    "fine_tune.backbone_learning_rate=5e-4",
    "loss.beta=0.02",
    "loss.gamma=0.01",
    "training.batch_size=64",
    "training.validate_every=5",
    "augmentation.flips=true",
)

# What a hash head on frozen features is trained by.
_HEAD = (
    "data.image_size",
    "model.hidden",
    "model.weight_decay",
    "model.band_statistics",
    "head.epochs",
    "training.validate_every",
)
# The same, of two sources.
_DUAL_HEAD = ("model.weight_decay", "head.epochs", "head.learning_rate", "loss.beta", "loss.gamma")
# Sides in pixels that backbones are for, 0 being images as they are stored; others see what ImageNet's networks see.
_SIDES = {"cnn_f": 224, "sat4_cnn": 0, "pan_cnn": 0, "mul_cnn": 0}

# The data sets that have a synthetic twin, and how large `--synthetic` makes it.
_TWINS = {
    "ucmd": {"per_class": 20},
    "ucmd-dual": {"per_class": 20},
    "sat4": {"size": 20_000, "label_noise": 0.0},
    "dsrsid": {"size": 2400},
}


def fit(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="The prepared data set: ucmd, sat4, ucmd-dual, dsrsid, your own.", metavar="[NAME]"),
    ] = None,
    bits: Bits = None,
    protocol: Protocol = None,
    queries: Queries = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help="grouped: regular expression that is looked for in the images' names; those of one class in which it "
            "finds the same stay on one side of the split. 'scene[0-9]+' keeps scene12_a.tif and scene12_b.tif "
            "together, '^[^_]+' whatever is equal up to the first underscore.",
            metavar="REGEX",
        ),
    ] = None,
    backbone: Backbone = None,
    settings: Settings = None,
    config: Config = None,
    synthetic: Synthetic = False,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this unfinished run to where it would have ended.", metavar="RUN")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Train data-parallel: mirrored, on all GPUs of this machine; or multi_worker, by several processes, "
            "each started with this command and its own TF_CONFIG; the first one writes the run. The batch size is "
            "that of all together."
        ),
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

      keras-dhnn fit harbours --queries 0.1

      keras-dhnn fit harbours --group-pattern 'scene[0-9]+'

      keras-dhnn fit --resume runs/ucmd-paper-64
    """
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.runs import Run

    bar = bars(quiet)
    if resume is not None:
        refuse_beside_resume(context, "strategy")

    def choose():
        return chosen_experiment(
            *(name, data, config, bits, protocol, backbone, seed, settings),
            group_pattern=group_pattern,
            queries=queries,
        )

    # Before anything else: several processes start with it.
    strategy = _strategy(strategy)
    run = info = None
    if resume is not None:
        run = Run.open(resume, finished=False)
        if run.finished:
            print(f"{run.path} is finished: nothing to do.")
            return
        info = DatasetInfo.load(data / run.experiment.data.name)
        run.check_data(info)
    if not _writes(strategy):
        _assist(run, info, choose, synthetic, data, strategy)
        return
    if run is None:
        if synthetic and name is not None:
            # Before its preset, which is fitted to it.
            name = twin(name, data, bar)
        experiment = choose()
        if synthetic:
            experiment = experiment.override(f"data.name={twin(experiment.data.name, data, bar)}")
        info = prepared(data, experiment.data.name)
        _check_split(experiment, info)
        usual = f"{experiment.data.name}-{experiment.data.protocol}-{experiment.model.bits}"
        run = Run.create(runs / (run_name or free_name(runs, usual)), experiment, info)
    _fit(run, info, bar, as_json, strategy)


def _strategy(name):
    if name is None:
        return None
    from keras_dhnn.distribution import make_strategy

    return make_strategy(name)


def _writes(strategy):
    if strategy is None:
        return True
    from keras_dhnn.distribution import is_chief

    return is_chief(strategy)


def _assist(run, info, choose, synthetic, data, strategy):
    """What a worker does beside the chief: it trains along, and writes no run."""
    import tensorflow as tf

    from keras_dhnn.fit import assist

    tf.config.experimental.enable_op_determinism()
    if run is not None:
        assist(run.experiment, info, run.checkpoints, strategy)
        return
    if synthetic:
        raise ValueError("Several processes need one data set. Prepare the twin first: keras-dhnn prepare --synthetic")
    experiment = choose()
    with tempfile.TemporaryDirectory() as nothing:
        assist(experiment, prepared(data, experiment.data.name), Path(nothing), strategy)


def chosen_experiment(
    name, data, config, bits, protocol, backbone, seed, settings, *, group_pattern=None, queries=None
):
    """The `Experiment` that a verb's arguments ask for: a preset or a file, changed."""
    from keras_dhnn.config import Experiment
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.presets import load_preset

    experiment = None
    if config is not None:
        experiment = read_settings(config, Experiment.from_json)
        name = name or experiment.data.name
    elif name is None:
        raise ValueError(
            "Name a data set (keras-dhnn fit ucmd), or give an experiment by --config or a run by --resume."
        )
    # Data that are not there are complained about later, when it is known whether a twin will do.
    info = DatasetInfo.load(data / name) if (data / name).exists() else None
    experiment = load_preset(name, info) if experiment is None else experiment.override(f"data.name={name}")
    changes = {
        "model.bits": bits,
        "data.protocol": protocol,
        "data.queries": queries,
        "data.group_pattern": group_pattern,
        "seed": seed,
    }
    changes = [f"{path}={value}" for path, value in changes.items() if value is not None]
    backbone = ",".join(backbone or [])
    if backbone and backbone != experiment.model.backbone:
        sources = _sources(experiment, info)
        if "=" not in backbone and len(sources) > 1:
            backbone = _by_source(dict.fromkeys(sources, backbone))
        of_kind = _branch_changes if "=" in backbone else _backbone_changes
        changes += of_kind(backbone, experiment, info)
    return experiment.override(*changes, *(settings or []))


def read_settings(path, parse):
    """What `parse` makes of the JSON text in a file that the user named; its errors name the file.

    Raises:
        ValueError: if there is no such file, or `parse` refuses the text.
    """
    if not path.is_file():
        raise ValueError(f"There is no file {path}. Expected JSON, see --help.")
    try:
        return parse(path.read_text(errors="replace"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _sources(experiment, info):
    """Names of the data set's sources, as far as they are known: by itself, or by the backbones of its preset."""
    if info is not None:
        return tuple(info.images)
    return tuple(part.split("=")[0] for part in experiment.model.backbone.split(",") if "=" in part)


def _backbone_changes(backbone, experiment, info):
    """A preset's phases fit its own backbone: where another one is to be cut, only its user can say."""
    from keras_dhnn.config import Model
    from keras_dhnn.presets import load_preset

    if backbone == Model().backbone:
        changes = [f"model.backbone={backbone}", "model.weights=auto", "fine_tune.epochs=0"]
        if not experiment.head.epochs:
            # What trains a network as a whole has no head for this one: that of folders, which was chosen with it.
            head = load_preset("folder", info).settings
            changes += [f"{path}={head[path]}" for path in _HEAD]
        how = "with its ImageNet weights, the hash head only"
    else:
        changes = [f"model.backbone={backbone}", "model.band_statistics=false"]
        changes += ["head.epochs=0", "fine_tune.cut=images", "fine_tune.epochs=20"]
        how = (
            "from random weights, all of it. If you have weights (--set model.weights=imagenet downloads a Keras "
            "application's), train the head first: --set head.epochs=40 --set fine_tune.epochs=0"
        )
    if backbone == "cnn_f":
        changes += ["model.hidden=0", "model.weight_decay=0", f"data.image_size={_SIDES[backbone]}"]
    if backbone == "sat4_cnn":
        # It is for small patches: enlarged as ImageNet's network needs them, they cost a hundred times as much.
        changes.append(f"data.image_size={_SIDES[backbone]}")
        how = "from random weights, all of it, on images as they are stored"
    print(f"Training {backbone} {how}.", file=sys.stderr)
    return changes


def _branch_changes(backbones, experiment, info):
    """Backbones by source, "pan=pan_cnn,mul=efficientnet_lite0": pretrained ones stay as they are, others are trained.

    The papers' networks see images at their stored size; ImageNet's sees them at 256 pixels. Between features and codes
    the papers have no layer. Beside a branch of ImageNet's network the other has one too: both heads are alike.
    """
    from keras_dhnn.config import Model
    from keras_dhnn.presets import load_preset

    branches = dict(part.split("=", 1) for part in backbones.split(",") if "=" in part)
    pretrained = {source: name == Model().backbone for source, name in branches.items()}
    large = experiment.data.image_size if isinstance(experiment.data.image_size, int) else 0
    sizes = {source: _SIDES.get(name, large or 256) for source, name in branches.items()}
    hidden = experiment.model.hidden or Model().hidden if any(pretrained.values()) else 0
    # ImageNet's network was made for red, green and blue: what other bands are, their statistics tell best.
    more = info is not None and any(pretrained.get(s) and spec.channels > 3 for s, spec in info.images.items())
    changes = [
        f"model.backbone={backbones}",
        "model.weights=auto",
        f"model.band_statistics={str(more).lower()}",
        f"model.hidden={hidden}",
        f"data.image_size={_by_source(sizes)}",
    ]
    if all(pretrained.values()):
        if not experiment.head.epochs:
            head = load_preset("ucmd-dual").settings
            changes += [f"{path}={head[path]}" for path in _DUAL_HEAD]
        return [*changes, "fine_tune.epochs=0"]
    cuts = {source: "features" if pretrained[source] else "images" for source in branches}
    trained = ", ".join(source for source in branches if not pretrained[source])
    print(f"Training the branches of {trained} from random weights, all of them.", file=sys.stderr)
    return [*changes, f"fine_tune.cut={_by_source(cuts)}", "head.epochs=0", *SCRATCH]


def _by_source(values):
    return ",".join(f"{source}={value}" for source, value in values.items())


def twin(name, data, bar):
    """Makes the synthetic twin of a data set, if it is not there, and returns its name."""
    from keras_dhnn.cli.prepare import prepare_twin
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.pipelines.errors import DataError

    name = name.removesuffix("-synthetic")
    if name not in _TWINS:
        raise ValueError(f"There is no synthetic twin of {name!r}. There are twins of: {', '.join(_TWINS)}")
    # One that is there will do, whatever its size.
    with contextlib.suppress(DataError):
        return DatasetInfo.load(data / f"{name}-synthetic").name
    return prepare_twin(name, data, bar, **_TWINS[name]).info.name


def prepared(data, name):
    """The `DatasetInfo` of a prepared data set; one that is not there is a `DataError` that says how to prepare it."""
    from keras_dhnn.pipelines.dataset_info import DatasetInfo
    from keras_dhnn.pipelines.errors import DataError

    if not (data / name).exists():
        layout = "" if name in _TWINS else " --layout folder"
        ways = [f"With the archive at hand: keras-dhnn prepare {name}{layout} --source PATH."]
        ways += [f"To fetch it: keras-dhnn prepare {name} --download."] if name in ("ucmd", "ucmd-dual") else []
        ways += [f"Without it: keras-dhnn fit {name} --synthetic"] if name in _TWINS else []
        raise DataError(f"{data / name} is not prepared. {' '.join(ways)}")
    return DatasetInfo.load(data / name)


def _check_split(experiment, info):
    """Draws the split, so that one that cannot be drawn leaves no run behind; says how many are on either side."""
    from keras_dhnn.fit import draw_split
    from keras_dhnn.pipelines.name_groups import groups_by_name

    split = draw_split(experiment.data, experiment.seed, info)
    images = f"{info.count} images"
    if experiment.data.group_pattern is not None:
        groups = len(set(groups_by_name(info.ids, experiment.data.group_pattern)))
        images += f" in {groups} groups by their names"
    print(f"{images}; {len(split.queries)} queries, {len(split.database)} in the database.", file=sys.stderr)


def free_name(runs, base):
    """The first of `base`, `base-2`, `base-3` that is not in a folder."""
    names = itertools.chain([base], (f"{base}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (runs / name).exists())


def _fit(run, info, bar, as_json, strategy):
    import tensorflow as tf

    from keras_dhnn.fit import fit as fit_run

    # So that a run that was killed and resumed ends with the same weights as one that was not.
    tf.config.experimental.enable_op_determinism()
    try:
        with ends_well(f"Continue with: keras-dhnn fit --resume {run.path}"):
            metrics = fit_run(run, info, bar, strategy)
    except ValueError:
        run.discard_untrained()
        raise
    if as_json:
        print(json.dumps(metrics))
        return
    from keras_dhnn.cli.tables import print_scores

    print_scores(run, metrics)
