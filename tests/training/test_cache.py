import os

import pytest

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import user_cache
from keras_dhnn.training import cache


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for age, name in enumerate(("old", "middle", "new")):
        path = tmp_path / ".coast.activations" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1 << 20))
        os.utime(path, (1000 + age, 1000 + age))
    cache.networks_folder().mkdir(parents=True)
    (cache.networks_folder() / "a.tflite").write_bytes(bytes(10))
    (tmp_path / "coast").mkdir()
    return tmp_path


def names(data):
    return sorted(path.name for path in (data / ".coast.activations").iterdir())


def test_kept_says_what_every_data_set_takes(data):
    assert [(one.name, one.files, one.nbytes) for one in cache.kept(data)] == [
        ("coast", 3, 3 << 20),
        ("networks", 1, 10),
    ]


def test_clear_removes_one_or_all_and_no_data_set(data):
    assert [one.name for one in cache.clear(data, ["coast"])] == ["coast"]
    assert [one.name for one in cache.clear(data)] == ["networks"]
    assert sorted(path.name for path in data.iterdir()) == ["coast", "home"]
    assert not cache.networks_folder().exists()


def test_a_link_is_no_folder_of_ours(data):
    (data / "precious").mkdir()
    (data / ".evil.activations").symlink_to(data / "precious")
    for do in (cache.clear, lambda data: cache.activations_folder(data / "evil")):
        with pytest.raises(DataError, match=r"\.evil\.activations is a link.*remove it by hand"):
            do(data)
    assert len(names(data)) == 3  # nor is anything else removed
    (data / ".coast.activations" / ".a.npy.growing").symlink_to(data / "precious" / "file")
    with pytest.raises(DataError, match="growing is a link"):
        cache.activations_folder(data / "coast")


def test_unknown_names_are_refused_before_anything_is_removed(data):
    with pytest.raises(SettingError, match="'harbour'.*coast, networks"):
        cache.clear(data, ["coast", "harbour"])
    assert len(names(data)) == 3


def test_room_is_made_of_what_was_not_used_for_longest(data, monkeypatch):
    monkeypatch.setenv(cache.LIMIT, str(3.5 / 1024))
    folder = data / ".coast.activations"
    assert cache.make_room(folder, 1 << 20)
    assert names(data) == ["middle", "new"]
    assert cache.make_room(folder, 2 << 20, [folder / "middle"])
    assert names(data) == ["middle"]


def test_what_does_not_fit_at_all_removes_nothing(data, monkeypatch):
    monkeypatch.setenv(cache.LIMIT, str(3.5 / 1024))
    folder = data / ".coast.activations"
    assert not cache.make_room(folder, 4 << 20)
    assert not cache.make_room(folder, 3 << 20, [folder / "old"])
    assert not cache.make_room(folder, 1 << 62)
    assert len(names(data)) == 3


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(text, monkeypatch):
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(SettingError, match="a number of GiB"):
        cache.limit()


def test_another_place_by_the_environment(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    assert cache.activations_folder(data / "made").parent == data
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "elsewhere"))
    assert cache.activations_folder(data / "made") == tmp_path / "elsewhere" / ".made.activations"


def test_networks_are_the_users_whatever_the_folder_of_data_sets(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    own = tmp_path / "home" / "keras-dhnn" / ".networks"
    assert cache.networks_folder() == own
    own.mkdir(parents=True)
    (own / "a.tflite").write_bytes(bytes(10))
    (tmp_path / "data" / ".networks").mkdir(parents=True)
    assert cache.kept(tmp_path / "data") == cache.kept(tmp_path / "nowhere") == [("networks", own, 1, 10)]
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "elsewhere"))
    assert cache.networks_folder() == tmp_path / "elsewhere" / ".networks"


def test_a_user_without_a_home_keeps_no_networks(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    assert cache.networks_folder() is None
    assert cache.kept(tmp_path) == []
    with pytest.raises(DataError, match="no home folder.*XDG_CACHE_HOME"):
        user_cache()


def test_where_data_cannot_be_written_caches_go_home(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.os, "access", lambda path, mode: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    tmp_path.joinpath("data").mkdir()
    assert cache.activations_folder(tmp_path / "data" / "made").parent == tmp_path / "home" / "keras-dhnn"
