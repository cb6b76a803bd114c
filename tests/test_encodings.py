"""Text files say that they are UTF-8: the system's own encoding is another one on some machines."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for folder in ("keras_dhnn", "pipelines", "tuning", "saved_models", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def undeclared(source):
    """Lines of a source that open text files without saying in which encoding."""
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and opens_text(node)]


def opens_text(call):
    by_name = isinstance(call.func, ast.Name)
    name = call.func.id if by_name else getattr(call.func, "attr", None)
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    modes += [word.value.value for word in call.keywords if word.arg == "mode" and isinstance(word.value, ast.Constant)]
    binary = any(isinstance(mode, str) and "b" in mode and set(mode) <= set("rwaxb+") for mode in modes)
    ours = by_name and name == "write_text"  # keras_dhnn.files.write_text, which always writes UTF-8
    if name == "open" and not by_name:  # zip files, Image, memory maps: `open` of the class at hand
        return isinstance(call.func.value, ast.Name) and call.func.value.id == "path" and not binary and not said(call)
    return name in ("open", "read_text", "write_text", "TextIOWrapper") and not (binary or ours or said(call))


def said(call):
    return any(word.arg in ("encoding", "opener", None) for word in call.keywords)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("open('a')", [1]),
        ("open('a', 'rb')", []),
        ("\nopen('a', mode='w')", [2]),
        ("open('a', encoding='utf-8')", []),
        ("path.read_text()", [1]),
        ("path.write_text('')", [1]),
        ("path.open('w')", [1]),
        ("zip.open('member')", []),
        ("write_text(path, '')", []),
    ],
)
def test_what_is_undeclared(source, lines):
    assert undeclared(source) == lines


def test_every_text_file_says_its_encoding():
    found = {str(path.relative_to(ROOT)): undeclared(path.read_text(encoding="utf-8")) for path in FILES}
    assert len(found) > 200
    assert {path: lines for path, lines in found.items() if lines} == {}
