"""The command line. Verbs import what they need when they run, so that `--help` answers at once."""

import errno
import os
import sys

import typer

from keras_dhnn.cli.ablate import ablate
from keras_dhnn.cli.archive import archive
from keras_dhnn.cli.audit import audit
from keras_dhnn.cli.compare import compare
from keras_dhnn.cli.encode import encode
from keras_dhnn.cli.evaluate import evaluate
from keras_dhnn.cli.export import export
from keras_dhnn.cli.fit import fit
from keras_dhnn.cli.grid import grid
from keras_dhnn.cli.index import index
from keras_dhnn.cli.prepare import prepare
from keras_dhnn.cli.query import query
from keras_dhnn.cli.search import search
from keras_dhnn.cli.serve import serve
from keras_dhnn.cli.tune import tune

app = typer.Typer(
    help="Find more like this: content-based retrieval of remote-sensing images by deep hashing.\n\n"
    "Start with: keras-dhnn fit ucmd --synthetic",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for verb in (prepare, fit, evaluate, compare, query, audit, ablate, grid, tune, export, serve, encode, search):
    app.command()(verb)
app.add_typer(index, name="index")
app.add_typer(archive, name="archive")


def main():
    """Runs the command line; a user's mistake is one message and exit status 2, an interruption 130 (from typer)."""
    # TensorFlow's own notes on start-up say nothing to somebody who searches images.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app()
    except Exception as error:
        if os.environ.get("KERAS_DHNN_TRACEBACK") or not _is_users(error):
            raise
        print(f"keras-dhnn: {_message(error)}", file=sys.stderr)
        sys.exit(2)


def _is_users(error):
    """Whether an error tells the user what to change, rather than us."""
    from keras_dhnn.errors import DataError
    from keras_dhnn.runs import RunError
    from keras_dhnn.training.callbacks.collapse import CollapseError

    return isinstance(error, (CollapseError, DataError, ImportError, OSError, RunError, ValueError))


def _message(error):
    """What an error says; the system's errors know of a file, but not what to do."""
    if not isinstance(error, OSError):
        return error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = " Free space there, then run the same command again."
    elif error.filename is not None:
        remedy = " Check that this path can be read and written and nothing else stands there, or name another place."
    else:
        return error
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}.{remedy}"
