import shutil

import numpy as np
import pytest
import tifffile

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets import dual, folder
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import write_pairs, zip_folder

OPTICAL_AND_RADAR = {"optical": ((32, 32, 4), "uint16"), "radar": ((12, 12, 2), "float32")}
PLAIN = {"pan": ((32, 32, 1), "uint8"), "mul": ((8, 8, 4), "uint8")}


@pytest.fixture
def root(tmp_path):
    return write_pairs(tmp_path / "root", PLAIN)


def sources(root, names=("pan", "mul")):
    return {name: root / name for name in names}


def read(archive):
    return list(archive.read([]))


def test_partners_are_the_images_of_one_name(root):
    archive = dual.open_archive(sources(root))
    assert (archive.classes, archive.count) == (("coast", "town"), 6)
    examples = read(archive)
    assert [e.id for e in examples] == [f"{name}/{name}{n}.tif" for name in ("coast", "town") for n in range(3)]
    assert [e.label for e in examples] == [0, 0, 0, 1, 1, 1]
    for example in examples:
        for source, (shape, _) in PLAIN.items():
            assert example.images[source].shape == shape
            stored = tifffile.imread(root / source / example.id).reshape(shape)
            np.testing.assert_array_equal(example.images[source], stored)


def test_each_source_is_what_the_folder_layout_makes_of_it(tmp_path):
    root = write_pairs(tmp_path / "root", OPTICAL_AND_RADAR)
    archive = dual.open_archive(sources(root, OPTICAL_AND_RADAR), image_size={"optical": 16})
    for source, side in (("optical", 16), ("radar", 12)):
        alone = folder.open_archive(root / source, image_size=side)
        assert archive.origin["scaling"][source] == alone.origin["scaling"]["image"]
        for pair, single in zip(archive.read([]), alone.read([]), strict=True):
            np.testing.assert_array_equal(pair.images[source], single.images["image"])
    assert any(note.startswith("radar: Pixels become") for note in archive.origin["notes"])


def test_a_prepared_data_set_knows_both_sources(tmp_path):
    root = write_pairs(tmp_path / "root", {"sar": ((8, 8, 1), "float32"), "ms": ((8, 8, 5), "uint8")})
    archive = dual.open_archive(sources(root, ("sar", "ms")), rgb_bands={"ms": (4, 3, 2)})
    info = prepare(archive, tmp_path / "data" / "mine").info
    assert {source: str(spec) for source, spec in info.images.items()} == {
        "ms": "8 x 8 x 5 uint8",
        "sar": "8 x 8 x 1 float32",
    }
    # Of both, if of one: uint8 is then said to be in 0 to 255 already.
    assert info.scaling["ms"] == {"low": [0.0] * 5, "high": [255.0] * 5}
    assert 0 < info.scaling["sar"]["high"][0] < 3000
    assert (info.rgb_bands_of("ms"), info.rgb_bands_of("sar"), info.layout) == ((4, 3, 2), (1, 2, 3), "dual")


def test_uint8_in_both_sources_is_used_as_it_is(root):
    assert dual.open_archive(sources(root)).origin["scaling"] is None


def test_suffixes_may_differ_and_zips_will_do(root, tmp_path):
    for path in list((root / "mul").glob("*/*.tif")):
        path.rename(path.with_suffix(".TIFF"))
    packed = {"pan": zip_folder(root / "pan", tmp_path / "pan.zip"), "mul": root / "mul"}
    for one, other in zip(read(dual.open_archive(packed)), read(dual.open_archive(sources(root))), strict=True):
        assert one.id == other.id
        np.testing.assert_array_equal(one.images["pan"], other.images["pan"])
        np.testing.assert_array_equal(one.images["mul"], other.images["mul"])


# --- what does not match


def test_images_without_a_partner_are_named_or_left_out(root):
    (root / "mul" / "coast" / "coast1.tif").unlink()
    (root / "pan" / "town" / "town0.tif").rename(root / "pan" / "town" / "other.tif")
    message = (
        r"(?s)4 are\. .*pan \(.*pan\): coast/coast1.tif, town/other.tif\n.*mul \(.*mul\): town/town0.tif\n.*--skip-"
    )
    with pytest.raises(DataError, match=message):
        dual.open_archive(sources(root))
    skipped = []
    assert [e.id for e in dual.open_archive(sources(root), skip_damaged=True).read(skipped)] == [
        *("coast/coast0.tif", "coast/coast2.tif"),
        *("town/town1.tif", "town/town2.tif"),
    ]
    assert [name for name, _ in skipped] == ["pan: coast/coast1.tif", "pan: town/other.tif", "mul: town/town0.tif"]
    assert "has no partner" in skipped[0][1]


def test_only_some_of_many_are_named(tmp_path):
    root = write_pairs(tmp_path, PLAIN, per_class=9)
    for number in range(2, 9):
        (root / "mul" / "town" / f"town{number}.tif").unlink()
    with pytest.raises(DataError, match=r"pan \(.*\): town/town2.tif, .*town/town6.tif and 2 more\n"):
        dual.open_archive(sources(root))


@pytest.mark.parametrize("skip", [False, True])
def test_no_pair_at_all(root, skip):
    for path in list((root / "mul").glob("*/*.tif")):
        path.rename(path.with_name("mul_" + path.name))
    with pytest.raises(DataError, match=r"(?s) 0 are\. .*Rename them: partners share a name"):
        dual.open_archive(sources(root), skip_damaged=skip)


def test_two_images_of_one_name(root):
    shutil.copy(root / "pan" / "town" / "town0.tif", root / "pan" / "town" / "town0.TIFF")
    with pytest.raises(DataError, match=r"pan: expected one image of a name, .*town/town0.TIFF, town/town0.tif"):
        dual.open_archive(sources(root))


def test_a_class_of_one_pair_only(root):
    for number in (0, 1):
        (root / "mul" / "town" / f"town{number}.tif").unlink()
    with pytest.raises(DataError, match=r"Class 'town' in .*Found 1"):
        dual.open_archive(sources(root), skip_damaged=True)


def test_a_damaged_image_is_named_with_its_source_or_its_pair_left_out(root):
    (root / "mul" / "town" / "town1.tif").write_text("no image")
    with pytest.raises(DamagedFile, match=r"^mul: town/town1.tif: is no image"):
        read(dual.open_archive(sources(root)))
    skipped = []
    assert len(list(dual.open_archive(sources(root), skip_damaged=True).read(skipped))) == 5
    assert [name for name, _ in skipped] == ["mul: town/town1.tif"]


@pytest.mark.parametrize("names", [(), ("pan",), ("pan", "mul", "sar"), ("pan", "m/l")])
def test_two_sources_by_name(root, names):
    with pytest.raises(DataError, match=r"Expected two sources by name, such as --source pan=DIR --source mul=DIR"):
        dual.open_archive({name: root / "pan" for name in names})


def test_settings_of_a_source_that_there_is_not(root):
    with pytest.raises(DataError, match=r"Expected image_size of the sources pan, mul. Received: sar"):
        dual.open_archive(sources(root), image_size={"sar": 8})


@pytest.mark.parametrize(
    "changed", [{"image_size": 16}, {"image_size": {"mul": 16}}, {"rgb_bands": {"mul": (3, 2, 1)}}]
)
def test_the_fingerprint_follows_files_and_settings(root, changed):
    before, other = dual.open_archive(sources(root)).origin, dual.open_archive(sources(root), **changed).origin
    assert dual.open_archive(sources(root)).origin == before
    assert other["fingerprint"] != before["fingerprint"]
    assert other["files"] == before["files"]
    (root / "mul" / "town" / "town1.tif").touch()
    touched = dual.open_archive(sources(root)).origin
    assert touched["fingerprint"] != before["fingerprint"]
    assert touched["files"] != before["files"]
