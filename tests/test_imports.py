"""Imports point one way (docs/design.md, "Which way imports point"): read from the code, not run."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"pipelines", "saved_models", "tuning"}

# What each room and loose module may import of ours, beside itself.
BASE = {"_version", "config", "codes", "directions", "errors", "files", "machine", "progress"}
RUNTIMES = BASE | {"backend", "runtimes"}
MODELS = RUNTIMES | {"losses", "metrics", "models"}
TRAINING = MODELS | {"", "pipelines", "experiment", "runs", "training", "unlabelled"}
RESULTS = TRAINING | {"evaluation", "report", "tuning"}
MAY_IMPORT = {
    # The library's names, imported when they are used.
    "": {
        "_version",
        "machine",
        "config",
        "codes",
        "losses",
        "metrics",
        "models",
        "pipelines",
        "experiment",
        "runs",
        "saved_models",
    }
    | {"workflows", "archive"},
    "__main__": {"cli"},
    "_version": set(),
    "codes": {"errors"},
    "directions": set(),
    "errors": set(),
    "files": {"errors"},
    "machine": set(),
    "progress": set(),
    "config": {"errors"},
    "backend": {"errors"},
    "runs": BASE,
    "runtimes": {"backend", "errors", "files", "machine"},
    "losses": BASE,
    "metrics": {"codes", "errors", "machine"},
    "models": MODELS,
    "pipelines": {"", "_version", "config", "errors", "files", "machine", "progress", "backend"},
    "experiment": BASE | {"pipelines"},
    "training": TRAINING,
    "evaluation": TRAINING,
    "report": TRAINING | {"evaluation"},
    "tuning": RESULTS,
    "unlabelled": {"directions", "errors", "progress"},
    "baselines": {"codes", "errors", "metrics", "progress"},
    "saved_models": {"codes", "errors", "files", "machine", "models", "progress", "runtimes"},
    "archive": BASE | {"pipelines", "runtimes", "saved_models", "baselines"},
    # Whoever opens a page hands in what encodes its queries: no network is loaded here.
    "browse": BASE | {"archive", "pipelines", "saved_models"},
    "workflows": RESULTS | {"saved_models", "baselines", "archive", "browse", "workflows"},
    "cli": RESULTS | {"saved_models", "baselines", "archive", "browse", "workflows"},
}


def part_of(module):
    """`keras_dhnn.models.dhnn` belongs to `models`, `keras_dhnn` itself to the empty name."""
    return (module.split(".") + [""])[1]


def modules():
    for path in sorted(ROOT.glob("*/**/*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in FOLDERS:
            parts = ("keras_dhnn", *parts)
        if parts[0] == "keras_dhnn":
            yield ".".join(parts).removesuffix(".__init__"), path


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "keras_dhnn")


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_one_way(module, path):
    part = part_of(module)
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import"
    ours = {part_of(name) for name in imported(path) if name.split(".")[0] == "keras_dhnn"}
    breaches = ours - MAY_IMPORT[part] - {part}
    assert not breaches, f"{path.relative_to(ROOT)} may not import {breaches}"


def test_only_the_command_line_imports_the_command_line():
    for module, path in modules():
        if part_of(module) not in ("cli", "__main__"):
            assert "cli" not in {part_of(name) for name in imported(path) if name.startswith("keras_dhnn")}, path


def test_tensorflow_addons_is_imported_in_one_file():
    users = [path.name for _, path in modules() if any(n.split(".")[0] == "tensorflow_addons" for n in imported(path))]
    assert users == ["backend.py"]


def test_metrics_need_no_tensorflow():
    for module, path in modules():
        if part_of(module) == "metrics":
            assert not any(name.split(".")[0] in ("tensorflow", "keras") for name in imported(path)), path


def test_the_guard_sees_a_breach(tmp_path):
    (tmp_path / "x.py").write_text("from keras_dhnn import training\nimport keras_dhnn.cli.fit\n")
    assert {part_of(name) for name in imported(tmp_path / "x.py")} >= {"training", "cli"}


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_a_checkout_finds_its_own_folders(folder):
    """Whatever else is installed: in a second checkout an editable install is of the first."""
    assert Path(importlib.import_module(f"keras_dhnn.{folder}").__file__) == ROOT / folder / "__init__.py"
