"""Read what stands behind the question mark of a URL: filters and pages."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import QueryParams

from keras_dhnn.browse.refusal import Refusal

PAGE, MOST_ITEMS = 60, 500
_LONGEST = 4000
_MOST_VALUES = 500


@dataclass(frozen=True)
class Filters:
    """Describe which items are looked at; an empty one is all.

    Attributes:
        labels: any of these; None among them stands for items without a label.
        scenes: any of these.
        since: ISO 8601: items of this time or later; or None.
        until: items before this time; or None.
        bbox: west, south, east, north in degrees, which a footprint must meet; or None.
        where: a condition of the user's, see `archive.where`; or None.
    """

    labels: tuple[str | None, ...] = ()
    scenes: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    bbox: tuple[float, ...] | None = None
    where: str | None = None

    @classmethod
    def of(cls, query: QueryParams) -> "Filters":
        """Return the filters of a request.

        Raises:
            Refusal: if a value is longer than any that is meant, or no box.
        """
        return cls(
            tuple(text or None for text in texts(query, "label")),
            tuple(texts(query, "scene")),
            text(query, "since"),
            text(query, "until"),
            _box(text(query, "bbox")),
            text(query, "where"),
        )

    def without(self, *names: str) -> "Filters":
        """Return the same filters but those named."""
        none: dict[str, Any] = {name: Filters.__dataclass_fields__[name].default for name in names}
        return replace(self, **none)

    def conditions(self) -> dict[str, Any]:
        """Return the arguments `where`, `bbox` and `time` of `Archive.search` and `Archive.condition`."""
        parts = [] if self.where is None else [f"({self.where})"]
        parts += _one_of("label", self.labels) + _one_of("scene", self.scenes)
        time = (self.since, self.until) if self.since or self.until else None
        return {"where": " AND ".join(parts) or None, "bbox": self.bbox, "time": time}


def paging(query: QueryParams) -> tuple[int, int]:
    """Return `(offset, limit)` of a request.

    Raises:
        Refusal: if they are no numbers, or too large.
    """
    return number(query, "offset", 0, 0, 1 << 40), number(query, "limit", PAGE, 0, MOST_ITEMS)


def text(query: QueryParams, name: str) -> str | None:
    """Return a parameter, None if it is not there or empty."""
    found = texts(query, name)
    return (found[-1] or None) if found else None


def texts(query: QueryParams, name: str) -> list[str]:
    """Return all values of a parameter.

    Raises:
        Refusal: if there are more, or longer ones, than any that are meant.
    """
    found = query.getlist(name)
    if len(found) > _MOST_VALUES or any(len(value) > _LONGEST for value in found):
        raise Refusal(400, "setting", f"Expected at most {_MOST_VALUES} values of {name!r} of {_LONGEST} signs.")
    return found


def number(query: QueryParams, name: str, default: Any, least: int, most: int) -> Any:
    """Return a whole number, `default` if it is not there.

    Raises:
        Refusal: if it is none, or not within the bounds.
    """
    given = text(query, name)
    if given is None:
        return default
    if not given.isascii() or not given.isdecimal() or len(given) > 15 or not least <= int(given) <= most:
        raise Refusal(400, "setting", f"Expected {name!r} as a whole number from {least} to {most}. Received: {given}")
    return int(given)


def share(query: QueryParams, name: str) -> float:
    """Return a number from 0 to 1, 0 if it is not there.

    Raises:
        Refusal: if it is none.
    """
    given = text(query, name) or "0"
    if not re.fullmatch(r"0?\.\d{1,9}|[01](\.0{0,9})?", given, re.ASCII):
        raise Refusal(400, "setting", f"Expected {name!r} as a number from 0 to 1. Received: {given[:80]!r}")
    return float(given)


def choice(query: QueryParams, name: str, choices: Sequence[str]) -> str:
    """Return one of several texts, the first if the parameter is not there.

    Raises:
        Refusal: if it is another.
    """
    given = text(query, name) or choices[0]
    if given not in choices:
        raise Refusal(400, "setting", f"Expected {name!r} as one of {', '.join(choices)}. Received: {given!r}")
    return given


def _box(given):
    if given is None:
        return None
    try:
        box = tuple(float(part) for part in given.split(","))
    except ValueError:
        box = ()
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise Refusal(400, "setting", f"Expected 'bbox' as west,south,east,north in degrees. Received: {given!r}")
    return box


def _one_of(column, values):
    if not values:
        return []
    quoted = ["'" + value.replace("'", "''") + "'" for value in values if value is not None]
    parts = [f"{column} IN ({', '.join(quoted)})"] if quoted else []
    parts += [f"{column} IS NULL"] if None in values else []
    return [f"({' OR '.join(parts)})"]
