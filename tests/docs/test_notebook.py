"""The notebook of the guides, cell by cell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs/guides/notebook.md"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    cells = re.findall(r"```\{code-cell\}\n(.*?)```", NOTEBOOK.read_text("utf-8"), re.DOTALL)
    assert len(cells) == NOTEBOOK.read_text("utf-8").count("```{code-cell}") >= 9
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(cells), "utf-8")
    answer = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
