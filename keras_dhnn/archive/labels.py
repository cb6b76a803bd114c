"""Read what stands in an archive's column `label`: one label, or several with `|` between them."""

from collections.abc import Iterable, Sequence

import numpy as np

SEPARATOR = "|"


def split_labels(text: str | None) -> list[str]:
    """Return the labels of an item, each once, in their order."""
    return list(dict.fromkeys(part.strip() for part in (text or "").split(SEPARATOR) if part.strip()))


def join_labels(labels: Iterable[str] | None) -> str | None:
    """Return several labels as the column has them, None if there are none."""
    return SEPARATOR.join(labels or ()) or None


def membership(texts: Sequence[str | None]) -> np.ndarray:
    """Return which labels each item has: `(n, c)` bool, a column for each label in order of names."""
    parts = [split_labels(text) for text in texts]
    numbers = {name: number for number, name in enumerate(sorted({name for names in parts for name in names}))}
    members = np.zeros((len(texts), len(numbers)), bool)
    rows = np.repeat(np.arange(len(parts)), [len(names) for names in parts])
    members[rows, [numbers[name] for names in parts for name in names]] = True
    return members
