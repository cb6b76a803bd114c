"""Declare search spaces: which settings are searched, and where."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_dhnn.config import Experiment, OneOf, Within, parse_object
from keras_dhnn.errors import SettingError, check_each_once
from keras_dhnn.tuning.names import setting

if TYPE_CHECKING:
    import keras_tuner as kt


@dataclass(frozen=True)
class Range:
    """Allow numbers from `low` to `high`, even on a logarithmic scale if `log`.

    If `step` is given, they are `low` and what comes of adding it, or on a logarithmic scale of multiplying by it.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Choice:
    """Allow some values."""

    values: tuple


# What is searched where only the name of a setting is given.
RANGES: dict[str, Range | Choice] = {
    "loss.similarity_factor": Range(0.1, 2.0, log=True),
    "loss.eta": Range(0.003, 3.0, log=True),
    **{f"loss.{name}": Range(0.01, 10.0, log=True) for name in ("alpha", "beta", "gamma")},
    "loss.pair_weighting": Choice(("mean", "balanced")),
    "loss.penalty": Choice((None, 1.0, 2.0)),
    "loss.quantization": Choice(("l1", "l2")),
    "model.bits": Choice((16, 32, 64, 96, 128)),
    "model.hidden": Choice((0, 256, 512, 1024)),
    "model.dropout": Range(0.0, 0.5),
    "model.weight_decay": Range(1e-6, 1e-2, log=True),
    "training.batch_size": Choice((32, 64, 128, 256)),
    "head.learning_rate": Range(1e-4, 1e-2, log=True),
    "fine_tune.learning_rate": Range(1e-5, 1e-2, log=True),
    "fine_tune.backbone_learning_rate": Range(1e-6, 1e-3, log=True),
    "fine_tune.cut": Choice(("stage6", "stage5", "stage4")),
}


class Space:
    """Declare the settings that are searched.

    Args:
        parts: `{setting: Range or Choice}`.
        base: the `Experiment` that is varied.

    Raises:
        SettingError: if there is none, a bound, a step or a value is not allowed for its setting, or trials would be
            scored by items of their own.
    """

    def __init__(self, parts: Mapping[str, Range | Choice], base: Experiment) -> None:
        if not parts:
            raise SettingError("A search space has one setting or more. Received: none")
        _check_comparable(parts)
        self.base = base
        self.parts = {path: _checked(path, part, base) for path, part in parts.items()}

    @classmethod
    def of(cls, names: Iterable[str], base: Experiment) -> "Space":
        """Return the space of some settings by their names, in the ranges of this module.

        Raises:
            SettingError: if a setting is not known, or has no range here.
        """
        paths = [setting(name) for name in names]
        for path in paths:
            if path not in RANGES:
                settings = Experiment().settings
                known = ", ".join(path for path in RANGES if path in settings)
                raise SettingError(f"{path} has no range of its own: give one by --space. These have: {known}")
        return cls({path: RANGES[path] for path in paths}, base)

    @classmethod
    def from_json(cls, text: str, base: Experiment) -> "Space":
        """Return a space from JSON: an object of names, each with a list of values or `{"min", "max", "log", "step"}`.

        Raises:
            SettingError: if it is something else, or names a setting twice.
        """
        content = parse_object(text, "A search space")
        check_each_once("a search space's settings", [setting(name) for name in content])
        return cls({setting(name): _part(name, value) for name, value in content.items()}, base)

    def to_json(self) -> dict[str, Any]:
        """Return the space as a dictionary; `from_json` of its text is the inverse."""
        content: dict[str, Any] = {}
        for path, part in self.parts.items():
            if isinstance(part, Choice):
                content[path] = list(part.values)
            else:
                content[path] = {"min": part.low, "max": part.high, "log": part.log, "step": part.step}
        return content

    def experiment(self, hyperparameters: "kt.HyperParameters") -> Experiment:
        """Return the experiment of a trial, and declare the settings that are searched.

        Args:
            hyperparameters: `keras_tuner.HyperParameters`.
        """
        return self.base.replace({path: self._value(hyperparameters, path) for path in self.parts})

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return `{setting: value}` of a trial's `HyperParameters.values`, in the order of the space."""
        return {path: self._choices(path).get(values[path], values[path]) for path in self.parts if path in values}

    def _value(self, hyperparameters, path):
        part, choices = self.parts[path], self._choices(path)
        if isinstance(part, Choice):
            return choices[hyperparameters.Choice(path, list(choices))]
        number = hyperparameters.Int if isinstance(part.low, int) else hyperparameters.Float
        return number(path, part.low, part.high, step=part.step, sampling="log" if part.log else "linear")

    def _choices(self, path):
        """Return `{what KerasTuner takes for it: value}`: numbers of one kind have an order, all else goes by its
        text.
        """
        values = getattr(self.parts[path], "values", ())
        if values and all(type(value) is type(values[0]) and type(value) in (int, float) for value in values):
            return {value: value for value in values}
        return {_text(value): value for value in values}


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)


def _check_comparable(paths):
    """Refuse settings that change which items validate: a search would pick the split on which it is easiest."""
    found = [path for path in paths if path == "seed" or (path.startswith("data.") and path != "data.image_size")]
    if found:
        over = " ".join(f"--over {path}=..." for path in found)
        raise SettingError(
            f"A search ranks its trials by the same items held out, and {', '.join(found)} would change which. Leave "
            f"that out of the space, or measure each value by itself: keras-dhnn grid NAME {over}"
        )


def _checked(path, part, base):
    """Return the part with values of the setting's type."""
    values = part.values if isinstance(part, Choice) else (part.low, part.high)
    values = tuple(base.replace({path: value}).settings[path] for value in values)
    if isinstance(part, Choice):
        check_each_once(f"the space of {path}", values)
        if not values:
            raise SettingError(f"The space of {path} has no value. Give it one or more.")
        return Choice(values)
    if isinstance(rule := base.rule_of(path), OneOf):
        raise SettingError(f"{path} is {rule}, without numbers between. Give a list: {list(rule.values)}")
    low, high = values
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if not numbers or not low < high or (part.log and low <= 0):
        above = ", above 0 for a logarithmic scale" if part.log else ""
        raise SettingError(f"The space of {path} is numbers, min < max{above}. Received: min={low!r}, max={high!r}")
    return Range(low, high, part.log, _checked_step(path, part, type(low), rule))


def _checked_step(path, part, kind, rule):
    """Return the step of a range between numbers of a type, int or float; of multiples, one that stays among them."""
    step, least = part.step, 1 if part.log else 0
    multiple = rule.multiple_of if isinstance(rule, Within) else 1
    if step is None:
        return None if multiple == 1 else 2 if part.log else multiple
    whole = isinstance(step, (int, float)) and not isinstance(step, bool) and (kind is float or step % 1 == 0)
    if not whole or not least < step < math.inf:
        expected = f"a {'whole ' if kind is int else ''}number above {least}"
        scale = ", by which numbers are multiplied on a logarithmic scale" if part.log else ""
        raise SettingError(f"The step of {path} is {expected}{scale}. Received: step={step!r}")
    if step % multiple and not part.log:
        raise SettingError(
            f"The step of {path} is a multiple of {multiple}, as its values are. Received: step={step!r}"
        )
    return kind(step)


def _part(name, value):
    if isinstance(value, list):
        return Choice(tuple(value))
    if isinstance(value, dict) and {"min", "max"} <= set(value) <= {"min", "max", "log", "step"}:
        return Range(value["min"], value["max"], bool(value.get("log", False)), value.get("step"))
    raise SettingError(
        f'The space of {name!r} is a list of values or {{"min": ..., "max": ..., "log": true}}, with "step" if the '
        f"numbers between are not all wanted. Received: {json.dumps(value)}"
    )
