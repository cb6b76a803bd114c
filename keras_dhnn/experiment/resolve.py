"""Resolve the experiment that a preset or a file, a backbone, a data set and the user's settings mean together."""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from keras_dhnn.config import Experiment, Model, is_pretrained, parse_sources
from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.files import as_list, read_lines
from keras_dhnn.pipelines.published_split import PUBLISHED
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

Parsed = TypeVar("Parsed")

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
_DUAL_HEAD = ("model.weight_decay", "model.start", "head.epochs", "head.learning_rate", "loss.beta", "loss.gamma")
# What networks of two sources are trained by from random weights.
_DUAL_SCRATCH = (
    "model.start",
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


def notice(text: str) -> None:
    """Tell the user on stderr what was decided for them."""
    print(text, file=sys.stderr)


def resolve_experiment(
    name: str | None = None,
    *,
    data: Path | str = "data",
    config: Path | str | None = None,
    bits: int | None = None,
    protocol: str | None = None,
    queries: float | None = None,
    split: Path | str | None = None,
    labels: Path | str | None = None,
    group_pattern: str | None = None,
    backbone: str | Mapping[str, str] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | str | Iterable[str] = (),
    draw: Callable[[str], str] | None = None,
    say: Callable[[str], None] = notice,
) -> Experiment:
    """Return the experiment that is meant: a preset or a file, fitted to a backbone, changed by the user's settings.

    Args:
        name: of a data set; its preset is taken, or that of folders.
        data: folder of the prepared data sets.
        config: file of an experiment as JSON, instead of a preset.
        bits: None leaves this and the following as the preset has them.
        protocol: see `config.Data`.
        queries: see `config.Data`.
        split: file of names, see `config.Data`; the protocol is then "standard" unless another is given, which is
            refused when the split is drawn.
        labels: table of labels, see `config.Data`.
        group_pattern: see `config.Data`.
        backbone: name of a network; of two sources one for both, or `{source: name}`.
        seed: of the split, the initial weights and the order.
        settings: `{"section.field": value}`, or a text "section.field=value" or several.
        draw: makes the synthetic twin of the data set with this name and returns the twin's, before the preset is
            fitted to it.
        say: is told what was decided for the user.

    Raises:
        SettingError: if neither a name nor a file is given, or for a setting that is not allowed.
    """
    experiment = None
    if config is not None:
        experiment = read_settings(Path(config), Experiment.from_json)
        name = name or experiment.data.name
    elif name is None:
        raise SettingError(
            "Name a data set (keras-dhnn fit ucmd), or give an experiment by --config or a run by --resume."
        )
    if draw is not None:
        name = draw(name)
    # Data that are not there are complained about later.
    info = DatasetInfo.load(Path(data) / name) if (Path(data) / name).exists() else None
    experiment = load_preset(name, info) if experiment is None else experiment.replace({"data.name": name})
    changes = {
        "model.bits": bits,
        "data.protocol": "standard" if protocol is None and split is not None else protocol,
        "data.queries": queries,
        "data.split": None if split is None else str(split),
        "data.labels": None if labels is None else str(labels),
        "data.group_pattern": group_pattern,
        "seed": seed,
    }
    changes = {path: value for path, value in changes.items() if value is not None}
    drawn = protocol is not None or queries is not None or group_pattern is not None
    if drawn and split is None and experiment.data.split == PUBLISHED:
        # Who says how a split is to be drawn does not want the archive's own.
        changes |= {"data.split": None, "data.protocol": protocol or "grouped"}
    sources = _sources(experiment, info)
    chosen = _of_each(backbone, sources)
    if chosen and chosen != _of_each(experiment.model.backbone, sources):
        of_kind = _branch_changes if isinstance(chosen, dict) else _backbone_changes
        changes |= of_kind(chosen, experiment, info, say)
    experiment = experiment.replace(changes)
    settings = settings if isinstance(settings, Mapping) else as_list(settings)
    changed = experiment.replace(settings) if isinstance(settings, Mapping) else experiment.override(*settings)
    names = {name.partition("=")[0] for name in settings}
    # Whoever sees images as they lie means queries, too.
    seen = "data.turns" in names and "model.query_turns" not in names and changed.data.turns == 1
    return changed.replace({"model.query_turns": 1}) if seen else changed


def read_settings(path: Path, parse: Callable[[str], Parsed]) -> Parsed:
    """Return what `parse` makes of the JSON text in a file that the user named; its errors name the file.

    Raises:
        SettingError: if there is no such file, it is not UTF-8, or `parse` refuses the text.
    """
    try:
        return parse("\n".join(read_lines(path)))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise SettingError(f"There is no file {path}. Expected JSON, see --help.") from error
    except SettingError as error:
        raise SettingError(f"{path}: {error}") from error


def _sources(experiment: Experiment, info: DatasetInfo | None) -> tuple[str, ...]:
    """Return names of the data set's sources as far as they are known: by itself, or by its preset's backbones."""
    if info is not None:
        return tuple(info.images)
    backbone = experiment.model.backbone
    return tuple(backbone) if isinstance(backbone, Mapping) else ()


def _of_each(backbone: str | Mapping[str, str] | None, sources: tuple[str, ...]) -> Any:
    """Return `{source: backbone}` of several sources, from a mapping, its text or a name for all; of one the name."""
    if isinstance(backbone, str):
        backbone = parse_sources(backbone) or backbone
    if backbone and not isinstance(backbone, Mapping) and len(sources) > 1:
        return dict.fromkeys(sources, backbone)
    return backbone


def _backbone_changes(
    backbone: str, experiment: Experiment, info: DatasetInfo | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the settings that go with a backbone: where another than a preset's own is cut, only its user can say."""
    changes: dict[str, Any] = {"model.backbone": backbone}
    if is_pretrained(backbone):
        changes |= {"model.weights": "auto", "fine_tune.epochs": 0}
        if not experiment.head.epochs:
            # What trains a network as a whole has no head for this one: that of folders, which was chosen with it.
            changes |= _of_preset("folder", info, _HEAD)
        how = "with its ImageNet weights, the hash head only"
    else:
        changes |= {"model.band_statistics": False}
        changes |= {"head.epochs": 0, "fine_tune.cut": "images", "fine_tune.epochs": 20}
        how = (
            "from random weights, all of it. If you have weights (--set model.weights=imagenet downloads a Keras "
            "application's), train the head first: --set head.epochs=40 --set fine_tune.epochs=0"
        )
    if backbone == "cnn_f":
        changes |= {"model.hidden": 0, "model.weight_decay": 0.0, "data.image_size": _SIDES[backbone]}
    if backbone == "sat4_cnn":
        # It is for small patches: enlarged as ImageNet's network needs them, they cost a hundred times as much.
        changes |= {"data.image_size": _SIDES[backbone]}
        how = "from random weights, all of it, on images as they are stored"
    say(f"Training {backbone} {how}.")
    return changes


def _branch_changes(
    branches: dict[str, str], experiment: Experiment, info: DatasetInfo | None, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return the settings that go with backbones by source: pretrained ones stay as they are, others are trained.

    The papers' networks see images at their stored size; ImageNet's sees them at 256 pixels. Between features and codes
    the papers have no layer. Beside a branch of ImageNet's network the other has one too: both heads are alike.
    """
    pretrained = {source: is_pretrained(name) for source, name in branches.items()}
    size = experiment.data.image_size
    large = size if isinstance(size, int) and size else 256
    hidden = experiment.model.hidden or Model().hidden if any(pretrained.values()) else 0
    # ImageNet's network was made for red, green and blue: what other bands are, their statistics tell best.
    more = info is not None and any(pretrained.get(s) and spec.channels > 3 for s, spec in info.images.items())
    changes = {
        "model.backbone": branches,
        "model.weights": "auto",
        "model.band_statistics": more,
        "model.hidden": hidden,
        "data.image_size": {source: _SIDES.get(name, large) for source, name in branches.items()},
    }
    if all(pretrained.values()):
        if not experiment.head.epochs:
            changes |= _of_preset("ucmd-dual", info, _DUAL_HEAD)
        return {**changes, "fine_tune.epochs": 0}
    trained = ", ".join(source for source in branches if not pretrained[source])
    say(f"Training the branches of {trained} from random weights, all of them.")
    # A preset that trains from random weights has its own way to.
    how = _of_preset("dsrsid", info, _DUAL_SCRATCH) if experiment.head.epochs else {}
    cuts = {source: "features" if pretrained[source] else "images" for source in branches}
    return {**changes, "fine_tune.cut": cuts, "head.epochs": 0, **how}


def _of_preset(name: str, info: DatasetInfo | None, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return some settings of the preset that they were chosen for."""
    settings = load_preset(name, info).settings
    return {path: settings[path] for path in paths}
