"""Number the folders of a served model, as TensorFlow Serving sees them."""

from pathlib import Path


def list_versions(base: Path | str) -> list[int]:
    """Return numbers of the versions in a model's folder, ascending. Other folders, such as unfinished ones, are
    none.
    """
    return sorted(int(path.name) for path in _numbered(base) if (path / "saved_model.pb").is_file())


def next_version(base: Path | str) -> int:
    """Return the number after the last one, also of folders that hold no version."""
    return max((int(path.name) for path in _numbered(base)), default=0) + 1


def _numbered(base):
    base = Path(base)
    return [path for path in base.iterdir() if path.name.isdecimal()] if base.is_dir() else []
