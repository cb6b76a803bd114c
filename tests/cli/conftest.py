import pytest

from tests.command_line import command_line


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command line in this process; gives its exit status, stdout and stderr."""
    return command_line(monkeypatch, capfd)
