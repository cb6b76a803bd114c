"""Files that code and documents cite by their path in the repository are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("keras_dhnn", "pipelines", "tuning", "saved_models", "tests", "benchmarks", "docs")
CITED = re.compile(r"(?<![\w/.-])(?:docs|tests|benchmarks)/[\w/-]+\.(?:md|rst|py)\b")


def cited(text):
    return CITED.findall(text)


def test_files_that_are_cited_are_there():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".rst")]
    texts = {path: path.read_text() for path in paths if "node_modules" not in path.parts and path != Path(__file__)}
    lost = {(str(path.relative_to(ROOT)), name) for path, text in texts.items() for name in cited(text)}
    assert [(path, name) for path, name in sorted(lost) if not (ROOT / name).is_file()] == []


def test_a_citation_is_seen():
    assert cited("see docs/few-labels.md, `pytest tests/serving/test_x.py` and a/docs/b.md") == [
        "docs/few-labels.md",
        "tests/serving/test_x.py",
    ]
