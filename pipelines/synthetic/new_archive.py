"""The file of a synthetic archive: it appears whole or not at all, and takes no other file's place."""

import contextlib
import os

from keras_dhnn.errors import DataError


@contextlib.contextmanager
def new_archive(path):
    """Gives a place to write to, which becomes `path` when the block ends; whatever stops it, nothing is left.

    Raises:
        DataError: if `path` is there already, or cannot be written.
    """
    if path.exists():
        raise DataError(f"{path} exists. Expected a place to write a synthetic archive to. Remove it or name another.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
        except BaseException:  # Ctrl-C as well
            partial.unlink(missing_ok=True)
            raise
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror or error}. Free space or name another place.") from error
