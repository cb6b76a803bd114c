"""Refuse links below a folder that somebody else may have made: they would lead writing and removing elsewhere."""

import os
from pathlib import Path

from keras_dhnn.errors import DataError


def refuse_links(root: Path, *places: Path, below: bool = True) -> None:
    """Refuse links on the way from a root to places in it, and in these.

    The root itself, and what is above it, may be a link: its user has named it.

    Args:
        root: a folder that is written to; it need not be there.
        places: below it, which need not be there; without any, the root itself.
        below: whether to look also at all that is in the places.

    Raises:
        DataError: naming the first link.
    """
    for place in places or (root,):
        way = root
        for part in place.relative_to(root).parts:
            way /= part
            _refuse(way)
        for folder, folders, files in os.walk(place) if below else ():
            for name in (*folders, *files):
                _refuse(Path(folder, name))


def _refuse(path):
    if path.is_symlink():
        raise DataError(
            f"{path} is a link, and leads elsewhere: nothing is written or removed there. Look where it comes from, "
            "and remove it by hand."
        )
