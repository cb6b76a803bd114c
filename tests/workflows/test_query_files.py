"""Queries by the folder: each answer is that of a query of its own."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import SettingError
from keras_dhnn.workflows.query import query
from keras_dhnn.workflows.query_files import query_files
from tests.command_line import command_line
from tests.fakes import make_coloured_dataset
from tests.saved_models.serving.tiny_run import write_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set, a run, and 40 images of which one is a text."""
    place = tmp_path_factory.mktemp("place")
    write_run(place / "run", make_coloured_dataset(place / "made", count=24))
    (place / "new" / "deep").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(40):
        image = random.integers(0, 256, (20 + number, 25, 3)).astype(np.uint8)
        Image.fromarray(image).save(place / "new" / ("deep" if number % 2 else "") / f"{number:02} ä,.png")
    (place / "new" / "07.png").write_text("no image")
    return place


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_every_answer_is_that_of_a_query_of_its_own(place, tmp_path, suffix):
    out, said = tmp_path / f"found.{suffix}", []
    result = query_files(place / "run", [place / "new"], out, k=3, data=place, say=said.append)
    assert result == {"out": str(out), "queries": 41, "failed": 1}
    assert len(said) == 1
    assert "07.png is no image of a known format" in said[0]
    if suffix == "jsonl":
        lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        answers = {line["query"]: line.get("results") for line in lines}
    else:
        with open(out, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        answers = {row["query"]: [] for row in rows}
        for row in rows:
            answers[row["query"]].append(row)
    assert len(answers) == 41
    for name in ("00 ä,.png", "deep/33 ä,.png", "38 ä,.png"):
        path = place / "new" / name
        expected = query(place / "run", path, k=3, data=place)["results"]
        if suffix == "csv":
            columns = ("rank", "distance", "class", "id", "turned")
            expected = [{key: str(one[key]) for key in columns} for one in expected]
            assert [{key: row[key] for key in expected[0]} for row in answers[str(path)]] == expected
        else:
            assert answers[str(path)] == expected


def test_nothing_is_left_of_a_table_that_cannot_be_finished(place, tmp_path, monkeypatch):
    def broken(*arguments):
        yield place / "new" / "07.png", [{"rank": 1, "distance": 0, "class": "a", "id": "b"}]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keras_dhnn.workflows.query_files._of_run", broken)
    with pytest.raises(OSError, match="No space"):
        query_files(place / "run", [place / "new"], tmp_path / "a.csv", data=place)
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_table_is_refused_before_anything_is_read():
    with pytest.raises(SettingError, match=r"Expected the results as --out FILE.csv or FILE.jsonl. Received: a.xlsx"):
        query_files("no run", ["no image"], "a.xlsx")


def test_by_the_command_line(place, tmp_path, monkeypatch, capfd):
    run = command_line(monkeypatch, capfd)
    (tmp_path / "list.txt").write_text(f"{place / 'new' / '00 ä,.png'}\n", encoding="utf-8")
    where = "--data", place, "--quiet"
    arguments = place / "run", place / "new" / "deep", "--list", tmp_path / "list.txt", "--out", tmp_path / "a.jsonl"
    status, out, err = run("query", *arguments, "--class", "class1", *where)
    assert status == 0, err
    assert out == f"{tmp_path / 'a.jsonl'}: 21 queries.\n"
    found = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {one["class"] for line in found for one in line["results"]} == {"class1"}
    status, _, err = run("query", place / "run", place / "new", *where)
    assert (status, "Several images need a file for what is found: --out FILE.csv" in err) == (2, True)
    status, _, err = run("query", place / "run", "--list", tmp_path / "list.txt", *where)
    assert (status, "needs a file for what is found" in err) == (2, True)
    status, _, err = run("query", place / "run", "https://example.org/a.png", *where)
    assert (status, "is an address. Expected a path on this machine: download it first" in err) == (2, True)


def test_no_cell_is_a_formula(tmp_path, monkeypatch):
    found = [{"rank": 1, "distance": -1, "class": "=cmd()", "id": "@a/-b.png"}]
    monkeypatch.setattr("keras_dhnn.workflows.query_files.search_remote", lambda *asked: found)
    monkeypatch.chdir(tmp_path)
    Path("-x.png").write_bytes(b"")
    query_files(None, [Path("-x.png")], "a.csv", server="http://localhost:1")
    (row,) = csv.DictReader(Path("a.csv").read_text().splitlines())
    assert (row["query"], row["class"], row["id"], row["distance"]) == ("'-x.png", "'=cmd()", "'@a/-b.png", "-1")
