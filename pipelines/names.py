"""Find images by the names that people write in lists: with or without folder and suffix, from any system."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from keras_dhnn.errors import DataError


class ImageNames:
    """Describe the names of a data set's images, and the forms in which lists have them.

    Args:
        ids: `(n,)` names, such as "forest/forest00.tif".
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._paths = [_path(str(name)) for name in ids]
        self._wholes = _by_form((number, path.relative_to(path.anchor)) for number, path in enumerate(self._paths))
        # By the number of parts of a name, made where it is asked for: `{end of a path: numbers}`.
        self._ends: dict[int, dict[str, list[int]]] = {}

    def find(self, name: str) -> int | None:
        """Return the number of the image that a name means, None if there is none.

        All of one has to be the end of the other: `C:\\tiles\\forest\\forest00.tif` finds "forest/forest00.tif", and
        `forest/forest00.tif` finds "/data/tiles/forest/forest00.tif"; but `beach/00.tif` does not find "forest/00.tif".
        The longest counts.

        Raises:
            DataError: if several images have the name.
        """
        parts = _path(name).parts
        for first in range(len(parts)):
            for form in _forms(PurePosixPath(*parts[first:])):
                # A whole path is clear, however many longer ones end with it.
                found = self._wholes.get(form, [])
                if first == 0:
                    found = found or self._with_end(len(parts)).get(form, [])
                elif found and first == len(parts) - 1:
                    # Of a name with folders, the file name alone is too little if it stands in several folders.
                    found = self._with_end(1)[form]
                if len(found) > 1:
                    raise DataError(f"several images have the name {name!r}. Give it with its folder.")
                if found:
                    return found[0]
        return None

    @property
    def example(self) -> str:
        """Return one of the names, for messages."""
        return str(self._paths[0]) if self._paths else ""

    def _with_end(self, count):
        """Return `{end: numbers}` of the last `count` parts of the paths that have so many, with and without suffix."""
        if count not in self._ends:
            longer = ((number, path) for number, path in enumerate(self._paths) if len(path.parts) >= count)
            self._ends[count] = _by_form((number, PurePosixPath(*path.parts[-count:])) for number, path in longer)
        return self._ends[count]


def _by_form(paths: Iterable[tuple[int, PurePosixPath]]) -> dict[str, list[int]]:
    """Return `{path with or without its suffix: numbers}`."""
    found: dict[str, list[int]] = {}
    for number, path in paths:
        for form in _forms(path):
            found.setdefault(form, []).append(number)
    return found


def _path(name: str) -> PurePosixPath:
    """Return a name as a path; one letter of many scripts can be written in two ways, and Windows has another slash."""
    return PurePosixPath(unicodedata.normalize("NFC", name.strip()).replace("\\", "/"))


def _forms(path: PurePosixPath) -> dict[str, None]:
    """Return a path with and without its suffix, each form once."""
    return dict.fromkeys((str(path), str(path.with_suffix("") if path.name else path)))
