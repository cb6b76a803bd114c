"""Options that mean the same in every verb."""

from pathlib import Path
from typing import Annotated

import typer

DataFolder = Annotated[Path, typer.Option("--data", help="Folder of the prepared data sets.", metavar="DIR")]
RunsFolder = Annotated[Path, typer.Option("--runs", help="Folder of the runs.", metavar="DIR")]
RunPath = Annotated[Path, typer.Argument(help="Folder of a run, such as runs/ucmd-paper-64.", metavar="RUN")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
