"""Write a synthetic archive: it appears whole or not at all, and takes no other's place."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.files import whole


@contextlib.contextmanager
def new_archive(path: Path) -> Iterator[Path]:
    """Give a place to write a file or a folder to, which becomes `path` when the block ends well; see `files.whole`.

    Raises:
        DataError: if `path` is there already, or cannot be written.
    """
    if path.exists():
        raise DataError(f"{path} exists. Expected a place to write a synthetic archive to. Remove it or name another.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as partial:
            yield partial
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}. Free space or name another place.") from error
