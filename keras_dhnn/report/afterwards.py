"""Make what comes after the results: each part that fails does so alone, and says so in one line."""

import contextlib
import logging
from collections.abc import Iterator

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(what: str, remedy: str) -> Iterator[None]:
    """Let whatever fails in the block fail alone: it is said in one line on stderr, and the caller goes on.

    Args:
        what: is made in the block, "The figure gallery".
        remedy: a sentence that says how to make it later.
    """
    try:
        yield
    except Exception as error:  # Fonts, disks, mathematical text, TensorBoard: anything, but an interruption.
        reason = " ".join(str(error).split()) or "no reason given"
        _LOG.warning("%s could not be made (%s: %s). %s", what, type(error).__name__, reason, remedy)
