import pytest

from keras_dhnn.cli.bars import bars


@pytest.mark.parametrize("quiet", [True, False])
def test_bar_goes_to_stderr_unless_quiet(quiet, capsys):
    with bars(quiet)("Counting", 10, "image") as update:
        update(3)
        update(10, "loss 0.5")
    out, err = capsys.readouterr()
    assert out == ""
    assert ("10/10" in err and "loss 0.5" in err) != quiet
    assert (err == "") == quiet
