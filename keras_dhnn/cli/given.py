"""Refuse options where they have no effect, instead of ignoring them."""

import shlex
from collections.abc import Sequence
from typing import Any

from keras_dhnn.errors import SettingError

# Options of keras-dhnn itself, and whether a value follows.
_BEFORE = {"--device": True, "--trust-code": False}


def refuse_behind_verb(arguments: Sequence[str]) -> None:
    """Refuse an option that goes before the verb and stands behind it.

    Args:
        arguments: of the command line.

    Raises:
        SettingError: with the command as it is meant.
    """
    verb, number = False, 0
    while number < len(arguments) and arguments[number] != "--":
        name, equals, _ = arguments[number].partition("=")
        many = 2 if _BEFORE.get(name) and not equals else 1
        if verb and name in _BEFORE:
            moved = [*arguments[number : number + many], *arguments[:number], *arguments[number + many :]]
            raise SettingError(f"{name} goes before the verb: {shlex.join(['keras-dhnn', *moved])}")
        verb = verb or not name.startswith("-")
        number += many


def refuse_beside_resume(context: Any, *allowed: str) -> None:
    """Refuse what would have no effect on something that is continued.

    Args:
        context: the command's `typer.Context`.
        *allowed: names of parameters that have one, beside those of --data, --quiet and --json.

    Raises:
        SettingError: if others were given; it names them.
    """
    given = given_beside(context, "resume", *allowed)
    if given:
        raise SettingError(
            f"--resume continues what was asked for at the beginning. Leave out {', '.join(given)}, or start anew "
            "without --resume."
        )


def given_beside(context: Any, *allowed: str) -> list[str]:
    """Return what of the command line is neither `allowed`, names of parameters, nor --data, --quiet or --json; as
    written.
    """
    passed = {"data", "quiet", "as_json", *allowed}
    return [
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name).name == "COMMANDLINE" and parameter.name not in passed
    ]
