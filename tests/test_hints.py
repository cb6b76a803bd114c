"""Every public function and method says what it takes and gives: read from the code, not run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Folders and files whose public functions have all their hints.
ROOMS = (
    *("keras_dhnn/__init__.py", "keras_dhnn/_version.py", "keras_dhnn/backend.py", "keras_dhnn/codes.py"),
    *(
        "keras_dhnn/config.py",
        "keras_dhnn/errors.py",
        "keras_dhnn/machine.py",
        "keras_dhnn/progress.py",
        "keras_dhnn/runs.py",
    ),
    *(
        "keras_dhnn/archive",
        "keras_dhnn/baselines",
        "keras_dhnn/browse",
        "keras_dhnn/cli",
        "keras_dhnn/evaluation",
        "keras_dhnn/experiment",
        "keras_dhnn/files",
    ),
    *("keras_dhnn/losses", "keras_dhnn/metrics", "keras_dhnn/models", "keras_dhnn/report", "keras_dhnn/runtimes"),
    *("keras_dhnn/training", "keras_dhnn/unlabelled", "keras_dhnn/workflows"),
    *("pipelines", "saved_models", "tuning"),
)


def sources(room):
    path = ROOT / room
    return [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))


def public(node, prefix=""):
    """Functions of a module, wherever in it they stand, and methods of its classes, by name; not those in functions."""
    for child in ast.iter_child_nodes(node):
        name = getattr(child, "name", None)
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if not name.startswith("_") or name == "__init__":
                yield prefix + name, child
        elif not isinstance(child, ast.ClassDef):
            yield from public(child, prefix)
        elif not name.startswith("_"):
            yield from public(child, f"{prefix}{name}.")


def lacking(function):
    """Names of the arguments without a hint, and "result"; `self` and `cls` need none, nor the result of `__init__`."""
    of = function.args
    arguments = [*of.posonlyargs, *of.args, *of.kwonlyargs, *filter(None, (of.vararg, of.kwarg))]
    names = [one.arg for one in arguments if one.annotation is None and one.arg not in ("self", "cls")]
    return names + ["result"] * (function.returns is None and function.name != "__init__")


@pytest.mark.parametrize("room", ROOMS)
def test_public_functions_have_hints(room):
    found = {path: public(ast.parse(path.read_text())) for path in sources(room)}
    assert found, f"there is no {room}"
    without = [
        f"{path.relative_to(ROOT)}:{function.lineno} {name}: {', '.join(lacking(function))}"
        for path, functions in found.items()
        for name, function in functions
        if lacking(function)
    ]
    assert not without, "\n".join(without)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a: int, *b: int, c: int = 1, **d: int) -> int: ...", {"f": []}),
        ("def f(a, /, b, *c, d, **e): ...", {"f": ["a", "b", "d", "c", "e", "result"]}),
        ("if x:\n    class C:\n        def __init__(self, a): ...", {"C.__init__": ["a"]}),
        ("class C:\n    @property\n    def a(self): ...\n    def _b(self, c): ...", {"C.a": ["result"]}),
        ("class _C:\n    def a(self, b): ...\ndef _f(a):\n    def g(b): ...", {}),
    ],
)
def test_the_guard_sees_what_is_missing(code, expected):
    assert {name: lacking(function) for name, function in public(ast.parse(code))} == expected
