"""Content-based retrieval of remote-sensing images by deep hashing."""

from pathlib import Path

from keras_dhnn._version import __version__

# In a checkout `pipelines/`, `tuning/` and `saved_models/` stand beside this package, not inside it. A checkout
# on sys.path shadows an installed copy, so it must find them there; in a wheel they are real subpackages.
_CHECKOUT = Path(__file__).resolve().parent.parent
if (_CHECKOUT / "setup.cfg").is_file() and (_CHECKOUT / "pipelines").is_dir():
    __path__.append(str(_CHECKOUT))

__all__ = ["__version__"]
