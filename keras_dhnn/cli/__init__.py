"""Offer the command line. Verbs import what they need when they run, so that `--help` answers at once."""

import atexit
import errno
import gc
import os
import re
import sys
from typing import Annotated

import typer

from keras_dhnn._version import __version__
from keras_dhnn.cli.ablate import ablate
from keras_dhnn.cli.archive import archive
from keras_dhnn.cli.audit import audit
from keras_dhnn.cli.benchmark import benchmark
from keras_dhnn.cli.browse import browse
from keras_dhnn.cli.cache import cache
from keras_dhnn.cli.compare import compare
from keras_dhnn.cli.demo import demo
from keras_dhnn.cli.device import choose_device
from keras_dhnn.cli.encode import encode
from keras_dhnn.cli.evaluate import evaluate
from keras_dhnn.cli.export import export
from keras_dhnn.cli.fit import fit
from keras_dhnn.cli.given import refuse_behind_verb
from keras_dhnn.cli.grid import grid
from keras_dhnn.cli.index import index
from keras_dhnn.cli.interruption import InterruptibleVerbs, termination_interrupts
from keras_dhnn.cli.plain_help import PlainHelp
from keras_dhnn.cli.prepare import prepare
from keras_dhnn.cli.printing import printable
from keras_dhnn.cli.query import query
from keras_dhnn.cli.quiet_import import quieten_tensorflow
from keras_dhnn.cli.search import search
from keras_dhnn.cli.serve import serve
from keras_dhnn.cli.suggest import suggest
from keras_dhnn.cli.tune import tune
from keras_dhnn.cli.verify import verify
from keras_dhnn.errors import KerasDhnnError, SettingError

# New objects between two searches for cycles of them. Python's own 700 have it look through all of TensorFlow again and
# again while that is imported and traces: a tenth of the processor time of a short training.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000

app = typer.Typer(
    cls=InterruptibleVerbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked):
    if asked:
        print(f"keras-dhnn {__version__}")
        raise typer.Exit


for verb in (
    *(prepare, fit, evaluate, suggest, compare, query, audit, ablate, benchmark, grid, tune, export, serve),
    *(encode, search, browse, demo, verify),
):
    app.command(cls=PlainHelp)(verb)
app.add_typer(index, name="index")
app.add_typer(cache, name="cache")
app.add_typer(archive, name="archive")


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say which version this is.")
    ] = False,
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code",
            help="Import the Python module of a backbone PACKAGE.MODULE:FUNCTION, also where a run or an experiment of "
            "somebody else names it. It goes before the verb.",
        ),
    ] = False,
    device: Annotated[
        str,
        typer.Option(help="auto (a GPU where there is one), cpu, or gpu:0 and the like. It goes before the verb."),
    ] = "auto",
) -> None:
    """Find more like this: content-based retrieval of remote-sensing images by deep hashing.

    Start with: keras-dhnn fit ucmd --synthetic
    """
    choose_device(device, os.environ)
    if trust_code:
        os.environ["KERAS_DHNN_TRUST_CODE"] = "1"


def main() -> None:
    """Run the command line; a user's mistake is one message and exit status 2, an interruption 130 (from typer), or 143
    if it is SIGTERM.

    What is neither one of our own errors nor a file that the operating system refused is ours to mend: it keeps its
    traceback.
    """
    quieten_tensorflow()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # The last search, at the end of the process, would take most of a second to free what the system frees anyway.
    atexit.register(gc.freeze)
    try:
        _refuse_empty(sys.argv[1:])
        refuse_behind_verb(sys.argv[1:])
        with termination_interrupts():
            _run([_from_home(argument) for argument in sys.argv[1:]])
    except KerasDhnnError as error:
        message = str(error)
    except OSError as error:
        if error.errno is None or not (error.filename or error.errno in _FULL or _NO_TEMPORARY in str(error)):
            raise
        message = _of_system(error)
    else:
        return
    print(printable(f"keras-dhnn: {message}", lines=True), file=sys.stderr)
    sys.exit(2)


def _run(arguments):
    app(arguments)


# Python keeps frames in pieces of 16 KiB, and maps and unmaps one at every call that does not fit into the last: in a
# loop at that depth, each time. All that is called from a frame this large finds room beside it in one piece of 1 MiB.
_run.__code__ = _run.__code__.replace(co_stacksize=100_000)


def _refuse_empty(arguments):
    """Refuse empty arguments: as a path one would mean the working folder, and most come of a variable that is unset.

    Raises:
        SettingError: naming the option.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, equals, value = argument.partition("=")
        if not argument or (option.startswith("-") and equals and not value):
            option = option or before
            what = f"{option} is" if option.strip("-") and option.startswith("-") else "An argument is"
            raise SettingError(
                f"{what} empty. Expected a value, such as . for the working folder; is a variable of the shell unset?"
            )


def _from_home(argument):
    """Return an argument with ~ as the user's home, also behind "=" and in quotes, where no shell expands it."""
    name, path = re.fullmatch(r"((?:[\w.-]+=)?)(.*)", argument, re.DOTALL).groups()
    return name + os.path.expanduser(path) if path == "~" or path.startswith("~/") else argument


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_TEMPORARY = "No usable temporary directory"  # of `tempfile`, also where they are full


def _of_system(error):
    """Return what the operating system says of a file, and what to do, which it does not know."""
    if error.errno in _FULL:
        remedy = "Free space there, then run the same command again."
    elif _NO_TEMPORARY in str(error):
        remedy = "Free space in one of them, or set the environment variable TMPDIR to a folder that can be written."
    else:
        remedy = "Check that this path can be read and written and nothing else stands there, or name another place."
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}. {remedy}"
