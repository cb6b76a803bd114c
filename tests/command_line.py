"""The command line, run in the test's own process."""

import sys

from keras_dhnn import cli


def command_line(monkeypatch, capfd):
    """A function of the arguments that gives the exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["keras-dhnn", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code or 0
        return (status, *capfd.readouterr())

    return run
