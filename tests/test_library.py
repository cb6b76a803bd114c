"""What `import keras_dhnn` gives, how fast, and that it is the command line's."""

import inspect
import os
import re
import subprocess
import sys
import time

import pytest
import typer

import keras_dhnn
from keras_dhnn import cli
from keras_dhnn.pipelines.datasets import MODULES, PUBLISHED, load_dataset

HEAVY = ("tensorflow", "keras", "numpy", "matplotlib", "sklearn", "typer")


def test_import_brings_nothing_heavy():
    code = f"import sys, keras_dhnn; sys.exit(any(name in sys.modules for name in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_trains_does_not_import_scikit_learn():
    # Keras 3 does.
    code = (
        "import sys, tensorflow, keras_dhnn.backend; before = set(sys.modules)\n"
        "import keras_dhnn.workflows.fit; sys.exit('sklearn' in set(sys.modules) - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_threads_of_numpy_sleep_unless_the_user_says_otherwise():
    code = "import os, keras_dhnn; print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    for given, expected in (({}, "4"), ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "20")):
        inherited = {key: value for key, value in os.environ.items() if key != "OPENBLAS_THREAD_TIMEOUT"}
        answer = subprocess.run([sys.executable, "-c", code], env=inherited | given, capture_output=True, check=True)
        assert answer.stdout.split() == [expected.encode()]


@pytest.mark.slow
def test_import_takes_less_than_a_tenth_of_a_second():
    """The quickest of five processes, less what Python itself takes to start: other work only adds to it."""

    def seconds(code):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - started)
        return min(times)

    assert seconds("import keras_dhnn") - seconds("pass") < 0.1


@pytest.mark.parametrize("name", [name for name in keras_dhnn.__all__ if name != "__version__"])
def test_every_name_is_there_and_documented(name):
    assert (getattr(keras_dhnn, name).__doc__ or "").strip()
    assert name in dir(keras_dhnn)


def test_names_that_are_not_there_are_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        keras_dhnn.fitt  # noqa: B018


def test_only_our_folders_of_a_checkout_are_importable():
    for name in ("tests", "benchmarks", "keras_dhnn", "docs"):
        with pytest.raises(ImportError):
            __import__(f"keras_dhnn.{name}")


# What a shell has and a notebook does not need, or has as keywords or functions of its own, or in the environment.
SHELL = {"context", "quiet", "as_json", "more_bits", "server", "verify", "out", "listed", "images", "cache"}
# Options of the archive's readers go through `**options`, and are checked there.
OPTIONS = {option for name in MODULES for option in load_dataset(name).options}
OPTIONS |= {size for name in PUBLISHED if load_dataset(name).twin for size in load_dataset(name).twin.sizes}
VERBS = (
    "ablate",
    "audit",
    "compare",
    "encode",
    "evaluate",
    "export",
    "fit",
    "grid",
    "prepare",
    "query",
    "search",
    "suggest",
    "tune",
)


@pytest.mark.parametrize("verb", VERBS)
def test_functions_take_what_verbs_take(verb):
    """Every option of a verb is an argument of its function, and has the same default where the shell names one."""
    command = next(one.callback for one in cli.app.registered_commands if one.callback.__name__ == verb)
    options = {name: one for name, one in inspect.signature(command).parameters.items() if name not in SHELL}
    function = inspect.signature(getattr(keras_dhnn, verb)).parameters
    missing = set(options) - set(function) - (OPTIONS if verb == "prepare" else set())
    assert not missing
    for name, option in options.items():
        default = option.default
        if name in function and default is not inspect.Parameter.empty and default is not None:
            ours = function[name].default
            assert str(ours) == str(default) or (verb, name) in {("export", "index"), ("ablate", "bits")}, name


def test_the_shell_has_a_verb_for_each():
    names = {command.callback.__name__ for command in cli.app.registered_commands}
    assert set(VERBS) <= names
    assert isinstance(cli.app, typer.Typer)


def test_verbs_that_are_no_functions_are_named():
    verbs = {command.callback.__name__ for command in cli.app.registered_commands}
    verbs |= {group.name for group in cli.app.registered_groups}
    lacking = sorted(verb for verb in verbs if verb not in keras_dhnn.__all__)
    first = keras_dhnn.__doc__.split(":\n")[0]
    assert re.findall(r"`(\w+)`", first) == lacking
