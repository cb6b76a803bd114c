import pytest

from keras_dhnn.files import guarded, unguarded


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("+1", "'+1"),
        ("-x.png", "'-x.png"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("'=1", "''=1"),
        ("''-", "'''-"),
        ("harbour", "harbour"),
        ("'quoted'", "'quoted'"),
        ("'", "'"),
        ("", ""),
        ("a=b", "a=b"),
    ],
)
def test_texts_are_no_formulas_and_come_back(text, cell):
    assert guarded(text) == cell
    assert unguarded(cell) == text


@pytest.mark.parametrize("value", [-3, -0.5, None])
def test_what_is_no_text_stays(value):
    assert guarded(value) is value
