"""Content-based retrieval of remote-sensing images by deep hashing."""

import os
from pathlib import Path

from keras_dhnn._version import __version__

# TensorFlow reads these when it first needs memory. Where it does not use oneDNN, as on processors without VNNI, each
# tensor above 32 MiB would come from fresh pages, which takes up to half of the time. This allocator keeps what it has;
# results are the same, bit for bit (docs/encoding.md). Its limit is no more than the machine has.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault(
    "TF_CPU_BFC_MEM_LIMIT_IN_MB", str(max(1 << 16, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20))
)

# In a checkout `pipelines/`, `tuning/` and `saved_models/` stand beside this package, not inside it. A checkout
# on sys.path shadows an installed copy, so it must find them there; in a wheel they are real subpackages.
_CHECKOUT = Path(__file__).resolve().parent.parent
if (_CHECKOUT / "setup.cfg").is_file() and (_CHECKOUT / "pipelines").is_dir():
    __path__.append(str(_CHECKOUT))

__all__ = ["__version__"]
