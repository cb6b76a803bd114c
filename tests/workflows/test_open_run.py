"""Where the data set of a run is looked for."""

import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.workflows.open_run import open_run
from tests.fakes import make_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture
def project(tmp_path):
    """A folder with `data` and `runs`, as `fit` leaves it."""
    write_run(tmp_path / "project" / "runs" / "one", make_dataset(tmp_path / "project" / "data" / "made", count=24)[0])
    return tmp_path / "project"


def test_from_another_folder_a_run_finds_the_data_beside_its_runs(project, tmp_path, monkeypatch):
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    _, info = open_run("../project/runs/one")
    assert info.directory == project / "data" / "made"
    monkeypatch.chdir(project)
    assert str(open_run("runs/one")[1].directory) == "data/made"


def test_a_data_set_that_is_elsewhere_is_named_by_data(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Whoever names a folder means it.
    with pytest.raises(DataError, match=r"No prepared data set in nowhere/made; .*one was made with 'made'"):
        open_run(project / "runs" / "one", "nowhere")
    (project / "data").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"No prepared data set in data/made or .*project/data/made; .*--data DIR"):
        open_run(project / "runs" / "one")
    assert open_run(project / "runs" / "one", "moved")[1].count == 24
