"""Files that the documentation names are there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def named_files(text):
    """Paths of Python files in backquotes; `mine.py` is the reader's own."""
    paths = re.findall(r"`([\w/.-]+\.py)[`:]", text)
    return {path for path in paths if not path.endswith("mine.py")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_named_are_there(page):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not listed:
        pytest.skip("needs a git checkout")
    missing = [
        name for name in named_files(page.read_text("utf-8")) if not any(f"/{at}".endswith(f"/{name}") for at in listed)
    ]
    assert missing == []


def test_files_named_are_found_in_a_text():
    assert named_files("`a/b.py`, `c.py:12`, `x.md`, mine: `losses/mine.py`") == {"a/b.py", "c.py"}


def test_the_walk_of_an_image_is_short():
    """An image meets thirteen modules from its file to the scores; it met fifteen before there were rooms."""
    walk = re.findall(r"\*\*`([\w/.]+\.py)`\*\*", (ROOT / "docs/design.md").read_text("utf-8"))
    assert len(walk) == len(set(walk)) == 13
