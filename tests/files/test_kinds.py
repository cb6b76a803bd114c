import pytest

from keras_dhnn.archive import Archive, Identity
from keras_dhnn.errors import DataError, RunError
from keras_dhnn.files.kinds import kind_of
from keras_dhnn.runs import Run

KINDS = {
    "experiment.json": "a run",
    "items.npz": "a prepared data set",
    "saved_model.pb": "a version of an exported model",
    "1/saved_model.pb": "an exported model",
    "r/experiment.json": "a folder of runs",
    "d/items.npz": "a folder of prepared data sets",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_what_is_taken_for_something_else_is_named_and_left_as_it_is(tmp_path, name, kind):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    assert kind_of(tmp_path) == kind
    with pytest.raises(DataError, match=rf"There is no archive .* It is {kind}\. Make one: .* --archive ARCHIVE"):
        Archive.open(tmp_path)
    with pytest.raises(DataError, match=f"is {kind}. Expected an archive, or a folder that is empty"):
        Archive.create(tmp_path, Identity("a" * 64, 64))
    if kind != "a run":
        with pytest.raises(RunError, match=rf"There is no run .* It is {kind}\. Name the folder of a run"):
            Run.open(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [name.rpartition("/")[2]]


def test_an_archive_is_taken_again(tmp_path):
    Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    assert (kind_of(tmp_path / "a"), kind_of(tmp_path)) == ("an archive", None)
    assert kind_of(tmp_path / "nowhere") is None


def test_an_address_is_no_run():
    with pytest.raises(DataError, match="is an address"):
        Run.open("s3://bucket/run")
