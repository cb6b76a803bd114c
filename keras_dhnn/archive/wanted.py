"""Say what is wanted of a search, whichever engine answers it."""

from collections.abc import Sequence
from typing import NamedTuple

DEFAULT_COLUMNS = ("label", "path", "time", "scene", "row", "col", "size", "crs", "bbox")


class Wanted(NamedTuple):
    """Describe what is wanted of every query.

    Attributes:
        k: at most so many items; None: all within the radius.
        radius: at most this distance; None: any.
        condition: SQL that an item must meet, or None.
        rank: "hamming", "asymmetric" or "features": what puts equal distances in order.
        rerank: so many of the best are put in order by it alone; 0: only equal distances are.
        columns: names of the archive's columns that the results have.
    """

    k: int | None
    radius: int | None
    condition: str | None
    rank: str
    rerank: int
    columns: Sequence[str]
