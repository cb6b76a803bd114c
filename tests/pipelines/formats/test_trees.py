import os
import struct
import zipfile

import pytest

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.trees import open_tree
from tests.fakes import zip_folder

INSIDE = ("Data/Images", "Images")
FILES = {"a/1.tif": b"one", "a/2.tif": b"two", "b/1.tif": b"three"}


def write_files(root, files=FILES):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def write_zip(path, *members, **options):
    """A zip of (ZipInfo or name, content) members, unchecked."""
    with zipfile.ZipFile(path, "w", **options) as file:
        for member, content in members:
            file.writestr(member, content)
    return path


@pytest.fixture(params=["folder", "zip"])
def packed(request, tmp_path):
    """Function from a folder to a path that `open_tree` takes: the folder itself, or a zip of it."""
    return (lambda root: root) if request.param == "folder" else lambda root: zip_folder(root, tmp_path / "packed.zip")


def test_tree_lists_and_reads_files_sorted(tmp_path, packed):
    tree = open_tree(packed(write_files(tmp_path / "root")))
    assert list(tree.files.items()) == [("a/1.tif", 3), ("a/2.tif", 3), ("b/1.tif", 5)]
    assert tree.folders == ["a", "b"]
    assert tree.misplaced == []
    assert {name: tree.read(name) for name in tree.files} == FILES


@pytest.mark.parametrize("above", ["", "Images", "Data/Images"])
def test_tree_starts_at_the_most_specific_inner_folder(tmp_path, packed, above):
    write_files(tmp_path / "root" / above)
    if above:
        write_files(tmp_path / "root", {"readme.txt": b"not listed"})
    assert list(open_tree(packed(tmp_path / "root"), INSIDE).files) == list(FILES)


def test_tree_lists_what_lies_elsewhere_as_misplaced(tmp_path, packed):
    write_files(tmp_path / "root", FILES | {"top.tif": b"", "a/deep/1.tif": b"", "a/deep/deeper/1.tif": b""})
    tree = open_tree(packed(tmp_path / "root"))
    assert list(tree.files) == list(FILES)
    assert {name.split("/")[-1] for name in tree.misplaced} >= {"top.tif"}
    assert any(name.startswith("a/deep") for name in tree.misplaced)


def test_tree_ignores_the_litter_of_operating_systems(tmp_path, packed):
    litter = {"a/.DS_Store": b"", "b/Thumbs.db": b"", ".DS_Store": b"", "__MACOSX/a/._1.tif": b"", "a/._1.tif": b""}
    tree = open_tree(packed(write_files(tmp_path / "root", FILES | litter)))
    assert list(tree.files) == list(FILES)
    assert tree.folders == ["a", "b"]
    assert tree.misplaced == []


def test_fingerprint_is_the_same_for_the_same_source(tmp_path, packed):
    path = packed(write_files(tmp_path / "root"))
    assert open_tree(path).origin == open_tree(path).origin


def test_fingerprint_of_a_folder_changes_with_size_time_and_name(tmp_path):
    root = write_files(tmp_path / "root")
    seen = {open_tree(root).origin["fingerprint"]}
    os.utime(root / "a/1.tif", (1, 1))
    seen.add(open_tree(root).origin["fingerprint"])
    (root / "a/1.tif").rename(root / "a/3.tif")
    seen.add(open_tree(root).origin["fingerprint"])
    (root / "a/3.tif").write_bytes(b"longer")
    os.utime(root / "a/3.tif", (1, 1))
    seen.add(open_tree(root).origin["fingerprint"])
    assert len(seen) == 4


def test_fingerprint_of_a_zip_changes_with_content(tmp_path):
    one = write_zip(tmp_path / "1.zip", ("a/1.tif", b"one"))
    two = write_zip(tmp_path / "2.zip", ("a/1.tif", b"two"))
    assert open_tree(one).origin["fingerprint"] != open_tree(two).origin["fingerprint"]


def test_open_rejects_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match="Expected a folder or a zip file. There is neither at"):
        open_tree(tmp_path / "missing")


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + b"\0" * 100])
def test_open_rejects_a_file_that_is_not_a_zip(tmp_path, content):
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DataError, match="no intact zip"):
        open_tree(tmp_path / "x.zip")


def test_open_rejects_a_truncated_zip(tmp_path):
    path = zip_folder(write_files(tmp_path / "root"), tmp_path / "x.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="no intact zip"):
        open_tree(path)


@pytest.mark.parametrize(
    "name", ["../evil.tif", "a/../../evil.tif", "a/..", "/etc/evil.tif", "C:/evil.tif", "..\\evil.tif", "a\\evil.tif"]
)
def test_open_rejects_a_zip_whose_members_lead_outside(tmp_path, name):
    (tmp_path / "inner").mkdir()
    path = write_zip(tmp_path / "inner" / "x.zip", (name, b"evil"))
    with pytest.raises(DataError, match=r"not safe to read.* its member .* (absolute|outside)"):
        open_tree(path)
    assert [entry.name for entry in tmp_path.rglob("*") if entry.is_file()] == ["x.zip"]


def test_open_rejects_a_zip_with_a_symbolic_link(tmp_path):
    link = zipfile.ZipInfo("a/1.tif")
    link.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match=r"'a/1.tif' is a symbolic link"):
        open_tree(write_zip(tmp_path / "x.zip", (link, "/etc/passwd")))


def test_open_rejects_an_encrypted_zip(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"one"))
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1  # the flag in the member's entry of the directory
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"'a/1.tif' is encrypted; unpack it yourself"):
        open_tree(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_open_rejects_compression_that_cannot_be_bounded(tmp_path, method):
    with pytest.raises(DataError, match="compressed otherwise than by deflate"):
        open_tree(write_zip(tmp_path / "x.zip", ("a/1.tif", b"one"), compression=method))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_open_rejects_a_name_listed_twice(tmp_path):
    with pytest.raises(DataError, match=r"'a/1.tif' is listed twice"):
        open_tree(write_zip(tmp_path / "x.zip", ("a/1.tif", b"one"), ("a/1.tif", b"two")))


def test_open_rejects_a_member_that_declares_too_much(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"\0" * 5000), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"'a/1.tif' declares 5,000 bytes, where at most 4,999 are allowed"):
        open_tree(path, limits=Limits(file_bytes=4999))
    open_tree(path, limits=Limits(file_bytes=5000))


def test_open_rejects_members_that_declare_too_much_together(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"\0" * 500), ("a/2.tif", b"\0" * 500))
    with pytest.raises(DataError, match=r"its members declare 1,000 bytes, where at most 999 are allowed"):
        open_tree(path, limits=Limits(total_bytes=999))


def test_open_rejects_too_many_files(tmp_path, packed):
    with pytest.raises(DataError, match=r"more than 2 files|at most 2 are allowed"):
        open_tree(packed(write_files(tmp_path / "root")), limits=Limits(files=2))


def test_read_is_bounded_by_the_declared_size_when_the_header_lies(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"\0" * 10_000_000), compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    for signature, position in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", content, content.index(signature) + position, 100)
    path.write_bytes(content)
    tree = open_tree(path)
    assert tree.files == {"a/1.tif": 100}
    with pytest.raises(DamagedFile, match=r"a/1.tif: cannot be unpacked"):
        tree.read("a/1.tif")


def test_read_reports_a_member_that_fails_its_checksum(tmp_path):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"one and more"))
    content = path.read_bytes().replace(b"one and more", b"one and less")
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"a/1.tif: cannot be unpacked .*CRC"):
        open_tree(path).read("a/1.tif")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (b"\x20\x00", b"\x20\x00", "patched"),  # of the flags, in the local and in the central directory
        (b"\x00\x08", b"\x00\x08", "utf-8|codec"),
    ],
    ids=["patched", "name"],
)
def test_read_reports_a_member_whose_header_says_what_cannot_be_read(tmp_path, first, second, message):
    path = write_zip(tmp_path / "x.zip", ("a/1.tif", b"one"), ("a/2.tif", b"two"))
    content = bytearray(path.read_bytes())
    local, central = content.index(b"PK\3\4"), content.index(b"PK\1\2")
    content[local + 6 : local + 8], content[central + 8 : central + 10] = first, second
    if "utf" in message:
        content[local + 30] = 0xFF
    path.write_bytes(content)
    tree = open_tree(path)
    with pytest.raises(DamagedFile, match=rf"a/1.tif: cannot be unpacked \(.*({message})") as raised:
        tree.read("a/1.tif")
    assert raised.value.name == "a/1.tif"
    assert tree.read("a/2.tif") == b"two"


def test_read_reports_a_file_that_is_too_large_or_gone(tmp_path):
    tree = open_tree(write_files(tmp_path / "root"), limits=Limits(file_bytes=4))
    with pytest.raises(DamagedFile, match=r"b/1.tif: has 5 bytes; at most 4 are allowed"):
        tree.read("b/1.tif")
    (tmp_path / "root/a/1.tif").unlink()
    with pytest.raises(DamagedFile, match=r"a/1.tif: cannot be read \(No such file"):
        tree.read("a/1.tif")


def test_listing_never_waits_for_a_pipe(tmp_path):
    root = write_files(tmp_path / "root")
    os.mkfifo(root / "a/pipe.tif")
    tree = open_tree(root)
    assert tree.misplaced == ["a/pipe.tif"]
    assert list(tree.files) == list(FILES)
