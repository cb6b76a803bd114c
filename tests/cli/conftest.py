import sys

import pytest

from keras_dhnn import cli


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command line in this process; gives its exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["keras-dhnn", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        return (status, *capfd.readouterr())

    return run
