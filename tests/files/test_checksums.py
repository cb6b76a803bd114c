import hashlib
import json
import zlib

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.files.checksums import LIST, checksum, crc32, damage, read_list, relisted, write_list


@pytest.mark.parametrize("nbytes", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_crc32_is_zlibs_of_the_next_bytes(tmp_path, nbytes):
    content = np.random.default_rng(0).bytes(5 + (3 << 20))
    (tmp_path / "a").write_bytes(content)
    with open(tmp_path / "a", "rb") as file:
        file.seek(3)
        assert crc32(file, nbytes) == zlib.crc32(content[3 : 3 + nbytes])
        assert file.tell() == 3 + nbytes


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"other")
    write_list(tmp_path, ["a", "b"])
    return tmp_path


def test_sha256_of_abc(folder):
    # FIPS 180-4, the example of one block.
    assert checksum(folder / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_checksum_is_of_the_whole_content(tmp_path, algorithm):
    content = np.random.default_rng(0).bytes((1 << 20) + 7)  # more than is read at a time
    (tmp_path / "a").write_bytes(content)
    assert checksum(tmp_path / "a", algorithm) == hashlib.new(algorithm, content).hexdigest()


def test_whole_files_are_not_damaged(folder):
    assert damage(folder, read_list(folder)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"abd", "a has changed"), (b"ab", "a has 2 bytes instead of 3"), (None, "a is missing"), (b"", "0 bytes")],
)
def test_damage_is_named(folder, content, said):
    (folder / "a").unlink()
    if content is not None:
        (folder / "a").write_bytes(content)
    (found,) = damage(folder, read_list(folder))
    assert said in found


@pytest.mark.parametrize("name", ["x" * 5000, "../b", "/etc/passwd", "", ".", "a\0", "\ud800"])
def test_a_list_of_what_is_not_in_the_folder_is_damaged(folder, name):
    listed = {"a": {"bytes": 3, "sha256": ""}, name: {"bytes": 1, "sha256": ""}}
    (folder / LIST).write_text(json.dumps({"files": listed}))
    with pytest.raises(DataError, match=r"files.json is damaged: it lists .*, which is no file of that folder. Remove"):
        read_list(folder)


def test_sizes_alone_do_not_read(folder):
    (folder / "a").write_bytes(b"abd")
    assert damage(folder, read_list(folder), content=False) == []


def test_a_replaced_file_is_never_taken_for_a_damaged_one(folder):
    with relisted(folder, "a"):
        assert damage(folder, read_list(folder)) == []
        (folder / "a").write_bytes(b"new")
        assert damage(folder, read_list(folder)) == []
    assert damage(folder, read_list(folder)) == []
    (folder / "a").write_bytes(b"old")
    assert damage(folder, read_list(folder)) == ["a has changed since it was written"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": {"a": 1}}', b"\xff"])
def test_a_damaged_list_is_named(folder, content):
    (folder / LIST).write_bytes(content)
    with pytest.raises(DataError, match=LIST):
        read_list(folder)


def test_without_a_list_nothing_is_checked(tmp_path):
    assert read_list(tmp_path) == {}
