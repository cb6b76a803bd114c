from pathlib import Path

import pytest

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import as_list, check_name, new_folder, open_regular, refuse_address


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


@pytest.mark.parametrize("address", ["https://a.org/b.png", "s3://b/c.tif", "gs://b/c", "HTTP://a.org", "ftp:/a/b"])
def test_an_address_is_no_path(address):
    for path in (address, Path(address)):  # a path object has made one slash of two
        with pytest.raises(DataError, match=r"is an address. Expected a path on this machine: download it first"):
            refuse_address(path)
    with pytest.raises(DataError, match="is an address"):
        open_regular(address)


def test_what_looks_a_little_like_an_address_is_a_path(tmp_path, monkeypatch):
    for path in ("C:/images", "a.png", "/a:/b", "a b:/c", "x/https:/y"):
        refuse_address(path)
    with pytest.raises(DataError, match=r"is an address. .* leave out file://"):
        refuse_address("file:///home/me/a.png")
    (tmp_path / "http:").mkdir()
    (tmp_path / "http:" / "a.png").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    with open_regular(Path("http:/a.png")) as file:  # which is there
        assert file.read() == b"1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("new/a.png", ["new/a.png"]),
        (Path("new"), [Path("new")]),
        (64, [64]),
        (("a", "b"), ["a", "b"]),
        ((name for name in "ab"), ["a", "b"]),
        ("", [""]),
        ((), []),
        (None, []),
    ],
)
def test_one_is_a_list_of_one(given, expected):
    assert as_list(given) == expected
