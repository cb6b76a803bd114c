import json
import shutil

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError
from keras_dhnn.runs import Run
from keras_dhnn.workflows.verify import verify
from tests.command_line import command_line
from tests.fakes import make_dataset


@pytest.fixture
def project(tmp_path):
    """A folder with a data set, and a run that has begun."""
    info, _ = make_dataset(tmp_path / "data" / "made")
    Run.create(tmp_path / "runs" / "one", Experiment().override("data.name=made"), info)
    return tmp_path


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_all_that_is_below_a_folder_is_read(project):
    found = verify(project)
    assert [(one.kind, one.path.name, one.faults) for one in found] == [("data set", "made", []), ("run", "one", [])]
    assert all(one.files > 1 for one in found)
    assert [one.kind for one in verify(project / "runs" / "one")] == ["run"]


@pytest.mark.parametrize(
    "name", ["data/made/items.npz", "data/made/records-00000-of-00003.tfrecord", "runs/one/experiment.json"]
)
def test_a_changed_byte_is_named(project, name):
    flip(project / name)
    faults = [fault for one in verify(project) for fault in one.faults]
    assert len(faults) == 1
    assert name.rpartition("/")[2] in faults[0]


def test_what_is_missing_is_named(project):
    next((project / "data" / "made").glob("*.tfrecord")).unlink()
    (project / "runs" / "one" / "environment.json").write_text("", encoding="utf-8")
    assert sum(len(one.faults) for one in verify(project)) == 2


def test_runs_of_before_there_were_lists_are_said_to_be_so(project):
    (project / "runs" / "one" / "files.json").unlink()
    assert [(one.files, one.faults) for one in verify(project / "runs")] == [(0, [])]


def test_nothing_to_read_is_an_error(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="no data set, run, export or archive in"):
            verify(path)


def test_by_the_command_line(project, monkeypatch, capfd):
    run = command_line(monkeypatch, capfd)
    status, out, _ = run("verify", project, "--quiet")
    assert (status, out.count("files as they were written")) == (0, 2)
    flip(project / "runs" / "one" / "experiment.json")
    status, out, _ = run("verify", project, "--quiet", "--json")
    assert status == 2
    assert [len(one["faults"]) for one in json.loads(out)] == [0, 1]
    shutil.rmtree(project / "runs")
    assert run("verify", project / "data", "--quiet")[0] == 0


def test_archives_are_read_too(tmp_path, monkeypatch, capfd):
    pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")
    from tests.archives import make_archive, random_codes

    archive = make_archive(tmp_path / "all" / "tiles", random_codes(20), parts=2)
    assert [(one.kind, one.path.name, one.files, one.faults) for one in verify(tmp_path)] == [
        ("archive", "tiles", 2, [])
    ]
    flip(archive.root / archive.parts[0].name)
    run = command_line(monkeypatch, capfd)
    status, out, _ = run("verify", archive.root, "--quiet")
    assert status == 2
    assert archive.parts[0].name in out
    assert run("archive", "verify", archive.root)[0] == 2
