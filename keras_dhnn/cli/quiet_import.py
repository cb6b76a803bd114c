"""Import TensorFlow without the notes that its newest versions write before any setting of theirs is heard."""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


def quieten_tensorflow() -> None:
    """Keep the first `import tensorflow` of this process from writing on standard error, unless it fails.

    TensorFlow's own notes on start-up say nothing to somebody who searches images. TF_CPP_MIN_LOG_LEVEL below 3 has
    them shown.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # `import tensorflow` reads package data by its loader.
        module.__loader__ = module.__spec__.loader = self._loader  # type: ignore[union-attr]
        with _standard_error_aside(), _without_collections():
            self._loader.exec_module(module)


@contextmanager
def _standard_error_aside() -> Iterator[None]:
    """Keep what this process writes to file descriptor 2, and write it there only if an exception ends the block."""
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(shown, aside.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep Python from searching for cycles among what is imported here, now and ever after: it stays to the end."""
    searches = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if searches:
            gc.enable()
