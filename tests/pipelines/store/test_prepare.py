import dataclasses
import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_dhnn
from keras_dhnn.errors import DataError
from keras_dhnn.files import atomic_folder
from keras_dhnn.pipelines.datasets import ucmd
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import find_prepared, prepare
from tests.fakes import make_archive, write_ucmd, zip_folder

ROOT = Path(keras_dhnn.__file__).parent.parent


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data" / "small"


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def beside(place):
    """Names in the data folder, hidden ones too."""
    return sorted(os.listdir(place.parent))


def stop_at(number, error):
    """A progress callback that raises at an item."""

    def progress(done, total):
        if done == number:
            raise error

    return progress


def test_prepare_writes_a_data_set(place):
    seen = []
    info, fresh = prepare(make_archive(count=20), place, progress=lambda done, total: seen.append((done, total)))
    assert fresh
    assert info == DatasetInfo.load(place)
    assert info.name == "small"
    assert info.classes == ("class0", "class1")
    assert not info.synthetic
    assert info.origin["fingerprint"] == "made up"
    assert info.package_version == keras_dhnn.__version__
    assert seen == [(done, 20) for done in range(1, 21)]
    assert beside(place) == ["small"]
    assert set(content(place)) == {"info.json", "items.npz", *(shard.file for shard in info.shards)}


def test_second_preparation_from_the_same_source_does_nothing(place):
    first = prepare(make_archive(), place).info
    before = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    archive = dataclasses.replace(make_archive(), read=lambda skipped: pytest.fail("the source was read again"))
    info, fresh = prepare(archive, place)
    assert not fresh
    assert info == first
    assert before == {path: path.stat().st_mtime_ns for path in place.iterdir()}


def test_force_writes_the_same_bytes_again(place):
    prepare(make_archive(), place)
    before = content(place)
    assert prepare(make_archive(), place, force=True).fresh
    assert content(place) == before
    assert beside(place) == ["small"]


def test_another_source_does_not_replace_a_finished_data_set(place):
    prepare(make_archive(), place)
    before = content(place)
    with pytest.raises(DataError, match=r"another source.*/made/up/made up.*/made/up/other.*--force"):
        prepare(make_archive(fingerprint="other"), place)
    assert content(place) == before
    assert prepare(make_archive(fingerprint="other"), place, force=True).info.origin["fingerprint"] == "other"


def with_origin(**origin):
    return dataclasses.replace(make_archive(), origin={"kind": "folder", "path": "/tiles", **origin})


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (
            {"files": "f", "image_size": 96, "rgb_bands": [1, 2, 3]},
            {"files": "f", "image_size": 64, "rgb_bands": (1, 2, 3)},
            "holds a data set from this source, with other options: --image-size 96 there, 64 here. To keep it, give "
            "the same. Replace it by --force",
        ),
        (
            {"files": "f", "path": "/moved", "rgb_bands": None},
            {"files": "f", "scaling": {"image": [1]}, "rgb_bands": {"mul": (3, 2, 1)}, "grey_to_rgb": True},
            "other options: --percentiles or --scale, --rgb-bands not given there, mul=3,2,1 here, "
            "--grey-to-rgb not given there, True here. To keep",
        ),
        (
            {"image_size": 96},
            {"files": "f", "image_size": 64},
            "other options, unless its files have changed since: --image-size 96 there",
        ),
        (
            {"files": "f", "image_size": 96},
            {"files": "g", "image_size": 64},
            "from folder /tiles, which has changed since. R",
        ),
        (
            {"files": "f", "kind": "zip"},
            {"files": "g", "kind": "zip"},
            "from zip /tiles, which has changed since (or is read with another --zip-encoding). R",
        ),
        ({}, {}, "holds a data set from folder /tiles, which has changed since. Replace"),
        (
            {"path": "/x", "image_size": 96},
            {"files": "f"},
            "from another source: folder /x. Received: folder /tiles. R",
        ),
    ],
)
def test_what_differs_is_told_options_or_source(place, before, now, message):
    prepare(with_origin(**before, fingerprint="before"), place)
    with pytest.raises(DataError, match=re.escape(message)):
        prepare(with_origin(**now, fingerprint="now"), place)
    assert not prepare(with_origin(**now, fingerprint="before"), place).fresh


def test_force_keeps_the_old_data_set_if_the_new_source_is_bad(place):
    prepare(make_archive(), place)
    before = content(place)
    with pytest.raises(DataError):
        prepare(dataclasses.replace(make_archive(fingerprint="bad"), read=lambda skipped: iter(())), place, force=True)
    assert content(place) == before
    assert beside(place) == ["small"]


@pytest.mark.parametrize("damage", ["info.json", "items.npz", "records-00001-of-00008.tfrecord"])
def test_a_damaged_data_set_is_written_anew(place, damage):
    prepare(make_archive(), place)
    before = content(place)
    (place / damage).unlink()
    assert prepare(make_archive(), place).fresh
    assert content(place) == before


def test_a_folder_with_other_files_is_never_replaced(place):
    prepare(make_archive(), place)
    (place / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="no part of a prepared data set: thesis.tex"):
        prepare(make_archive(), place, force=True)
    assert (place / "thesis.tex").exists()


def test_a_file_in_the_place_is_never_replaced(place):
    place.parent.mkdir()
    place.write_text("precious")
    with pytest.raises(DataError, match="no part of a prepared data set: small"):
        prepare(make_archive(), place, force=True)
    assert place.read_text() == "precious"


def test_a_link_to_another_disk_is_kept(place, tmp_path):
    (tmp_path / "disk").mkdir()
    place.parent.mkdir()
    place.symlink_to(tmp_path / "disk")
    assert prepare(make_archive(), place).info.name == "small"
    assert place.is_symlink()
    assert (tmp_path / "disk" / "info.json").is_file()


def test_find_prepared_of_nothing(place):
    assert find_prepared(place, make_archive().origin) is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("bad image")], ids=["Ctrl-C", "bad source"])
def test_an_interrupted_preparation_leaves_nothing(place, error):
    with pytest.raises((KeyboardInterrupt, DataError)):
        prepare(make_archive(), place, progress=stop_at(7, error))
    assert beside(place) == []
    assert prepare(make_archive(), place).fresh


def test_a_killed_preparation_leaves_nothing_that_looks_finished_and_runs_again(place):
    code = (
        "import sys, time; from tests.fakes import make_archive\n"
        "from keras_dhnn.pipelines.store.prepare import prepare\n"
        "def progress(done, total):\n    if done == 7: print('half', flush=True); time.sleep(60)\n"
        f"prepare(make_archive(), {str(place)!r}, progress=progress)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout.readline() == b"half\n"
    with pytest.raises(DataError, match="Another process is preparing"):
        prepare(make_archive(), place)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert beside(place) == [".small.preparing"]
    (place.parent / ".small.preparing" / "records-00007-of-00099.tfrecord").write_bytes(b"left")
    with pytest.raises(DataError, match="No prepared data set"):
        DatasetInfo.load(place)
    assert prepare(make_archive(), place).fresh
    assert beside(place) == ["small"]
    undisturbed = prepare(make_archive(), place.with_name("undisturbed")).info
    assert content(place).keys() == content(undisturbed.directory).keys()
    assert DatasetInfo.load(place).shards == undisturbed.shards


def test_a_run_killed_while_replacing_gives_the_old_data_set_back(place):
    prepare(make_archive(), place)
    before = content(place)
    place.rename(place.with_name(".small.replaced"))
    with pytest.raises(DataError):
        prepare(dataclasses.replace(make_archive(), read=lambda skipped: iter(())), place)
    assert content(place) == before
    assert beside(place) == ["small"]


def test_two_preparations_at_once_are_refused(place):
    with atomic_folder(place), pytest.raises(DataError, match=r"Another process is preparing .*Wait"):
        prepare(make_archive(), place)


@pytest.fixture
def largest_file():
    """Function that lets files grow to so many bytes only: as a full disk, the writes fail."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("share", [0.3, 0.999], ids=["while reading", "while TensorFlow writes"])
def test_a_full_disk_leaves_nothing(place, largest_file, share):
    archive = make_archive(images={"image": ((64, 64, 3), "uint8")})
    shard = prepare(archive, place.with_name("measured"), shards=1).info.shards[0]
    largest_file(int(shard.bytes * share))
    with pytest.raises(DataError, match=r"Cannot write .*small: .*Free space or choose"):
        prepare(archive, place, shards=1)
    largest_file(resource.RLIM_INFINITY)
    assert beside(place) == ["measured"]
    assert prepare(archive, place).fresh


def test_an_error_of_the_disk_is_told(place, monkeypatch):
    def full(path, *args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(DataError, match=r"Cannot write .*small: No space left on device"):
        prepare(make_archive(), place)
    assert beside(place) == []


def test_an_output_folder_that_cannot_be_written_is_told():
    with pytest.raises(DataError, match=r"Cannot write /proc/keras-dhnn/small"):
        prepare(make_archive(), "/proc/keras-dhnn/small")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_output_folder_is_told(place):
    place.parent.mkdir(mode=0o500)
    with pytest.raises(DataError, match=r"Cannot write .*Permission denied"):
        prepare(make_archive(), place)


def test_large_data_sets_get_more_shards(place, monkeypatch):
    monkeypatch.setattr("keras_dhnn.pipelines.store.prepare._SHARD_BYTES", 400)
    assert len(prepare(make_archive(count=20), place).info.shards) == 10  # 20 images of 192 bytes


def test_ucmd_from_folder_and_zip_has_the_same_checksum(place, tmp_path):
    root = write_ucmd(tmp_path / "root")
    folder = prepare(ucmd.open_archive(root), place).info
    packed = zip_folder(root, tmp_path / "UCMerced_LandUse.zip")
    with pytest.raises(DataError, match="another source"):
        prepare(ucmd.open_archive(packed), place)
    zipped = prepare(ucmd.open_archive(packed), place.with_name("zipped"), shards=2, seed=1).info
    assert folder.checksum == zipped.checksum
    assert (folder.origin["kind"], zipped.origin["kind"]) == ("folder", "zip")
    assert str(folder.images["image"]) == "256 x 256 x 3 uint8"


def test_ucmd_records_what_was_skipped(place, tmp_path):
    root = write_ucmd(tmp_path / "root")
    (root / "UCMerced_LandUse/Images/beach/beach02.tif").write_text("no image")
    with pytest.raises(DataError, match=r"beach/beach02.tif: is no image of a known format"):
        prepare(ucmd.open_archive(root), place)
    assert beside(place) == []
    info = prepare(ucmd.open_archive(root, skip_damaged=True), place, synthetic=True).info
    assert info.count == 8
    assert info.class_counts == (3, 2, 3)
    assert info.synthetic
    assert [name for name, _ in info.skipped] == ["beach/beach02.tif"]
    assert json.loads((place / "info.json").read_text())["skipped"][0][0] == "beach/beach02.tif"
    assert not prepare(ucmd.open_archive(root, skip_damaged=True), place).fresh


def test_no_op_takes_no_time_and_no_tensorflow(place):
    prepare(make_archive(), place)
    code = (
        "import sys; from tests.fakes import make_archive; from keras_dhnn.pipelines.store.prepare import prepare; "
        f"assert not prepare(make_archive(), {str(place)!r}).fresh; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
