"""Declare the settings of an experiment: frozen dataclasses that check themselves, to and from JSON, changed by path.

The values that a setting may take are part of its declaration, `Annotated[type, rule]`; every setting is checked when
its section is made, however that happens: by Python, by JSON, by `section.field=value`.
"""

import dataclasses
import difflib
import functools
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from keras_dhnn.errors import SettingError, check_each_once, invalid


@dataclass(frozen=True)
class Within:
    """Allow finite numbers from `low` to `high`; `above` and `below` are bounds that are themselves not allowed."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    multiple_of: int = 1

    def allows(self, value: float) -> bool:
        """Return whether a number is within the bounds."""
        inside = self.low <= value <= self.high and self.above < value < self.below and math.isfinite(value)
        return inside and (self.multiple_of == 1 or value % self.multiple_of == 0)

    def __str__(self) -> str:
        """Return the rule in words, e.g. "at least 0, below 1"."""
        words = [] if self.multiple_of == 1 else [f"a multiple of {self.multiple_of}"]
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        return ", ".join([*words, *(f"{word} {bound}" for word, bound in bounds if math.isfinite(bound))])


@dataclass(frozen=True)
class OneOf:
    """Allow some values only."""

    values: tuple

    def allows(self, value: Any) -> bool:
        """Return whether it is one of the values."""
        return value in self.values

    def __str__(self) -> str:
        """Return the values in words, e.g. "l1 or l2"."""
        *others, last = map(str, self.values)
        return f"{', '.join(others)} or {last}"


@dataclass(frozen=True)
class Text:
    """Allow texts that are not empty; if `pattern`, only those that are a regular expression."""

    pattern: bool = False

    def allows(self, value: str) -> bool:
        """Return whether the text may stand."""
        try:
            return bool(value.strip()) and (not self.pattern or bool(re.compile(value)))
        except re.error:
            return False

    def __str__(self) -> str:
        """Return the rule in words."""
        return "a regular expression" if self.pattern else "a text that is not empty"


SHARE = Within(low=0, below=1)
WEIGHT = Within(low=0)
RATE = Within(above=0)
BITS = Within(low=8, high=4096, multiple_of=8)
# What `losses.objectives` has.
OBJECTIVES = ("likelihood", "contrastive", "triplet", "central", "angular")
# Those that go by which pairs are similar, and may pair a batch with a bank; the others go by its labels.
OF_PAIRS = ("likelihood", "contrastive")
# Backbones whose ImageNet weights pip brings, and what stands between the names of several side by side.
PRETRAINED, BESIDE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"), "+"


class Section:
    """Check each of a group of settings when it is made."""

    def __post_init__(self) -> None:
        """Check every setting against its declaration.

        Raises:
            SettingError: for the first value that is not allowed, by its name.
        """
        section = type(self).__name__.lower()
        for name, kind in typing.get_type_hints(type(self), include_extras=True).items():
            value = _checked(f"{section}.{name}", getattr(self, name), kind)
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Data(Section):
    """Choose which items are seen, and who searches among whom.

    Attributes:
        name: folder of the prepared data set, below the data folder.
        protocol: "paper" (queries at random among all rotated images), "grouped" (by original image) or "standard" (as
            grouped, but only images as they are stored search and are searched; their turns are trained on).
        queries: how many items are queries; below 1, the share of them. But for "paper" it is the share of each class,
            and a number stands for the share that it is of all, rounded in each class; where images have several labels
            it is the share of all images, and nearly of each label. None is the protocol's own:
            1,000 in 8,400 for "paper", else 0.2.
        split: file of names that says which images are queries, such as a published list, see `pipelines.split_file`;
            protocol is then "standard", and `queries` has no effect; "published" is the split that came with the
            archive.
        labels: table of the images' labels instead of those prepared, see `pipelines.label_file`; where it has none for
            an image, what is similar is inferred.
        validation: share of the database held out while training to choose the best epoch; 0, or labels that are
            missing, hold nothing out and keep the last epoch.
        turns: quarter turns that each stored image is seen in, 1 or 4.
        image_size: height and width in pixels that the network takes; 0 leaves images as they are stored. Of several
            sources each may have its own, `{"pan": 256, "mul": 64}`, on the command line pan=256,mul=64; so may
            backbones, their weights, and cuts.
        groups: file of images that must stay on one side of the split, such as near-duplicates, written by
            `keras-dhnn audit DATA --write-groups FILE`, but for "paper"; none keeps only turns of one image together.
        group_pattern: regular expression by which names tell what must stay on one side of the split, such as
            "scene[0-9]+" for tiles of one scene: see `pipelines.name_groups`. With `groups` too, what either keeps
            together stays together.
    """

    name: Annotated[str, Text()] = "ucmd"
    protocol: Annotated[str, OneOf(("paper", "grouped", "standard"))] = "paper"
    queries: Annotated[float | None, Within(above=0)] = None
    split: Annotated[str | None, Text()] = None
    labels: Annotated[str | None, Text()] = None
    validation: Annotated[float, SHARE] = 0.1
    turns: Annotated[int, OneOf((1, 4))] = 4
    image_size: Annotated[int | Mapping[str, int], Within(low=0, high=8192)] = 224
    groups: Annotated[str | None, Text()] = None
    group_pattern: Annotated[str | None, Text(pattern=True)] = None


@dataclass(frozen=True)
class Augmentation(Section):
    """Choose random changes to training images; used only where images, not cached features, are trained on.

    Attributes:
        flips: mirror left-right at random.
        angles: largest rotation in degrees, either way; 0 is off.
        colour: strength of brightness, contrast and saturation changes, 0 (off) to 1.
        crop: largest share of the side that is cut away; 0 is off.
    """

    flips: bool = False
    angles: Annotated[float, Within(low=0, high=180)] = 0.0
    colour: Annotated[float, Within(low=0, high=1)] = 0.0
    crop: Annotated[float, SHARE] = 0.0


@dataclass(frozen=True)
class Model(Section):
    """Choose the network.

    Attributes:
        backbone: `keras-dhnn fit --help` lists the names; several side by side with "+" between, whose `cut` can then
            be "features" or "images".
        weights: "auto" (ImageNet's where pip has brought them, else random), "imagenet", "none", or a file's path.
        bits: length l of the hash code, a multiple of 8.
        hidden: units of the ReLU layer between features and hash layer; 0 leaves it out.
        dropout: share of the hidden units dropped while training.
        weight_decay: weight of half the sum of the head's squared kernels in the loss.
        start: of the hash layer: "random", "centres", where each class has a code of its own from the first step, see
            `training.guided_start`, or "auto": centres where there are fewer bits than classes.
        band_statistics: whether each band's mean and standard deviation over the image are added to the features, of
            which ImageNet's network sees red, green, blue and, of four, near infrared; `cut` can then be "features" or
            "images".
        query_turns: quarter turns in which a query is seen, 1 or 4: its hash outputs are the mean over them. What is
            searched is seen as it lies. Scores of the protocol "paper" are by one turn, since there the others are in
            the database.
    """

    backbone: Annotated[str | Mapping[str, str], Text()] = "efficientnet_lite0"
    weights: Annotated[str | Mapping[str, str], Text()] = "auto"
    bits: Annotated[int, BITS] = 64
    hidden: Annotated[int, Within(low=0, high=65536)] = 512
    dropout: Annotated[float, SHARE] = 0.0
    weight_decay: Annotated[float, WEIGHT] = 0.0
    start: Annotated[str, OneOf(("random", "centres", "auto"))] = "random"
    band_statistics: bool = False
    query_turns: Annotated[int, OneOf((1, 4))] = 1


@dataclass(frozen=True)
class Loss(Section):
    """Choose the objective (MATH: DHNN eqs. 2 to 5, corrected, in means).

    Attributes:
        objective: of the pairs "likelihood" or "contrastive" (DSH, whose own settings are eta = 0.02 * bits and
            quantization = "l1"); of triplets "triplet"; of fixed codes of the classes "central" (CSQ) or "angular"
            (OrthoHash). Only the first has a penalty; of two sources it is the only one.
        margin: of the objective; None is its own: 2 * bits of "contrastive", 1 of "triplet", 0.2 of "angular".
        classification: weight of a classifier's loss on the hash outputs (DHCNN); not of two sources.
        similarity_factor: s of the weighted sigmoid; the pairwise likelihood divides by P = s * bits.
        penalty: a fixed P instead (1: DHN, 2: DPSH).
        eta: weight of the quantisation loss. A paper's eta_paper is for sums: see `losses.quantization.eta_in_means`.
        quantization: "l1" (DHNNs-L1) or "l2" (DHNNs-L2).
        pairs: "batch" (all pairs of the batch) or "memory" (batch against the latest features of all items).
        pair_weighting: "mean", or "balanced" (half the weight to similar pairs, half to dissimilar ones).
        alpha: of SIDHCNN (two sources), weight of the pairs within each source, IASC.
        beta: of SIDHCNN, weight of the quantisation loss, BQC; eta is not used there.
        gamma: of SIDHCNN, weight of the balance of bits, FDC. In means: the paper's is for sums, where
            beta = beta_paper * bits / V items and gamma = gamma_paper * bits.
    """

    objective: Annotated[str, OneOf(OBJECTIVES)] = "likelihood"
    margin: Annotated[float | None, WEIGHT] = None
    classification: Annotated[float, WEIGHT] = 0.0
    similarity_factor: Annotated[float, Within(above=0)] = 0.5
    penalty: Annotated[float | None, Within(above=0)] = None
    eta: Annotated[float, WEIGHT] = 0.1
    quantization: Annotated[str, OneOf(("l1", "l2"))] = "l2"
    pairs: Annotated[str, OneOf(("batch", "memory"))] = "batch"
    pair_weighting: Annotated[str, OneOf(("mean", "balanced"))] = "mean"
    alpha: Annotated[float, WEIGHT] = 1.0
    beta: Annotated[float, WEIGHT] = 0.1
    gamma: Annotated[float, WEIGHT] = 0.0


@dataclass(frozen=True)
class Phase(Section):
    """Choose one stretch of training, of everything above a cut through the network.

    What lies below the cut is frozen and computed once per image; its outputs are cached.

    Attributes:
        cut: layer group of the backbone below which nothing is trained: "features" (only the hash head is
            trained), a stage of the backbone (listed by the error message of a wrong name), or "images" (all of it).
        epochs: passes over the training items; 0 leaves the phase out.
        learning_rate: of the hash head, at its peak; cosine decay to zero.
        backbone_learning_rate: of the backbone's layers above the cut.
    """

    cut: Annotated[str | Mapping[str, str], Text()] = "features"
    epochs: Annotated[int, Within(low=0)] = 0
    learning_rate: Annotated[float, RATE] = 1e-3
    backbone_learning_rate: Annotated[float, RATE] = 1e-4


@dataclass(frozen=True)
class Training(Section):
    """Choose how the two phases run.

    Attributes:
        batch_size: items a step.
        optimizer: "adam" or "sgd" (momentum 0.9).
        patience: stop a phase after so many epochs without a better validation mAP; 0 never stops early.
        validate_every: epochs between two validations.
        update: of SIDHCNN: "joint" (both networks at once, pairs of the batch) or "alternating" (Algorithm 1: an epoch
            updates one network after the other against the latest features of all items).
        precision: "float32", or "bfloat16": while training, the network computes in it, above float32 weights; the
            hash layer and the loss stay float32, and so does the network that training leaves.
    """

    batch_size: Annotated[int, Within(low=2, high=1 << 20)] = 128
    optimizer: Annotated[str, OneOf(("adam", "sgd"))] = "adam"
    patience: Annotated[int, Within(low=0)] = 0
    validate_every: Annotated[int, Within(low=1)] = 1
    update: Annotated[str, OneOf(("joint", "alternating"))] = "joint"
    precision: Annotated[str, OneOf(("float32", "bfloat16"))] = "float32"


@dataclass(frozen=True)
class Experiment:
    """Hold everything that decides a run's result, given the prepared data set."""

    data: Data = field(default_factory=Data)
    augmentation: Augmentation = field(default_factory=Augmentation)
    model: Model = field(default_factory=Model)
    loss: Loss = field(default_factory=Loss)
    head: Phase = field(default_factory=lambda: Phase(epochs=60))
    fine_tune: Phase = field(default_factory=lambda: Phase(cut="images"))
    training: Training = field(default_factory=Training)
    seed: Annotated[int, Within(low=0, below=1 << 31)] = 0

    def __post_init__(self) -> None:
        """Check the seed; the sections have checked themselves."""
        object.__setattr__(self, "seed", _checked("seed", self.seed, _declarations()["seed"]))

    def to_json(self) -> str:
        """Return the experiment as JSON text; `from_json` is its inverse."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        """Read an experiment from JSON text; fields left out keep their defaults.

        Raises:
            SettingError: if the text is not JSON, names a field that does not exist, or has a value that is not
                allowed.
        """
        values = parse_object(text, "An experiment")
        changes = {}
        for section, content in values.items():
            for name, value in content.items() if isinstance(content, dict) else [(None, content)]:
                path = section if name is None else f"{section}.{name}"
                changes[path] = _of_version_0_1(value) if path in _per_source() else value
        return cls().replace(changes)

    @staticmethod
    def rule_of(path: str) -> Within | OneOf | Text | None:
        """Return what the values of a setting obey beside their type.

        Args:
            path: "section.field".
        """
        return _kinds(_declarations()[path])[1]

    @property
    def settings(self) -> dict[str, Any]:
        """Return the value of every setting by its path, section.field."""
        flat = {}
        for path in _declarations():
            section, dot, name = path.partition(".")
            flat[path] = getattr(getattr(self, section), name) if dot else getattr(self, section)
        return flat

    def replace(self, settings: Mapping[str, Any]) -> "Experiment":
        """Return a copy with some settings changed.

        Args:
            settings: `{"section.field": value}`.

        Raises:
            SettingError: for an unknown setting (those that its name is like are proposed) or a value that is not
                allowed.
        """
        sections: dict[str, dict[str, Any]] = {}
        changed: dict[str, Any] = {}
        for path, value in settings.items():
            if path not in _declarations():
                raise SettingError(_unknown(path))
            section, dot, name = path.partition(".")
            # By its full name here, since two sections are phases and a phase does not know which it is.
            value = _checked(path, value, _declarations()[path])
            (sections.setdefault(section, {}) if dot else changed)[name or section] = value
        changed |= {name: dataclasses.replace(getattr(self, name), **values) for name, values in sections.items()}
        return dataclasses.replace(self, **changed)

    def override(self, *assignments: str) -> "Experiment":
        """Return a copy with some settings changed by text, as a command line has them.

        Args:
            *assignments: texts such as `"loss.eta=0.1"`, `"model.backbone=cnn_f"`, `"data.image_size=pan=256,mul=64"`
                or `"seed=3"`; values as in JSON, or bare words.

        Raises:
            SettingError: for an unknown setting (those that its name is like are proposed) or a value that is not
                allowed.
        """
        changes = {}
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            if not equals:
                raise SettingError(f"A setting is changed by section.field=value. Received: {assignment!r}")
            changes[path.strip()] = parse_setting(path.strip(), text)
        return self.replace(changes)


def is_pretrained(backbone: str) -> bool:
    """Return whether pip brings the ImageNet weights of a backbone, or of all that stand side by side."""
    return all(name in PRETRAINED for name in backbone.split(BESIDE))


def of_source(name: str, value: Any, source: str) -> Any:
    """Return what a setting says for one image source: a mapping has a value for each, another value is for every one.

    Args:
        name: of the setting, for the message.
        value: `{source: value}`, or the value for all.
        source: name of an image source.

    Raises:
        SettingError: if it names others only.
    """
    if not isinstance(value, Mapping):
        return value
    if source not in value:
        raise SettingError(
            invalid(f"setting `{name}`", f"a value for every source, and so for {source}: {source}=VALUE", value)
        )
    return value[source]


def parse_setting(path: str, text: str) -> Any:
    """Return the value that a text of the command line stands for; where a setting is a text, itself.

    Args:
        path: "section.field".
        text: as in JSON, a bare word, or of settings that each source may have for itself "pan=256,mul=64".
    """
    if path in _per_source() and (values := parse_sources(text)):
        return {source: parse_setting(path, value) for source, value in values.items()}
    kinds = _kinds(_declarations().get(path, Annotated[Any, None]))[0]
    if str in kinds:
        return None if type(None) in kinds and text.lower() in ("none", "null") else text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a plain ValueError of numbers with thousands of digits
        return {"none": None, "true": True, "false": False}.get(text.lower(), text)


def parse_object(text: str, what: str) -> dict[str, Any]:
    """Return the JSON object that a user wrote.

    Args:
        text: of the file.
        what: it is to be, for messages, such as "An experiment".

    Raises:
        SettingError: if it is no JSON, no object, nested beyond what Python follows, has numbers of thousands of
            digits, or a name twice.
    """
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: _each_once(pairs, what))
    except SettingError:
        raise
    except RecursionError as error:
        raise SettingError(f"{what} is a JSON object; this is nested deeper than can be read.") from error
    except ValueError as error:
        raise SettingError(f"{what} is a JSON object; this is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SettingError(f"{what} is a JSON object. Received: {type(value).__name__}")
    return value


def _each_once(pairs, what):
    """Return a dictionary of the pairs of a JSON object, of which `json` alone would take the last of a name."""
    names = [name for name, _ in pairs]
    check_each_once(f"{what[0].lower()}{what[1:]}'s names", names)
    return dict(pairs)


def parse_sources(text: str) -> dict[str, str] | None:
    """Return `{source: text}` of "pan=a,mul=b", or None of a text that does not begin with a source's name and "=".

    A comma divides where another name and "=" follow, so that values may hold both signs: write a path that itself
    begins like a name and "=" as ./NAME=...
    """
    parts = re.split(r"(?:^|,)\s*([A-Za-z_]\w*)=", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True)) if len(parts) > 1 and not parts[0] else None


def _of_version_0_1(value: Any) -> Any:
    """Return a per-source value as a mapping, which version 0.1 wrote as text: "pan=256,mul=64"."""
    values = parse_sources(value) if isinstance(value, str) else None
    return {name: int(text) if text.isdigit() else text for name, text in values.items()} if values else value


@functools.cache
def _declarations() -> dict[str, Any]:
    """Return `{"section.field": Annotated type}`."""
    found: dict[str, Any] = {}
    for name, kind in typing.get_type_hints(Experiment, include_extras=True).items():
        if dataclasses.is_dataclass(kind):
            inner = typing.get_type_hints(kind, include_extras=True)
            found |= {f"{name}.{field}": declared for field, declared in inner.items()}
        else:
            found[name] = kind
    return found


def _unknown(path: str) -> str:
    """Return the message about an unknown setting: those that its name is like, and where all are explained."""
    fields = {known: known.rpartition(".")[2] for known in _declarations()}
    fields_alike = difflib.get_close_matches(path.rpartition(".")[2], fields.values(), cutoff=0.75)
    alike = difflib.get_close_matches(path, fields, cutoff=0.7)
    alike += [known for known, field in fields.items() if field in fields_alike]
    section = [known for known in _declarations() if known.startswith(f"{path.partition('.')[0]}.")]
    if alike:
        hint = f"Did you mean {' or '.join(dict.fromkeys(alike))}?"
    else:
        hint = f"Expected {'one of ' if section else ''}{', '.join(section) or 'SECTION.FIELD, such as loss.eta'}."
    return f"Unknown setting {path!r}. {hint} All are explained by: python -m pydoc keras_dhnn.config"


@functools.cache
def _per_source() -> frozenset[str]:
    """Return the settings that each source may have for itself."""
    return frozenset(path for path, declared in _declarations().items() if Mapping in _kinds(declared)[0])


def _kinds(declared: Any) -> tuple[tuple, Any]:
    """Return the types of a declaration, a mapping's being `Mapping`, and the rule of its values or None."""
    kind, rule = (
        (declared.__origin__, declared.__metadata__[0]) if hasattr(declared, "__metadata__") else (declared, None)
    )
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    return tuple(typing.get_origin(one) or one for one in kinds), rule


def _checked(path: str, value: Any, declared: Any) -> Any:
    """Return a value as its setting's type; a whole number may stand for a float.

    Raises:
        SettingError: if it is of another type, or against the rule of its declaration.
    """
    kinds, rule = _kinds(declared)
    if Mapping in kinds and isinstance(value, Mapping) and value:
        kind = next(kind for kind in kinds if kind is not Mapping)
        one: Any = Annotated[kind, rule]
        return {str(source): _checked(path, part, one) for source, part in value.items()}
    if float in kinds and type(value) is int:
        value = float(value)
    if type(value) not in kinds or (value is not None and rule is not None and not rule.allows(value)):
        raise SettingError(invalid(f"setting `{path}`", _expected(kinds, rule), value))
    return value


# What the types of settings are called in messages.
_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "none",
    Mapping: "one for each source",
}


def _expected(kinds: tuple, rule: Any) -> str:
    """Return what may stand in a setting, in words."""
    words = " or ".join(_NAMES.get(kind, str(kind)) for kind in kinds)
    return words if rule is None else str(rule) if kinds == (str,) else f"{words}, {rule}"
