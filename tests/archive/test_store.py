import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from keras_dhnn.archive import Archive, Identity, make_rows
from keras_dhnn.archive.maintenance import compact, remove, verify
from keras_dhnn.errors import DataError, SettingError
from tests.archives import make_archive, random_codes, tile_rows
from tests.full_disk import full_disk

IDENTITY = Identity("a" * 64, 64)
PROCESSES = multiprocessing.get_context("spawn")


def ids_of(path):
    return Archive.open(path).rows(["id"])["id"].to_pylist()


def test_rows_come_back_as_they_were_put_in(tmp_path):
    codes = random_codes(300, 96)
    rows = tile_rows(codes)
    archive = make_archive(tmp_path / "a", codes, parts=3)
    assert archive.info.rows == 300
    assert archive.rows().sort_by("id").equals(rows.sort_by("id"))
    found = archive.codes()
    np.testing.assert_array_equal(found.codes, codes[np.argsort(rows["id"].to_pylist())])


def test_the_same_rows_twice_are_there_once(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(50))
    again = archive.append(tile_rows(random_codes(50)))
    assert again == (0, 0, 50)
    assert archive.info.rows == 50
    assert archive.info.files == 1


@pytest.mark.parametrize("which", [0, 1, -1])
def test_the_first_and_the_last_of_a_file_are_found_alone(tmp_path, which):
    codes = random_codes(9)
    archive = make_archive(tmp_path / "a", codes, parts=3)
    rows = tile_rows(codes)
    part = archive.parts[1]
    wanted = sorted(rows.take(list(range(1, 9, 3)))["id"].to_pylist())[which]
    assert which == 1 or wanted in (part.first, part.last)
    one = rows.filter([key == wanted for key in rows["id"].to_pylist()])
    assert archive.append(one) == (0, 0, 1)
    assert archive.append(one.set_column(one.schema.get_field_index("content"), "content", pa.array([-1]))) == (0, 1, 0)
    assert sorted(ids_of(archive.root)) == sorted(rows["id"].to_pylist())
    assert archive.known([wanted]) == {wanted: -1}


def test_an_item_with_other_content_is_replaced(tmp_path):
    codes = random_codes(50)
    archive = make_archive(tmp_path / "a", codes)
    rows = tile_rows(codes)
    changed = tile_rows(255 - codes, content=np.where(np.arange(50) == 7, -1, np.arange(50)))
    assert archive.append(changed) == (0, 1, 49)
    assert archive.info.rows == 50
    np.testing.assert_array_equal(archive.queries([rows["id"][7].as_py()]).codes, 255 - codes[7:8])
    np.testing.assert_array_equal(archive.queries([rows["id"][8].as_py()]).codes, codes[8:9])


def test_what_is_no_utf_8_is_no_item(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(5))
    first = ids_of(tmp_path / "a")[0]
    assert list(archive.known(["x\udcff", first])) == [first]
    for ids in (["x\udcff"], [first, "x\udcff"]):
        with pytest.raises(SettingError, match="has no item 'x"):
            archive.queries(ids)


@pytest.mark.parametrize("most", [0, 3000])
def test_a_full_disk_is_named_and_loses_nothing(tmp_path, most):
    archive = make_archive(tmp_path / "a", random_codes(50))
    before = ids_of(tmp_path / "a")
    more = tile_rows(random_codes(90)[50:], ids=[f"more {number}" for number in range(40)])
    with pytest.raises(OSError, match="File too large") as caught, full_disk(most):
        archive.append(more)
    assert Path(caught.value.filename).is_relative_to(tmp_path / "a")
    assert ids_of(tmp_path / "a") == before
    assert archive.append(more) == (40, 0, 0)
    assert not list((tmp_path / "a").rglob("*.partial"))
    assert sorted(ids_of(tmp_path / "a")) == sorted([*before, *more["id"].to_pylist()])


def test_ids_may_hold_quotes_newlines_and_other_scripts(tmp_path):
    ids = ["it's", 'a "b"', "two\nlines", "%_*[x]", "', (SELECT 1)) --", "日本/海.tif", ""]
    codes = random_codes(len(ids))
    archive = Archive.create(tmp_path / "it's [a] *folder*", IDENTITY)
    archive.append(tile_rows(codes, ids))
    archive.append(tile_rows(codes, ids))
    for number, key in enumerate(ids):
        assert archive.search(archive.queries([key]), 1).table["id"].to_pylist() == [key]
        np.testing.assert_array_equal(archive.queries([key]).codes, codes[number : number + 1])
    assert remove(archive, ids=["it's", "two\nlines"]) == 2
    assert sorted(ids_of(archive.root)) == sorted(set(ids) - {"it's", "two\nlines"})


def test_sources_are_kept_apart(tmp_path):
    codes = random_codes(20)
    archive = make_archive(tmp_path / "a", codes, source="pan")
    archive.append(tile_rows(255 - codes), "mul")
    assert archive.info.sources == {"pan": 20, "mul": 20}
    assert archive.search(codes[:1], 1, source="pan").table["distance"].to_pylist() == [0]
    with pytest.raises(ValueError, match="Name one of them"):
        archive.codes()
    with pytest.raises(ValueError, match="letters, digits"):
        archive.append(tile_rows(codes), "../up")


def test_codes_of_another_model_are_refused(tmp_path):
    make_archive(tmp_path / "a", random_codes(5))
    with pytest.raises(DataError, match="Distances between codes of two models mean nothing"):
        Archive.create(tmp_path / "a", Identity("b" * 64, 64))
    with pytest.raises(DataError, match="32 bits"):
        Archive.create(tmp_path / "a", Identity("a" * 64, 32))
    with pytest.raises(DataError, match="keeps 0 features"):
        Archive.create(tmp_path / "a", Identity("a" * 64, 64, features=8))
    with pytest.raises(ValueError, match="Expected rows of 64 bits"):
        Archive.open(tmp_path / "a").append(tile_rows(random_codes(5, 96)))
    with pytest.raises(DataError, match="There is no archive"):
        Archive.open(tmp_path / "b")


def test_a_foreign_file_is_not_searched_and_a_swapped_one_is_found(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(5))
    other = make_archive(tmp_path / "b", random_codes(5, seed=1))
    foreign = Archive.create(tmp_path / "c", Identity("c" * 64, 64))
    foreign.append(tile_rows(random_codes(5, seed=2)))
    place = archive.root / archive.parts[0].name
    place.with_name("part-other.parquet").write_bytes((other.root / other.parts[0].name).read_bytes())
    assert Archive.open(archive.root).info.rows == 5
    place.write_bytes((foreign.root / foreign.parts[0].name).read_bytes())
    (fault,) = verify(Archive.open(archive.root))
    assert "another model (cccccccccccc)" in fault.reason


def test_a_truncated_file_is_named_and_can_be_dropped(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(3000), parts=3)
    bad = archive.root / archive.parts[1].name
    bad.write_bytes(bad.read_bytes()[:-100])
    fresh = Archive.open(archive.root)
    with pytest.raises(DataError, match="archive verify"):
        fresh.search(random_codes(1), 5)
    with pytest.raises(DataError, match=r"part-.*is damaged"):
        fresh.codes()
    (fault,) = verify(fresh, drop_damaged=True)
    assert fault.rows == 1000
    assert str(fault) == f"{fault.name} (1,000 items): {fault.reason}"
    assert len(fresh.search(random_codes(1), 5)) == 5
    assert fresh.info.rows == 2000
    assert verify(fresh) == []
    assert bad.with_name(f"{bad.name}.damaged").exists()


@pytest.mark.parametrize("folder", ["a", "a [1] *"])
def test_a_missing_file_is_named(tmp_path, folder):
    archive = make_archive(tmp_path / folder, random_codes(30), parts=2)
    gone = archive.parts[0].file(archive.root)
    Path(gone).unlink()
    with pytest.raises(DataError, match=f"^{re.escape(gone)} is missing from the archive"):
        Archive.open(archive.root).search(random_codes(1), 5)
    assert verify(archive)[0].reason == "is missing"


def test_damaged_json_is_named(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(5))
    (archive.root / "parts.json").write_text('{"parts": [')
    with pytest.raises(DataError, match=r"parts\.json is damaged"):
        Archive.open(archive.root)


def test_files_that_no_list_names_any_more_are_never_taken_for_leftovers(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(5))
    held = Path(archive.root, archive.parts[0].name)
    listed = (archive.root / "parts.json").read_bytes()
    (archive.root / "parts.json").unlink()
    for use in (
        lambda: Archive.open(archive.root),
        lambda: archive.append(tile_rows(random_codes(4, seed=1))),
        lambda: compact(archive),
        lambda: verify(archive),
    ):
        with pytest.raises(DataError, match=r"parts\.json is missing, which lists .* Restore it"):
            use()
    assert held.exists()
    (archive.root / "parts.json").write_bytes(listed)
    assert Archive.open(archive.root).info.rows == 5


def test_an_archive_that_lost_its_identity_gets_no_other(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(5))
    own = (archive.root / "archive.json").read_bytes()
    (archive.root / "archive.json").unlink()
    with pytest.raises(DataError, match=r"archive\.json is missing, which says whose codes .* Restore it"):
        Archive.create(archive.root, archive.identity)
    (archive.root / "archive.json").write_bytes(own)
    assert Archive.open(archive.root).info.rows == 5


def test_compaction_keeps_every_row_and_answer(tmp_path):
    codes = random_codes(1000, distinct=40)
    archive = make_archive(tmp_path / "a", codes, parts=10)
    reader = Archive.open(archive.root)
    before = reader.search(codes[:3], 20).table
    rows = archive.rows().sort_by("id")
    assert compact(archive) == (10, 1)
    assert archive.rows().sort_by("id").equals(rows)
    # The reader still has the files of before in mind, which are gone.
    assert reader.search(codes[:3], 20).table["id"].equals(before["id"])
    assert len(list((archive.root / "data").rglob("*"))) == 2
    assert compact(archive, rows=100) == (1, 1)


def test_removal_rewrites_only_files_that_hold_the_items(tmp_path):
    archive = Archive.create(tmp_path / "a", IDENTITY)
    for first in (0, 100, 200):
        archive.append(tile_rows(random_codes(100, seed=first), [f"{first + n:03d}" for n in range(100)]))
    kept = {part.name for part in archive.parts}
    before = archive.parts
    with pytest.raises(SettingError, match="no item 'nowhere', 'neither' of source 'image'. Nothing was taken out"):
        remove(archive, ids=["150", "nowhere", "neither"])
    assert (archive.refresh(), archive.parts) == (False, before)
    assert remove(archive, ids="149") == 1
    assert remove(archive, ids=["150", "151", "nowhere"], missing_ok=True) == 2
    assert remove(archive, ids=[]) == 0
    assert len(kept & {part.name for part in archive.parts}) == 2
    assert remove(archive, where="label = 'sea' and id < '100'") == 33
    assert remove(archive, where="id >= '200'") == 100
    assert archive.info.rows == 300 - 3 - 33 - 100
    assert archive.info.files == 2
    with pytest.raises(ValueError, match="Expected ids, or a condition"):
        remove(archive)


def test_what_is_no_id_takes_nothing_out(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(30), parts=2)
    before = archive.parts
    assert remove(archive, ids=[]) == 0
    assert remove(archive, ids=["x\udcff"], missing_ok=True) == 0
    first = ids_of(tmp_path / "a")[0]
    with pytest.raises(SettingError, match=r"has no item 'x\\udcff'"):
        remove(archive, ids=["x\udcff", first])
    assert archive.parts == before
    assert remove(archive, ids=["x\udcff", first], missing_ok=True) == 1


def append_pieces(path, first, count, seed):
    """Appends `count` pieces of 20 rows, of which every second is common to all callers."""
    archive = Archive.create(path, IDENTITY)
    for piece in range(first, first + count):
        ids = [f"{piece:03d}-{number:02d}-{'all' if number % 2 else seed}" for number in range(20)]
        archive.append(make_rows(ids, random_codes(20), content=np.arange(20)))
        if piece % 5 == 4:
            compact(archive)


def test_two_writers_at_once_lose_and_double_nothing(tmp_path):
    writers = [PROCESSES.Process(target=append_pieces, args=(tmp_path / "a", 0, 15, seed)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    expected = {f"{p:03d}-{n:02d}-{w}" for p in range(15) for n in range(20) for w in (("all",) if n % 2 else (1, 2))}
    found = ids_of(tmp_path / "a")
    assert sorted(found) == sorted(expected)
    assert verify(Archive.open(tmp_path / "a")) == []


def in_threads(count, work):
    """Runs a function in so many threads at once; returns what they raised."""
    raised, start = [], threading.Barrier(count)

    def run():
        start.wait()
        try:
            work()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_what_another_compacted_is_seen_by_all_threads(tmp_path):
    codes = random_codes(300)
    for trial in range(8):
        archive = make_archive(tmp_path / f"{trial}", codes, parts=5)
        compact(Archive.open(archive.root))
        found = []
        assert in_threads(4, lambda archive=archive, found=found: found.append(archive.codes().ids.tolist())) == []
        assert found == [sorted(tile_rows(codes)["id"].to_pylist())] * 4


def test_a_reader_looks_again_though_another_thread_saw_the_change(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(30), parts=3)
    compact(Archive.open(archive.root))
    first = archive.parts[0].file(archive.root)
    reads = []

    def read():
        reads.append(len(archive.parts))
        if len(reads) == 1:
            archive.refresh()  # as another thread does meanwhile
            raise FileNotFoundError(2, "No such file", first)
        return "read"

    assert (archive.attempt(read), reads) == ("read", [3, 1])


@pytest.mark.parametrize("memory", [False, True])
def test_threads_search_while_one_of_them_appends(tmp_path, memory):
    codes = random_codes(2000)
    archive = make_archive(tmp_path / "a", codes)
    if memory:
        archive.load()
    expected = archive.search(codes[:1], 3).table["id"].to_pylist()
    numbers, far = iter(range(24)), 255 - codes[:1]

    def work():
        number = next(numbers)
        if number % 3 == 0:
            assert archive.append(tile_rows(far, [f"new{number:02d}"])) == (1, 0, 0)
        for _ in range(4):
            assert archive.search(codes[:1], 3).table["id"].to_pylist() == expected

    for _ in range(4):
        assert in_threads(6, work) == []
    assert archive.info.rows == 2000 + 8


@pytest.mark.slow
def test_killed_writers_leave_whole_archives(tmp_path):
    """Kills at random moments of appending and compacting; what is there then is whole, and work goes on from it."""
    rng = np.random.default_rng(0)
    for _ in range(6):
        writer = PROCESSES.Process(target=append_pieces, args=(tmp_path / "a", 0, 40, 1))
        writer.start()
        seen = len(ids_of(tmp_path / "a")) if (tmp_path / "a" / "archive.json").exists() else 0
        while not (tmp_path / "a" / "archive.json").exists() or Archive.open(tmp_path / "a").info.rows <= seen:
            assert writer.is_alive() or seen == 800
            if seen == 800:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        writer.kill()
        writer.join()
        found = ids_of(tmp_path / "a")
        assert len(found) == len(set(found)) >= seen
        assert len(found) % 20 == 0
        assert verify(Archive.open(tmp_path / "a")) == []
    append_pieces(tmp_path / "a", 0, 40, 1)
    assert len(ids_of(tmp_path / "a")) == 800
    held = {path for path in (tmp_path / "a" / "data").rglob("*part-*")}
    assert held == {tmp_path / "a" / part.name for part in Archive.open(tmp_path / "a").parts}


def append_on_a_full_disk(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    archive = Archive.open(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    try:
        archive.append(tile_rows(random_codes(5000, seed=3), [f"new{n}" for n in range(5000)]))
    except OSError:
        os._exit(7)
    os._exit(0)


def test_a_full_disk_leaves_the_archive_as_it_was(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(20))
    writer = PROCESSES.Process(target=append_on_a_full_disk, args=(archive.root,))
    writer.start()
    writer.join()
    assert writer.exitcode == 7
    assert len(ids_of(archive.root)) == 20
    assert verify(Archive.open(archive.root)) == []
    assert [path for path in (archive.root / "data").rglob(".*")] == []
    assert archive.append(tile_rows(random_codes(5), [f"new{n}" for n in range(5)])).added == 5


def test_a_read_only_archive_can_be_searched_and_says_that_it_cannot_be_changed(tmp_path, monkeypatch):
    archive = make_archive(tmp_path / "a", random_codes(20))

    open_as_usual = os.open

    def refuse(path, *flags):
        if str(path).endswith(".lock"):
            raise PermissionError(13, "Permission denied", str(path))
        return open_as_usual(path, *flags)

    monkeypatch.setattr("os.open", refuse)
    opened = Archive.open(archive.root)
    assert len(opened.search(random_codes(1), 5)) == 5
    with pytest.raises(DataError, match="cannot be changed: Permission denied"):
        opened.append(tile_rows(random_codes(5, seed=1), list("abcde")))


def test_files_open_in_other_readers_as_geoparquet(tmp_path):
    geopandas = pytest.importorskip("geopandas", reason="GeoPandas is the other reader of GeoParquet here")
    archive = make_archive(tmp_path / "a", random_codes(300), parts=2)
    frame = geopandas.read_parquet(archive.root / "data")
    assert len(frame) == 300
    assert frame.crs.to_string() == "OGC:CRS84"
    assert set(frame["source"]) == {"image"}
    few = geopandas.read_parquet(archive.root / "data", bbox=(10.101, 49.991, 10.119, 49.999))
    assert len(few) == 2
    np.testing.assert_allclose(frame.total_bounds, [10, 49.97, 11, 50], atol=1e-9)


def test_gdal_reads_the_files_as_qgis_does(tmp_path):
    if shutil.which("ogrinfo") is None:
        pytest.skip("GDAL's own reader is tried where it is installed: apt install gdal-bin")
    formats = subprocess.run(["ogrinfo", "--formats"], capture_output=True, text=True, check=True).stdout
    if "Parquet" not in formats:
        pytest.skip("This GDAL was built without Parquet")
    archive = make_archive(tmp_path / "a", random_codes(300))
    file = archive.parts[0].file(archive.root)
    told = json.loads(subprocess.run(["ogrinfo", "-json", file], capture_output=True, text=True, check=True).stdout)
    (layer,) = told["layers"]
    (geometry,) = layer["geometryFields"]
    assert (layer["featureCount"], geometry["type"]) == (300, "Polygon")
    np.testing.assert_allclose(geometry["extent"], [10, 49.97, 11, 50], atol=1e-9)


def test_metadata_says_whose_codes_a_file_holds(tmp_path):
    import pyarrow.parquet as pq

    archive = make_archive(tmp_path / "a", random_codes(3))
    metadata = pq.read_schema(archive.root / archive.parts[0].name).metadata
    ours, geo = json.loads(metadata[b"keras_dhnn"]), json.loads(metadata[b"geo"])
    assert (ours["model"], ours["bits"], ours["source"]) == ("a" * 64, 64, "image")
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert geo["columns"]["geometry"]["geometry_types"] == ["Polygon"]


def test_a_missing_file_is_named_by_whatever_writes(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(40), parts=2)
    gone = archive.parts[0].file(archive.root)
    Path(gone).unlink()
    for change in (
        lambda: compact(archive),
        lambda: remove(archive, where="row >= 0"),
        lambda: archive.append(tile_rows(random_codes(40, seed=1))),
    ):
        with pytest.raises(DataError, match=f"{re.escape(gone)} is missing .* --drop-damaged"):
            change()


@pytest.mark.parametrize(
    "name", ["../b.parquet", "/etc/passwd", "data/source=a/../../../b.parquet", "data/source=a/.b.parquet"]
)
def test_a_list_that_leads_elsewhere_is_damaged(tmp_path, name):
    make_archive(tmp_path / "a", random_codes(4))
    listed = json.loads((tmp_path / "a" / "parts.json").read_text())
    listed["parts"][0]["name"] = name
    (tmp_path / "a" / "parts.json").write_text(json.dumps(listed))
    with pytest.raises(DataError, match="parts.json is damaged: it names"):
        Archive.open(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "value"),
    [("bits", 10**9), ("bits", 0), ("bits", 65), ("bits", -8), ("bits", 4104), ("features", -5), ("features", 2**31)],
)
def test_an_identity_that_no_archive_has_is_named(tmp_path, name, value):
    path = make_archive(tmp_path / "a", random_codes(4)).root / "archive.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))} is damaged.*'{name}'.*Received: {value}\. Restore"):
        Archive.open(tmp_path / "a")
    with pytest.raises(SettingError, match=f"'{name}' of an archive"):
        Identity(**({"model": "a" * 64, "bits": 64} | {name: value}))


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("rows", -1), ("rows", 2**63), ("bytes", -1)])
def test_a_part_that_no_archive_has_is_named(tmp_path, name, value):
    path = make_archive(tmp_path / "a", random_codes(4)).root / "parts.json"
    listed = json.loads(path.read_text())
    listed["parts"][0][name] = value
    path.write_text(json.dumps(listed))
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))} is damaged.*'{name}'.*Received: {value}\. Restore"):
        Archive.open(tmp_path / "a")


@pytest.mark.parametrize("name", ["data", "data/source=image", ".lock"])
def test_a_link_into_another_archive_is_not_followed(tmp_path, name):
    make_archive(tmp_path / "theirs", random_codes(20))
    ours = make_archive(tmp_path / "ours", random_codes(10))
    files = sorted((tmp_path / "theirs").rglob("*"))
    place = tmp_path / "ours" / name
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "theirs" / (name if name != ".lock" else "made"))
    with pytest.raises(DataError, match=rf"{re.escape(str(place))} is a link"):
        ours.append(tile_rows(random_codes(30)))
    assert sorted((tmp_path / "theirs").rglob("*")) == files
