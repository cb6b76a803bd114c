"""A system that refuses to read some folders; tests may run as root, who may read all."""

import os


def refuse_folder(monkeypatch, name, number):
    """Let no folder of that name be listed."""
    scandir = os.scandir

    def refuse(path="."):
        if os.path.basename(os.fspath(path)) == name:
            raise OSError(number, os.strerror(number), os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
