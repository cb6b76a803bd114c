"""Name what can go wrong by a user's doing. Every message says what was expected, what was received, and what to do.

The command line prints the message of these and exits with 2. Any other exception is ours to mend and keeps its
traceback.
"""

from collections.abc import Hashable, Iterable
from typing import Any


class KerasDhnnError(Exception):
    """Report something that the user can mend; the message says how."""


class DataError(KerasDhnnError):
    """Report a data set, archive or image that cannot be used as it is."""


class DamagedFile(DataError):
    """Report one file of an archive that is damaged or does not belong there; `--skip-damaged` leaves it out.

    Attributes:
        name: the file, relative to the archive.
        reason: what was expected there and what was found.
    """

    def __init__(self, name: str, reason: str, cure: str = ""):
        cure = cure or " Repair or remove it"
        super().__init__(f"{name}: {reason}.{cure}, or leave such files out with --skip-damaged.")
        self.name = name
        self.reason = reason
        self._cure = cure

    def __reduce__(self) -> tuple:
        """Return what makes it anew in another process, as that of a driver."""
        return type(self), (self.name, self.reason, self._cure)


class RunError(KerasDhnnError):
    """Report a run, an export or a search that is not there, not finished, damaged, or somebody else's at the
    moment.
    """


class SettingError(KerasDhnnError, ValueError):
    """Report a setting, an argument or a combination of them that is not allowed."""


class CollapseError(KerasDhnnError):
    """Report a training that ended with one code for all images, or without a finite loss."""


class MissingPackage(KerasDhnnError, ImportError):
    """Report an optional package that is not installed; the message names the `pip install` that brings it."""


def invalid(what: str, expected: str, /, *received: Any, **named: Any) -> str:
    """Return the message about a value that is not allowed.

    Args:
        what: the setting or argument, e.g. "setting `loss.eta`".
        expected: the values that are allowed, without a full stop.
        *received: the value, or several; their `repr` is shown.
        **named: what else was received, such as `shape=(3, 4)`, shown with its name.
    """
    shown = [*map(repr, received), *(f"{name}={value!r}" for name, value in named.items())]
    return f"Invalid value received for {what}. Expected {expected}. Received: {', '.join(shown) or 'none'}"


def check_each_once(what: str, values: Iterable[Any]) -> None:
    """Check that no value is given twice: it would be trained twice, and count for two.

    Args:
        what: the setting or argument.
        values: what was given; 1 and 1.0 are one value.

    Raises:
        SettingError: for the first that is.
    """
    seen: set[Any] = set()
    others: list[Any] = []  # such as a value for each source; of names a stranger's file may have very many
    for value in values:
        is_hashable = isinstance(value, Hashable)
        if value in (seen if is_hashable else others):
            raise SettingError(invalid(what, "no value twice", value))
        (seen.add if is_hashable else others.append)(value)
