"""Configure the site: `make docs` builds it with warnings as errors."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

project = "keras-dhnn"
author = "The keras-dhnn authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "keras-dhnn"
# myst-nb leaves executed notebooks beside _build; they are none of the pages when the site is built again.
exclude_patterns = ["_build", "jupyter_execute", "serving/*"]
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
# The notebook is run while the site is built; an error in it ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 900
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
# Their docstrings are not ours to mend.
suppress_warnings = ["myst.xref_missing"]


def write_command_line(app):
    """Write the page of the command line from its own help."""
    page = HERE / "reference" / "command-line.md"
    command = [sys.executable, "-m", "typer", "keras_dhnn.cli", "utils", "docs", "--name", "keras-dhnn"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Types of Python's lists say nothing to a reader; regular expressions such as [^_]+ are no footnotes.
    text = re.sub(r" ?<list\[\w+\]>", "", text)
    page.write_text(text.replace("[^", "\\[^"), encoding="utf-8")


def setup(app):
    """Generate what is generated before pages are read."""
    app.connect("builder-inited", write_command_line)
