"""Tell what a folder of ours is, for whoever takes it for another."""

from pathlib import Path

# Files that tell it, and what it is.
_KINDS = {
    "experiment.json": "a run",
    "items.npz": "a prepared data set",
    "archive.json": "an archive",
    "saved_model.pb": "a version of an exported model",
    "*/experiment.json": "a folder of runs",
    "*/items.npz": "a folder of prepared data sets",
    "*/saved_model.pb": "an exported model",
}


def kind_of(folder: Path) -> str | None:
    """Return what a folder is, such as "a run", or None if it is not there or nothing that we write."""
    return next((kind for name, kind in _KINDS.items() if any(folder.glob(name))), None)


def what_it_is(folder: Path) -> str:
    """Return a sentence after a space that says what a folder is; empty where that is not known."""
    kind = kind_of(folder)
    return f" It is {kind}." if kind else ""
