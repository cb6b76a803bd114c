import json

import pytest

from tests.command_line import command_line


@pytest.fixture
def run(monkeypatch, capfd):
    return command_line(monkeypatch, capfd)


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    folders = ("data/.coast.activations", "data/coast", "home/keras-dhnn/.networks")
    for name in (*folders, "home/keras-dhnn/folders/0a/my-images", "home/keras-dhnn/demo-1/images"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(bytes(3 << 20))
    return tmp_path / "data"


def test_info_says_what_is_kept_and_clear_removes_it(run, data):
    status, out, err = run("cache", "info", "--data", data)
    assert (status, err) == (0, "")
    names = ["coast", "networks", "folders", "demo"]
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [[name, "1", "3.0"] for name in names]
    _, out, _ = run("cache", "clear", "coast", "--data", data, "--json")
    assert [one["name"] for one in json.loads(out)["removed"]] == ["coast"]
    assert [path.name for path in data.iterdir()] == ["coast"]
    run("cache", "clear", "--data", data)
    assert run("cache", "info", "--data", data)[1] == "Nothing is kept.\n"
    assert list((data.parent / "home" / "keras-dhnn").iterdir()) == []


def test_info_is_json_where_a_program_reads_it(run, data):
    kept = json.loads(run("cache", "info", "coast", "--data", data, "--json")[1])
    assert kept["limit"] == 16 << 30
    assert kept["kept"] == [
        {"name": "coast", "folder": str(data / ".coast.activations"), "files": 1, "nbytes": 3 << 20}
    ]


def test_unknown_name_is_refused(run, data):
    status, _, err = run("cache", "clear", "harbour", "--data", data)
    assert status == 2
    assert "Expected one of: coast, networks" in err
