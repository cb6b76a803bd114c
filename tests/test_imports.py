"""Imports point one way (docs/design.md, "Which way imports point"): read from the code, not run."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"pipelines", "saved_models", "tuning"}

# What each room and loose module imports of ours, beside itself: all that it may.
MAY_IMPORT = {
    # The library's names, imported when they are used.
    "": {
        "_version",
        "archive",
        "codes",
        "config",
        "experiment",
        "losses",
        "machine",
        "metrics",
        "models",
        "pipelines",
        "runs",
        "saved_models",
        "workflows",
    },
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
    "runs": {"_version", "codes", "config", "errors", "files", "machine"},
    "runtimes": {"backend", "errors", "files", "machine"},
    "losses": {"config", "errors"},
    "metrics": {"codes", "errors", "machine"},
    "models": {"backend", "config", "errors", "files", "losses"},
    "pipelines": {"_version", "backend", "config", "errors", "files", "machine"},
    "experiment": {"config", "errors", "files", "pipelines"},
    "training": {
        "backend",
        "codes",
        "config",
        "errors",
        "files",
        "losses",
        "machine",
        "metrics",
        "models",
        "pipelines",
        "progress",
        "runs",
        "runtimes",
        "unlabelled",
    },
    "evaluation": {"codes", "directions", "errors", "machine", "metrics", "pipelines", "progress"},
    "report": {"codes", "errors", "evaluation", "files", "metrics", "pipelines", "runs", "training"},
    "tuning": {
        "_version",
        "config",
        "errors",
        "evaluation",
        "experiment",
        "files",
        "losses",
        "metrics",
        "pipelines",
        "progress",
        "report",
        "training",
    },
    "unlabelled": {"directions", "errors"},
    "baselines": {"codes", "errors"},
    "saved_models": {"codes", "errors", "files", "machine", "progress"},
    "archive": {"baselines", "codes", "config", "directions", "errors", "files", "machine", "pipelines"},
    # Whoever opens a page hands in what encodes its queries: no network is loaded here.
    "browse": {"_version", "archive", "codes", "directions", "errors", "files", "pipelines", "saved_models"},
    "workflows": {
        "_version",
        "archive",
        "backend",
        "baselines",
        "browse",
        "codes",
        "config",
        "directions",
        "errors",
        "evaluation",
        "experiment",
        "files",
        "machine",
        "metrics",
        "models",
        "pipelines",
        "progress",
        "report",
        "runs",
        "runtimes",
        "saved_models",
        "training",
        "tuning",
        "unlabelled",
    },
    "cli": {
        "_version",
        "archive",
        "errors",
        "experiment",
        "files",
        "pipelines",
        "progress",
        "runs",
        "saved_models",
        "training",
        "tuning",
        "workflows",
    },
}


# One of them knows the other as the type of an argument alone.
OF_TYPES_ONLY = {("keras_dhnn.archive.calibration", "keras_dhnn.archive.store")}


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
            if node.module.split(".")[0] == "keras_dhnn":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(path):
    return {part_of(name) for name in imported(path) if name.split(".")[0] == "keras_dhnn"}


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_one_way(module, path):
    part = part_of(module)
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import"
    breaches = parts_imported(path) - MAY_IMPORT[part] - {part}
    assert not breaches, f"{path.relative_to(ROOT)} may not import {breaches}"


def test_what_is_allowed_is_used():
    used = {part: set() for part in MAY_IMPORT}
    for module, path in modules():
        used[part_of(module)] |= parts_imported(path) - {part_of(module)}
    assert {part: MAY_IMPORT[part] - used[part] for part in MAY_IMPORT if MAY_IMPORT[part] - used[part]} == {}


def test_no_two_modules_import_each_other():
    found = {module: set(imported(path)) for module, path in modules()}
    pairs = {(one, two) for one, others in found.items() for two in others if one < two and one in found.get(two, ())}
    # A package gives names of modules of its own, which import others by its name.
    assert {(one, two) for one, two in pairs if not two.startswith(f"{one}.")} == OF_TYPES_ONLY


def test_what_a_keras_file_names_is_imported_with_its_networks():
    found = {module: (set(imported(path)), path.read_text()) for module, path in modules()}
    known, new = set(), {"keras_dhnn.models.sidhcnn"}
    while new:
        known |= new
        new = {name for module in new for name in found[module][0] if name in found} - known
    decorated = "\n@tf.keras.utils.register_keras_serializable"
    registering = {module for module, (_, text) in found.items() if decorated in text}
    assert "keras_dhnn.models.backbones.pan_cnn" in registering
    assert registering - known == set()


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
