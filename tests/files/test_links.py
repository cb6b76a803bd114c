import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.files import refuse_links


def test_a_link_on_the_way_is_refused_and_the_root_may_be_one(tmp_path, precious):
    root = tmp_path / "root"
    root.symlink_to(precious)
    refuse_links(root, root / "figures" / "map.png")
    (precious / "figures").symlink_to(tmp_path)
    with pytest.raises(DataError, match=r"root.figures is a link, and leads elsewhere.*remove it by hand"):
        refuse_links(root, root / "figures" / "map.png", below=False)


def test_a_link_below_a_place_is_refused_also_one_to_nothing(tmp_path, precious):
    deep = tmp_path / "root" / "deep"
    deep.mkdir(parents=True)
    (deep / "gone").symlink_to(tmp_path / "nothing")
    refuse_links(tmp_path / "root", deep, below=False)
    for places in ([], [deep]):
        with pytest.raises(DataError, match=r"deep.gone is a link"):
            refuse_links(tmp_path / "root", *places)


def test_what_is_not_there_is_no_link(tmp_path):
    refuse_links(tmp_path / "nothing", tmp_path / "nothing" / "at" / "all")
