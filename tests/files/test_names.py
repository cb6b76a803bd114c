import pytest

from keras_dhnn.errors import SettingError
from keras_dhnn.files import (
    check_name,
    new_folder,
)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../x",
        "a/b",
        "-x",
        "--help",
        "a;touch PWN",
        "a\nb",
        "a\u2028b",
        "~",
        "~x",
        ".x",
        "a\0",
        "$HOME",
    ]
    + ["a ", " a", "a\\b", "c:x", "'", "x" * 201, "ä" * 101, "\ud800", "a\u202eb", "*"],
)
def test_names_that_lead_elsewhere_or_cannot_be_typed_are_refused(name):
    with pytest.raises(SettingError, match="Expected as the name of a run letters"):
        check_name(name, "a run")


@pytest.mark.parametrize("name", ["ucmd-paper-64", "my harbours (2024)", "港口", "Häfen_1.5", "a+b", "x" * 200, "@1"])
def test_names_of_any_script_are_taken(name):
    assert check_name(name, "a run") == name


def test_new_folders_are_numbered(tmp_path):
    made = [new_folder(tmp_path / "runs", "run") for _ in range(3)]
    assert [folder.name for folder in made] == ["run", "run-2", "run-3"]
    assert all(folder.is_dir() for folder in made)
