import pytest

from keras_dhnn.workflows.export import export_run
from tests.command_line import command_line
from tests.fakes import make_coloured_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture(scope="session")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="session")
def run(tmp_path_factory, info):
    return write_run(tmp_path_factory.mktemp("runs") / "tiny", info)


@pytest.fixture(scope="session")
def exported(run, info):
    """Folder of version 1 of an export of the run's database."""
    return export_run(run, info, name="coloured", thumbnails=True)


@pytest.fixture
def command(monkeypatch, capfd):
    """Runs the command line in this process; gives its exit status, stdout and stderr."""
    return command_line(monkeypatch, capfd)
