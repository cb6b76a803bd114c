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
        self._numbers: dict[str, list[int]] = {}
        for number, name in enumerate(ids):
            path = _path(str(name))
            for form in {str(path), str(path.with_suffix("")), path.name, path.stem}:
                self._numbers.setdefault(form, []).append(number)

    def find(self, name: str) -> int | None:
        """Return the number of the image that a name means, None if there is none.

        The longest end of the name that is an image's counts, so that `C:\\tiles\\forest\\forest00.tif` finds
        "forest/forest00.tif".

        Raises:
            DataError: if several images have the name.
        """
        parts = _path(name).parts
        for first in range(len(parts)):
            end = PurePosixPath(*parts[first:])
            for form in (str(end), str(end.with_suffix(""))):
                found = self._numbers.get(form, [])
                if len(found) > 1:
                    raise DataError(f"several images have the name {name!r}. Give it with its folder.")
                if found:
                    return found[0]
        return None

    @property
    def example(self) -> str:
        """Return one of the names, for messages."""
        return next(iter(self._numbers), "")


def _path(name: str) -> PurePosixPath:
    """Return a name as a path; one letter of many scripts can be written in two ways, and Windows has another slash."""
    return PurePosixPath(unicodedata.normalize("NFC", name.strip()).replace("\\", "/"))
