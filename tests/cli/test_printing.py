import json

import pytest

from keras_dhnn.cli.bars import notices
from keras_dhnn.cli.printing import printable
from tests.archives import make_archive, random_codes

HOSTILE = "[/red] \x1b]0;pwned\x07\x1b[31mX\x1b[2J\x9b1mé 漢字"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, é 漢字 🛰\ufe0f ½ \\x1b", "plain, é 漢字 🛰\ufe0f ½ \\x1b"),
        ("no\u00a0break\u3000wide", "no\u00a0break\u3000wide"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\rb\nc\td\x7f\x9b", "a\\rb\\nc\\td\\x7f\\x9b"),
        ("gnp.\u202egpj", "gnp.\\u202egpj"),
        ("caf\udce9", "caf\\udce9"),
        (12, "12"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text, expected):
    assert printable(text) == expected


def test_lines_stay_lines_where_they_are_wanted():
    assert printable("one\n\ttwo\r\x1b", lines=True) == "one\n\ttwo\\r\\x1b"


def test_notices_are_escaped(capsys):
    notices(False)("Not searched: \x1b[2Jbad.png is no image\nNext")
    notices(True)("nothing")
    assert capsys.readouterr().err == "Not searched: \\x1b[2Jbad.png is no image\nNext\n"


def test_labels_and_ids_of_an_archive_do_not_reach_the_terminal(run, tmp_path):
    ids = [f"{number}\x1b]0;id\x07\n" for number in range(5)]
    archive = make_archive(tmp_path / "a", random_codes(5), ids=ids, label=[HOSTILE] * 5)
    status, out, err = run("search", archive.root, ids[0], "-k", 2)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "0\\x1b]0;id\\x07\\n"
    assert lines[2].endswith("[/red] \\x1b]0;pwned\\x07\\x1b[31mX\\x1b[2J\\x9b1mé 漢字  0\\x1b]0;id\\x07\\n")
    assert len(lines) == 4
    status, out, _ = run("search", archive.root, ids[0], "-k", 2, "--json")
    assert json.loads(out)["results"][0]["label"] == HOSTILE
    for verb in (("archive", "info"), ("archive", "dedupe", "--radius", 64)):
        status, out, _ = run(*verb[:2], archive.root, *verb[2:])
        assert status == 0
        assert "\\x1b]0;" in out
        assert "\x1b" not in out
        assert "\x07" not in out


def test_names_in_errors_do_not_reach_the_terminal(run, tmp_path):
    status, out, err = run("search", tmp_path / "\x1b[2Jé漢\x07", "x")
    assert (status, out) == (2, "")
    assert "\\x1b[2Jé漢\\x07" in err
    assert "\x1b" not in err


def test_names_of_files_that_are_left_out_do_not_reach_the_terminal(run, monkeypatch):
    skipped = [{"name": "\x1b[2Jé.png", "reason": "is no image\x07"}]
    found = {"archive": "a", "items": 1, "added": 1, "replaced": 0, "known": 0, "relabelled": 0, "skipped": skipped}
    monkeypatch.setattr("keras_dhnn.workflows.encode.encode", lambda *_, **__: found)
    status, _, err = run("encode", "efficientnet_lite0", "images", "--archive", "a")
    assert (status, err) == (0, "left out: \\x1b[2Jé.png: is no image\\x07\n")
