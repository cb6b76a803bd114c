import json

import pytest
from typer.testing import CliRunner

from keras_dhnn.archive.statistics import describe
from keras_dhnn.cli.archive import archive as commands
from tests.archives import make_archive, random_codes


@pytest.fixture
def archive(tmp_path):
    """Items of labels that look like none, and items without."""
    labels = ["None", "None", None, None, None, " ", "null", "sea|None", ""]
    return make_archive(tmp_path / "a", random_codes(len(labels)), label=labels)


def test_a_label_called_none_is_not_the_lack_of_one(archive):
    found = describe(archive)
    assert found["labels"] == {"image": {"None": 3, "null": 1, "sea": 1}}
    assert found["without label"] == {"image": 5}
    assert describe(archive, most_labels=1)["labels"] == {"image": {"None": 3}}


def test_info_says_how_many_have_no_label(archive):
    said = CliRunner().invoke(commands, ["info", str(archive.root)]).output.splitlines()
    assert "labels          None 3, null 1, sea 1" in said
    assert "without label   5" in said
    found = json.loads(CliRunner().invoke(commands, ["info", str(archive.root), "--json"]).output)
    assert (found["labels"], found["without label"]) == ({"image": {"None": 3, "null": 1, "sea": 1}}, {"image": 5})


def test_remove_says_how_many_are_left(archive):
    said = CliRunner().invoke(commands, ["remove", str(archive.root), "--where", "label is null"]).output
    assert said == "3 items taken out, 6 are left\n"
    refused = CliRunner().invoke(commands, ["remove", str(archive.root), "--where", "row"])
    assert "neither true nor false" in str(refused.exception)
    archive.refresh()
    assert archive.info.rows == 6
