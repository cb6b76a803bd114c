"""The settings of an experiment: frozen dataclasses, to and from JSON, changed by `section.field=value`."""

import dataclasses
import functools
import json
import types
import typing
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Data:
    """Which items are seen, and who searches among whom.

    Attributes:
        name: folder of the prepared data set, below the data folder.
        protocol: "paper" (queries at random among all rotated images) or "grouped" (by original image).
        queries: how many items are queries; below 1, the share of them. For "grouped" it is the share of each class,
            and a number stands for the share that it is of all, rounded in each class. None is the protocol's own:
            1,000 in 8,400 for "paper", 0.2 for "grouped".
        validation: share of the database held out while training to choose the best epoch.
        turns: quarter turns that each stored image is seen in, 1 or 4.
        image_size: height and width in pixels that the network takes; 0 leaves images as they are stored. Of several
            sources each has its own by "pan=256,mul=64"; so do backbones, their weights, and cuts.
        groups: file of images that must stay on one side of a "grouped" split, such as near-duplicates, written by
            `keras-dhnn audit DATA --write-groups FILE`; none keeps only the turns of one image together.
        group_pattern: regular expression by which names tell what must stay on one side of a "grouped" split, such as
            "scene[0-9]+" for tiles of one scene: see `pipelines.name_groups`. With `groups` too, what either keeps
            together stays together.
    """

    name: str = "ucmd"
    protocol: str = "paper"
    queries: float | None = None
    validation: float = 0.1
    turns: int = 4
    image_size: int | str = 224
    groups: str | None = None
    group_pattern: str | None = None


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images; used only where images, not cached features, are trained on.

    Attributes:
        flips: mirror left-right at random.
        angles: largest rotation in degrees, either way; 0 is off.
        colour: strength of brightness, contrast and saturation changes, 0 (off) to 1.
        crop: largest share of the side that is cut away; 0 is off.
    """

    flips: bool = False
    angles: float = 0.0
    colour: float = 0.0
    crop: float = 0.0


@dataclass(frozen=True)
class Model:
    """The network.

    Attributes:
        backbone: `keras-dhnn fit --help` lists the names.
        weights: "auto" (ImageNet's where pip has brought them, else random), "imagenet", "none", or a file's path.
        bits: length l of the hash code, a multiple of 8.
        hidden: units of the ReLU layer between features and hash layer; 0 leaves it out.
        dropout: share of the hidden units dropped while training.
        weight_decay: weight of half the sum of the head's squared kernels in the loss.
        band_statistics: whether each band's mean and standard deviation over the image are added to the features, of
            which ImageNet's network sees red, green, blue and, of four, near infrared; `cut` can then be "features" or
            "images".
    """

    backbone: str = "efficientnet_lite0"
    weights: str = "auto"
    bits: int = 64
    hidden: int = 512
    dropout: float = 0.0
    weight_decay: float = 0.0
    band_statistics: bool = False


@dataclass(frozen=True)
class Loss:
    """The objective (MATH: DHNN eqs. 2 to 5, corrected, in means).

    Attributes:
        objective: of the pairs: "likelihood", or "contrastive" (the baseline DSH, whose own settings are eta = 0.02 *
            bits and quantization = "l1"; it has no penalty).
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

    objective: str = "likelihood"
    similarity_factor: float = 0.5
    penalty: float | None = None
    eta: float = 0.1
    quantization: str = "l2"
    pairs: str = "batch"
    pair_weighting: str = "mean"
    alpha: float = 1.0
    beta: float = 0.1
    gamma: float = 0.0


@dataclass(frozen=True)
class Phase:
    """One stretch of training, of everything above a cut through the network.

    What lies below the cut is frozen and computed once per image; its outputs are cached.

    Attributes:
        cut: layer group of the backbone below which nothing is trained: "features" (only the hash head is
            trained), a stage of the backbone (listed by the error message of a wrong name), or "images" (all of it).
        epochs: passes over the training items; 0 leaves the phase out.
        learning_rate: of the hash head, at its peak; cosine decay to zero.
        backbone_learning_rate: of the backbone's layers above the cut.
    """

    cut: str = "features"
    epochs: int = 0
    learning_rate: float = 1e-3
    backbone_learning_rate: float = 1e-4


@dataclass(frozen=True)
class Training:
    """How the two phases run.

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

    batch_size: int = 128
    optimizer: str = "adam"
    patience: int = 0
    validate_every: int = 1
    update: str = "joint"
    precision: str = "float32"


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's result, given the prepared data set."""

    data: Data = field(default_factory=Data)
    augmentation: Augmentation = field(default_factory=Augmentation)
    model: Model = field(default_factory=Model)
    loss: Loss = field(default_factory=Loss)
    head: Phase = field(default_factory=lambda: Phase(epochs=60))
    fine_tune: Phase = field(default_factory=lambda: Phase(cut="images"))
    training: Training = field(default_factory=Training)
    seed: int = 0

    def to_json(self):
        """The experiment as JSON text; `from_json` is its inverse."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """An experiment from JSON text; fields left out keep their defaults.

        Raises:
            ValueError: if the text is not JSON, or names a field that does not exist.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"An experiment is a JSON object; this is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"An experiment is a JSON object with sections. Received: {type(values).__name__}")
        changes = {}
        for section, content in values.items():
            for name, value in content.items() if isinstance(content, dict) else [(None, content)]:
                changes[section if name is None else f"{section}.{name}"] = value
        return cls().replace(changes)

    @property
    def settings(self):
        """All settings, `{"section.field": value}`."""
        flat = {}
        for path in _field_types():
            section, dot, name = path.partition(".")
            flat[path] = getattr(getattr(self, section), name) if dot else getattr(self, section)
        return flat

    def replace(self, settings):
        """A copy with some settings changed.

        Args:
            settings: `{"section.field": value}`.

        Raises:
            ValueError: for an unknown setting (the valid ones are listed) or a value of the wrong type.
        """
        experiment = self
        for path, value in settings.items():
            experiment = experiment._with(path, value)
        return experiment

    def override(self, *assignments):
        """A copy with some fields changed.

        Args:
            *assignments: texts such as `"loss.eta=0.1"`, `"model.backbone=cnn_f"` or `"seed=3"`; values as in JSON, or
                bare words.

        Raises:
            ValueError: for an unknown field (the valid ones are listed) or a value of the wrong type.
        """
        experiment = self
        for assignment in assignments:
            path, equals, text = assignment.partition("=")
            if not equals:
                raise ValueError(f"A setting is changed by section.field=value. Received: {assignment!r}")
            experiment = experiment._with(path.strip(), _parsed(text, _field_types().get(path.strip())))
        return experiment

    def _with(self, path, value):
        section_name, dot, name = path.partition(".")
        fields = _field_types()
        if path not in fields:
            raise ValueError(f"Unknown setting {path!r}. The settings are: {', '.join(fields)}")
        value = _checked(path, value, fields[path])
        if not dot:
            return dataclasses.replace(self, **{path: value})
        section = dataclasses.replace(getattr(self, section_name), **{name: value})
        return dataclasses.replace(self, **{section_name: section})


def of_source(name, value, source):
    """What a setting says for one image source: "pan=256,mul=64" is 256 for pan; a plain value is for every source.

    Args:
        name: of the setting, for the message.
        value: text, or anything else, which is for every source.
        source: name of an image source.

    Raises:
        ValueError: if it names others only.
    """
    if not isinstance(value, str) or "=" not in value:
        return value
    parts = dict(part.strip().split("=", 1) for part in value.split(",") if "=" in part)
    if source not in parts:
        raise ValueError(
            f"Invalid value received for setting `{name}`. Expected a value for every source, and so for {source}: "
            f"{source}=VALUE. Received: {value!r}"
        )
    return int(parts[source]) if parts[source].isdigit() else parts[source]


@functools.cache
def _field_types():
    """`{"section.field": type}`."""
    types_ = {}
    for name, kind in typing.get_type_hints(Experiment).items():
        inner = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
        types_ |= {f"{name}.{field}": type_ for field, type_ in inner.items()} or {name: kind}
    return types_


def _parsed(text, kind):
    """The value that a text stands for; where a setting is a text, itself, though it may look like a number."""
    optional = set(typing.get_args(kind)) == {str, type(None)} and text.lower() not in ("none", "null")
    if kind is str or optional:
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"none": None, "true": True, "false": False}.get(text.lower(), text)


def _checked(path, value, kind):
    """`value` as the field's type; a whole number may stand for a float, and "none" only where None may."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    for candidate in kinds:
        if candidate is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is candidate:
            return value
    expected = " or ".join("none" if candidate is type(None) else candidate.__name__ for candidate in kinds)
    raise ValueError(f"Invalid value received for setting `{path}`. Expected {expected}. Received: {value!r}")
