"""`keras-dhnn benchmark` as its user meets it: a table, JSON, and one message for what cannot be compared."""

import json

import pytest

from tests.cli.test_tune import CHANGES
from tests.command_line import command_line
from tests.fakes import make_coloured_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    make_coloured_dataset(root / "data" / "coloured")
    return root


@pytest.fixture
def run(monkeypatch, capfd, root):
    command = command_line(monkeypatch, capfd)
    places = ("--data", root / "data", "--runs", root / "runs", "--quiet")
    return lambda *arguments: command("benchmark", "coloured", *CHANGES, *places, *arguments)


def test_table_has_a_row_a_method_and_a_column_a_length(run, root):
    status, out, err = run("--methods", "prh, csq", "--bits", "8", "16", "--seeds", "1", "--trials", "1")
    assert (status, err) == (0, "")
    assert "coloured, real images, grouped" in out
    lines = [line.split() for line in out.splitlines() if "PRH" in line or "CSQ" in line]
    assert len([line for line in lines if line[0] == "│"]) == 2
    assert "CSQ: best of 1 trials: loss.objective=central, loss.eta=0.01" in out
    assert (root / "runs" / "benchmark-coloured-grouped-gist" / "figures" / "gallery.png").is_file()


def test_json_is_one_object_and_a_list_of_names_splits(run, root):
    listed = root / "test.txt"
    listed.write_text("class0/000\nclass1/012\nclass2/024\n")
    status, out, _ = run(
        *("--methods", "prh", "--bits", "8", "--seeds", "1", "--split", listed, "--json"),
        *("--set", "data.protocol=standard"),
    )
    table = json.loads(out)
    assert status == 0
    assert (table["protocol"], table["queries"], table["database"]) == ("standard", 3, 33)
    assert 0 < table["scores"]["map"]["prh"]["8"]["mean"] <= 1


@pytest.mark.parametrize(
    ("given", "turns", "epochs"), [((), 1, 0), (("--set", "model.query_turns=4", "--set", "fine_tune.epochs=2"), 4, 2)]
)
def test_all_methods_see_frozen_features_and_queries_as_they_lie_unless_told(
    monkeypatch, capfd, tmp_path, given, turns, epochs
):
    make_coloured_dataset(tmp_path / "data" / "ucmd")  # whose preset fine-tunes and turns queries
    places = ("--data", tmp_path / "data", "--runs", tmp_path / "runs", "--quiet", "--json")
    how = ("--protocol", "grouped", "--methods", "prh", "--bits", "8", "--seeds", "1")
    _, out, _ = command_line(monkeypatch, capfd)("benchmark", "ucmd", *how, *places, *given)
    experiment = json.loads(out)["experiment"]
    assert (experiment["model"]["query_turns"], experiment["fine_tune"]["epochs"]) == (turns, epochs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "spam"), "--methods"),
        (("--features", "sift"), "gist or backbone"),
        (("--bits", "12"), "of 8"),
        (("--split", "list.txt"), "standard beside a list"),
    ],
)
def test_mistakes_are_one_message(run, arguments, message):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
