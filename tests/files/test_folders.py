import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.files import atomic_folder


@pytest.mark.parametrize("state", ["preparing", "replaced"])
@pytest.mark.parametrize("there", [True, False])
def test_a_planted_link_loses_nothing_of_what_it_leads_to(tmp_path, precious, state, there):
    place = tmp_path / "x"
    if there:
        place.mkdir()
    (tmp_path / f".x.{state}").symlink_to(precious)
    if state == "preparing":
        with pytest.raises(DataError, match=r"\.x\.preparing is a link or a file"), atomic_folder(place):
            pytest.fail("went on")
    else:
        with atomic_folder(place) as hidden:
            (hidden / "new").write_text("new")
        assert not place.is_symlink()
        assert (place / "new").read_text() == "new"
    assert (precious / "thesis.tex").read_text() == "years of work"


def test_links_that_a_killed_run_left_are_removed_without_what_they_lead_to(tmp_path, precious):
    (tmp_path / ".x.preparing").mkdir()
    (tmp_path / ".x.preparing" / "folder").symlink_to(precious)
    (tmp_path / ".x.preparing" / "file").symlink_to(precious / "thesis.tex")
    with atomic_folder(tmp_path / "x"):
        pass
    assert (precious / "thesis.tex").read_text() == "years of work"
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path, there, failure):
    place = tmp_path / "x"
    if there:
        place.mkdir()
        (place / "old").write_text("old")

    def make():
        with atomic_folder(place) as hidden:
            (hidden / "folder").mkdir()
            (hidden / "folder" / "half").write_text("half")
            raise failure

    with pytest.raises(failure):
        make()
    assert [path.name for path in tmp_path.iterdir()] == (["x"] if there else [])
    if there:
        assert [path.name for path in place.iterdir()] == ["old"]
