"""The numbered folders of a served model, as TensorFlow Serving sees them."""

from pathlib import Path


def list_versions(base):
    """Numbers of the versions in a model's folder, ascending. Other folders, such as unfinished ones, are none."""
    base = Path(base)
    folders = base.iterdir() if base.is_dir() else ()
    return sorted(int(path.name) for path in folders if path.name.isdecimal() and (path / "saved_model.pb").is_file())


def next_version(base):
    """The number after the last one."""
    return max(list_versions(base), default=0) + 1
