"""Tell which image sources a data set has, and who searches in whom."""

from collections.abc import Sequence
from typing import Any

from keras_dhnn.config import Data, of_source
from keras_dhnn.errors import SettingError

ARROW = "->"


def sources_of(info: Any) -> tuple[str, ...]:
    """Return names of a data set's sources, the one with the finest pixels first: panchromatic before multispectral.

    Args:
        info: `DatasetInfo`.

    Returns:
        Tuple of one or two names.

    Raises:
        SettingError: if there are more: networks for three sources do not exist here.
    """
    names = sorted(info.images, key=lambda name: (-info.images[name].height * info.images[name].width, name))
    if len(names) > 2:
        raise SettingError(f"Expected a data set of one or two image sources. {info.name} has {', '.join(names)}.")
    return tuple(names)


def tasks_of(sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs (source that searches, source that is searched): both directions across, then within each (or only
    that).

    Args:
        sources: names of the sources, one or two.
    """
    within = [(source, source) for source in sources]
    if len(sources) == 1:
        return within
    first, second = sources
    return [(first, second), (second, first), *within]


def main_tasks(sources: Sequence[str]) -> list[tuple[str, str]]:
    """Return the tasks that a network is judged by: across the sources, where there are two."""
    return tasks_of(sources)[:2]


def task_name(task: tuple[str, str]) -> str:
    """Return the name of a task, e.g. "pan->mul"."""
    return ARROW.join(task)


def image_sizes(data: Data, info: Any) -> dict[str, tuple[int, int]]:
    """Return `{source: (height, width)}` in pixels that the network takes.

    Args:
        data: the experiment's `Data`.
        info: `DatasetInfo`.
    """
    sizes = {}
    for source, spec in info.images.items():
        size = of_source("data.image_size", data.image_size, source)
        sizes[source] = (size, size) if size else (spec.height, spec.width)
    return sizes
