"""Zips as packers of several countries and days write them."""

import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import folder
from keras_dhnn.pipelines.formats.zip_names import member_names

CLASSES = {
    "gbk": ("港口", "森林"),
    "shift_jis": ("港湾", "森林カ"),
    "cp866": ("река", "лес"),
    "cp437": ("Häfen", "Wald"),
}


def pack(path, classes, encoding, *, extra=False):
    """A zip of three images a class whose names are written in a code page and do not say so."""
    with zipfile.ZipFile(path, "w") as file:
        for number in range(3 * len(classes)):
            name = f"{classes[number % len(classes)]}/{number}.png"
            image = np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)
            member = zipfile.ZipInfo(name.encode(encoding).decode("cp437"))
            if extra:
                body = struct.pack("<BI", 1, zlib.crc32(name.encode(encoding))) + name.encode()
                member.extra = struct.pack("<HH", 0x7075, len(body)) + body
            with file.open(member, "w") as target:
                Image.fromarray(image).save(target, "PNG")
    return path


@pytest.fixture
def packed(monkeypatch):
    """As `pack`, by a packer that knows no UTF-8."""

    def encode(self):
        return self.filename.encode("cp437"), self.flag_bits & ~0x800

    monkeypatch.setattr(zipfile.ZipInfo, "_encodeFilenameFlags", encode)
    return lambda path, classes, encoding, **how: pack(path, classes, encoding, **how)


@pytest.mark.parametrize("encoding", CLASSES)
def test_a_code_page_is_asked_for_with_what_the_name_would_be_and_then_right(packed, tmp_path, encoding):
    path = packed(tmp_path / "a.zip", CLASSES[encoding], encoding)
    with pytest.raises(DataError, match="neither ASCII nor UTF-8. Say which code page they are in") as caught:
        folder.open_archive(path)
    assert f"  {CLASSES[encoding][0]}/0.png   with --zip-encoding {encoding}" in str(caught.value)
    archive = folder.open_archive(path, zip_encoding=encoding)
    assert archive.classes == tuple(sorted(CLASSES[encoding]))
    assert len(list(archive.read([]))) == 6


def test_utf8_without_the_flag_needs_no_word(packed, tmp_path):
    path = packed(tmp_path / "a.zip", ("港口", "Häfen"), "utf-8")
    assert folder.open_archive(path).classes == ("Häfen", "港口")


def test_a_second_name_in_utf8_is_taken(packed, tmp_path):
    path = packed(tmp_path / "a.zip", CLASSES["gbk"], "gbk", extra=True)
    assert folder.open_archive(path).classes == tuple(sorted(CLASSES["gbk"]))


@pytest.mark.parametrize("encoding", ["ascii", "no-such-page"])
def test_a_wrong_code_page_is_refused(packed, tmp_path, encoding):
    path = packed(tmp_path / "a.zip", CLASSES["gbk"], "gbk")
    with pytest.raises(DataError, match=f"are not {encoding}. Say which"):
        folder.open_archive(path, zip_encoding=encoding)


def test_what_says_that_it_is_utf8_is_left_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("港口/a", b"")
    assert member_names("a", zipfile.ZipFile(tmp_path / "a.zip").infolist(), "gbk") == ["港口/a"]


def test_names_that_lead_outside_in_their_code_page_are_refused(packed, tmp_path):
    # The second byte of a Japanese sign may be a backslash: it is none.
    path = packed(tmp_path / "a.zip", ("表", "森"), "shift_jis")
    assert folder.open_archive(path, zip_encoding="shift_jis").classes == ("森", "表")
