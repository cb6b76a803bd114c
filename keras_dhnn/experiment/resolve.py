"""The experiment that a verb's arguments ask for: a preset or a file, and what a backbone needs changed in it."""

import sys

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
# What networks of two sources are trained by from random weights.
_DUAL_SCRATCH = (
    "augmentation.flips",
    "loss.beta",
    "loss.gamma",
    "fine_tune.epochs",
    "fine_tune.learning_rate",
    "fine_tune.backbone_learning_rate",
    "training.batch_size",
    "training.validate_every",
)
# Sides in pixels that backbones are for, 0 being images as they are stored; others see what ImageNet's networks see.
_SIDES = {"cnn_f": 224, "sat4_cnn": 0, "pan_cnn": 0, "mul_cnn": 0}


def chosen_experiment(
    name, data, config, bits, protocol, backbone, seed, settings, *, group_pattern=None, queries=None, draw=None
):
    """The `Experiment` that a verb's arguments ask for: a preset or a file, changed.

    `draw`, if it is given, makes the synthetic twin of a data set's name and returns the twin's, before the preset is
    fitted to it.
    """
    from keras_dhnn.config import Experiment
    from keras_dhnn.experiment.presets import load_preset
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

    experiment = None
    if config is not None:
        experiment = read_settings(config, Experiment.from_json)
        name = name or experiment.data.name
    elif name is None:
        raise ValueError(
            "Name a data set (keras-dhnn fit ucmd), or give an experiment by --config or a run by --resume."
        )
    if draw is not None:
        name = draw(name)
    # Data that are not there are complained about later.
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
    sources = _sources(experiment, info)
    backbone = _of_each(",".join(backbone or []), sources)
    if backbone and backbone != _of_each(experiment.model.backbone, sources):
        of_kind = _branch_changes if isinstance(backbone, dict) else _backbone_changes
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


def _of_each(backbone, sources):
    """`{source: backbone}` of several sources, from "a=x,b=y" or a name for all; of one source the name."""
    if "=" in backbone:
        return dict(part.split("=", 1) for part in backbone.split(",") if "=" in part)
    return dict.fromkeys(sources, backbone) if backbone and len(sources) > 1 else backbone


def _backbone_changes(backbone, experiment, info):
    """A preset's phases fit its own backbone: where another one is to be cut, only its user can say."""
    from keras_dhnn.config import Model

    if backbone == Model().backbone:
        changes = [f"model.backbone={backbone}", "model.weights=auto", "fine_tune.epochs=0"]
        if not experiment.head.epochs:
            # What trains a network as a whole has no head for this one: that of folders, which was chosen with it.
            changes += _of_preset("folder", info, _HEAD)
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


def _branch_changes(branches, experiment, info):
    """Backbones by source: pretrained ones stay as they are, others are trained.

    The papers' networks see images at their stored size; ImageNet's sees them at 256 pixels. Between features and codes
    the papers have no layer. Beside a branch of ImageNet's network the other has one too: both heads are alike.
    """
    from keras_dhnn.config import Model

    pretrained = {source: name == Model().backbone for source, name in branches.items()}
    large = experiment.data.image_size if isinstance(experiment.data.image_size, int) else 0
    sizes = {source: _SIDES.get(name, large or 256) for source, name in branches.items()}
    hidden = experiment.model.hidden or Model().hidden if any(pretrained.values()) else 0
    # ImageNet's network was made for red, green and blue: what other bands are, their statistics tell best.
    more = info is not None and any(pretrained.get(s) and spec.channels > 3 for s, spec in info.images.items())
    changes = [
        f"model.backbone={_by_source(branches)}",
        "model.weights=auto",
        f"model.band_statistics={str(more).lower()}",
        f"model.hidden={hidden}",
        f"data.image_size={_by_source(sizes)}",
    ]
    if all(pretrained.values()):
        if not experiment.head.epochs:
            changes += _of_preset("ucmd-dual", info, _DUAL_HEAD)
        return [*changes, "fine_tune.epochs=0"]
    cuts = {source: "features" if pretrained[source] else "images" for source in branches}
    trained = ", ".join(source for source in branches if not pretrained[source])
    print(f"Training the branches of {trained} from random weights, all of them.", file=sys.stderr)
    # A preset that trains from random weights has its own way to.
    how = _of_preset("dsrsid", info, _DUAL_SCRATCH) if experiment.head.epochs else []
    return [*changes, f"fine_tune.cut={_by_source(cuts)}", "head.epochs=0", *how]


def _of_preset(name, info, paths):
    """Some settings of the preset that they were chosen for, as changes."""
    from keras_dhnn.experiment.presets import load_preset

    settings = load_preset(name, info).settings
    return [f"{path}={settings[path]}" for path in paths]


def _by_source(values):
    return ",".join(f"{source}={value}" for source, value in values.items())
