"""Keep libraries that are not Python's from talking about themselves."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

# Of two threads that put the streams aside at once one would put nothing back.
_ALONE = threading.Lock()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep back what is written to both standard streams meanwhile, by whatever language; exceptions pass."""
    logger = logging.getLogger("absl")
    with _ALONE:
        level, streams = logger.level, [os.dup(1), os.dup(2)]
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            with open(os.devnull, "w", encoding="utf-8") as nothing:
                os.dup2(nothing.fileno(), 1)
                os.dup2(nothing.fileno(), 2)
            logger.setLevel(logging.ERROR)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            logger.setLevel(level)
            for number, stream in enumerate(streams, 1):
                os.dup2(stream, number)
                os.close(stream)
