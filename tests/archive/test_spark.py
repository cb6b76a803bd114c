import importlib.util
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Identity, Queries
from tests.archives import make_archive, random_codes, tile_rows
from tests.command_line import command_line
from tests.object_store import store_of_objects

pytest.importorskip(
    "pyspark", reason="the Spark engine is tried where it is installed: pip install 'keras-dhnn[spark]'"
)
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java 17, which is not on this machine", allow_module_level=True)

from keras_dhnn.archive.places import place
from keras_dhnn.archive.spark import run_by_workers, search_by_spark, spark_session
from keras_dhnn.archive.tiles import Cut
from keras_dhnn.errors import DamagedFile, DataError, SettingError
from keras_dhnn.workflows.encode_archive import Options, encode_archive
from keras_dhnn.workflows.encode_by_spark import encode_by_spark
from tests.workflows.test_encode_archive import write_images

# Two workers, each a process of its own with a core and 1 GiB.
LOCAL = "local-cluster[2,1,1024]"


@pytest.fixture(scope="module")
def store():
    """Address of a bucket in a store of objects, None where there can be none."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("s3fs") is None:
        yield None
        return
    with pytest.MonkeyPatch.context() as patch, store_of_objects(patch) as address:
        yield address


@pytest.fixture(scope="module")
def session(store):
    """A session whose workers know of the store from the start: they have the environment that Java was begun in."""
    with spark_session(LOCAL) as session:
        yield session


@pytest.mark.slow
@pytest.mark.parametrize("bits", [64, 128])
def test_spark_and_duckdb_find_the_same_rows(tmp_path, session, bits):
    codes = random_codes(40_000, bits, distinct=4000)
    archive = make_archive(tmp_path / "a", codes, parts=3)
    asked = random_codes(4, bits, seed=3)
    outputs = np.random.default_rng(0).normal(size=(2, bits))
    columns = ("label", "time", "row", "bbox", "geometry")
    for queries, how in (
        (asked, {"k": 20}),
        (asked[:1], {"k": 20}),
        (asked, {"k": None, "radius": bits * 3 // 8}),
        (codes[:3], {"k": 9, "where": "label = 'sea' and row < 70000 and time < '2080-01-01'"}),
        (codes[:3], {"k": 9, "bbox": (10.1, 45, 10.3, 49), "time": ("2020-02-01", "2080-01-01")}),
        (Queries.from_outputs(outputs), {"k": 30}),
        (Queries.from_outputs(outputs), {"k": 30, "rerank": 100}),
    ):
        expected = archive.search(queries, columns=columns, **how).table
        found = search_by_spark(session, archive, queries, columns=columns, **how).table
        assert len(expected)
        assert found.schema == expected.schema
        assert found.to_pylist() == expected.to_pylist()


# Conditions that DuckDB and Spark's own SQL understand otherwise, and rows of 0 to 11 that meet them.
CONDITIONS = {
    r"label like 'a\%b'": [0, 4, 8],
    r"label like 'a%b'": [0, 2, 4, 6, 8, 10],
    r"label like 'back\slash'": [1, 5, 9],
    r"label = 'back\slash'": [1, 5, 9],
    r"label = 'back\\slash'": [],
    "cast(1.5 as int) = 2 and row < 3": [0, 1, 2],
    "cast(2.5 as int) = 3 and row < 3": [0, 1, 2],
    "cast(row / 3 as int) = 2": [5, 6, 7],
    "row / 2 = 1.5": [3],
}
REFUSED = ["row * 1000000000 * 10 > 0", "cast(label as int) = 1", "day(label) = 1"]


@pytest.mark.slow
def test_a_condition_means_the_same_by_spark(tmp_path, session):
    labels = [(r"a\xb", r"back\slash", "a%b", None)[row % 4] for row in range(12)]
    archive = make_archive(tmp_path / "a", random_codes(12), parts=2, label=labels, row=np.arange(12))
    asked = random_codes(1, seed=3)

    def rows(text):
        return sorted(
            search_by_spark(session, archive, asked, 12, where=text, columns=["row"]).table["row"].to_pylist()
        )

    for text, expected in CONDITIONS.items():
        assert rows(text) == expected, text
    for text in REFUSED:
        with pytest.raises(SettingError, match="condition cannot be used") as refused:
            rows(text)
        with pytest.raises(SettingError, match="condition cannot be used"):
            archive.search(asked, 12, where=text)
        assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_relative_paths_are_of_the_drivers_folder(tmp_path, session, monkeypatch):
    codes = random_codes(20)
    make_archive(tmp_path / "a", codes, parts=2)
    monkeypatch.chdir(tmp_path)  # the workers are in another
    archive = Archive.open("a")
    assert search_by_spark(session, archive, codes[:2], 3).table.equals(archive.search(codes[:2], 3).table)


@pytest.mark.slow
def test_what_workers_raise_is_one_line(session):
    def work(piece):
        if piece == "damaged":
            raise DamagedFile("a.png", "no image")
        if piece == "broken":
            return [][1]
        return piece

    good, damaged = run_by_workers(session, work, ["good", "damaged"])
    assert good == "good"
    assert (type(damaged), damaged.name, str(damaged)) == (DamagedFile, "a.png", str(DamagedFile("a.png", "no image")))
    with pytest.raises(DataError) as caught:
        run_by_workers(session, work, ["good", "broken"])
    assert str(caught.value) == "Spark gave up: IndexError: list index out of range. Its log says more."


@pytest.mark.slow
def test_features_and_empty_archives(tmp_path, session):
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64, features=5))
    assert len(search_by_spark(session, archive, random_codes(2), 5)) == 0
    rng = np.random.default_rng(0)
    # Distances up to 4 of 64 bits count as one, and there are such.
    codes = random_codes(200, 64, distinct=3) ^ np.packbits(rng.random((200, 64)) < 0.05, axis=1)
    archive.append(tile_rows(codes, features=rng.normal(size=(200, 5))))
    queries = archive.queries(archive.codes().ids[:3].tolist())
    for k in (3, 20, 150):
        expected, found = archive.search(queries, k), search_by_spark(session, archive, queries, k)
        assert found.table.to_pylist() == expected.table.to_pylist()


@pytest.mark.slow
def test_images_and_archive_in_a_store_of_objects(tmp_path, store, session):
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    if store is None:
        pytest.skip("A store of objects is tested where it is: pip install 'moto[server]' s3fs")
    from tests.rasters import scene_pixels, write_scene

    write_images(tmp_path / "images", 40)
    write_scene(tmp_path / "images" / "scene.tif", scene_pixels(96, 64))
    options = Options(Cut(32), bits=8, size=32, features=4)
    local = encode_archive("tests.fakes:tiny_backbone", [tmp_path / "images"], tmp_path / "a", options).archive
    given = place(f"{store}/images")
    given.fs.put(f"{tmp_path}/images/", given.path, recursive=True)
    # Learned once, so that the workers have something to do.
    given.fs.put_file(tmp_path / "a" / "encoder.npz", f"{store}/a/encoder.npz")
    Archive.create(f"{store}/a", local.identity)
    made, again = (
        encode_by_spark("tests.fakes:tiny_backbone", [f"{store}/images"], f"{store}/a", options, piece=10) for _ in "ab"
    )
    assert (made.counted.added, again.counted.added, again.counted.known) == (local.info.rows, 0, local.info.rows)
    far = Archive.open(f"{store}/a")
    assert len(far.parts) > 1
    names = [text.rsplit("/images/")[1] for text in far.codes().ids]
    assert names == [text.rsplit("/images/")[1] for text in local.codes().ids]
    np.testing.assert_array_equal(far.codes().codes, local.codes().codes)
    for queries in (far.queries(far.codes().ids[:3].tolist()), far.codes().codes[:1]):
        for how in ({"k": 9}, {"k": 5, "where": "size = 32"}, {"k": None, "radius": 2}, {"k": 3, "rerank": 9}):
            expected = far.search(queries, **how).table
            assert len(expected)
            assert search_by_spark(session, far, queries, **how).table.to_pylist() == expected.to_pylist()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_result(tmp_path, session):
    codes = random_codes(300_000, 64)
    archive = make_archive(tmp_path / "a", codes, parts=6)
    expected = archive.search(codes[:150], 20).table["id"]
    killed = []

    def kill():
        time.sleep(1.5)
        killed.append(_kill_an_executor())

    killer = threading.Thread(target=kill)
    killer.start()
    found = search_by_spark(session, archive, codes[:150], 20).table["id"]
    killer.join()
    assert killed == [True]
    assert found.equals(expected)


@pytest.mark.slow
def test_encoding_by_workers_of_which_one_is_killed_gives_the_same_rows(tmp_path, session):
    options = Options(bits=8, size=32, features=4, labels="folder")
    write_images(tmp_path / "images", 120)
    whole = encode_archive("tests.fakes:tiny_backbone", [tmp_path / "images"], tmp_path / "whole", options)
    # Few to learn from on the driver, so that the workers have something to do.
    made = {}

    def encode():
        made["result"] = encode_by_spark(
            "tests.fakes:tiny_backbone", [tmp_path / "images"], tmp_path / "spark", options, piece=4
        )

    Archive.create(tmp_path / "spark", whole.archive.identity)
    shutil.copy(tmp_path / "whole" / "encoder.npz", tmp_path / "spark" / "encoder.npz")
    worker = threading.Thread(target=encode)
    worker.start()
    while worker.is_alive() and not Archive.open(tmp_path / "spark").parts:
        time.sleep(0.02)
    killed = worker.is_alive() and _kill_an_executor()
    worker.join()
    assert killed
    rows, expected = (Archive.open(tmp_path / name).rows().sort_by("id") for name in ("spark", "whole"))
    assert rows.equals(expected)
    assert whole.archive.info.rows == made["result"].archive.info.rows == 120


@pytest.mark.slow
def test_the_driver_takes_out_items_whose_files_are_gone(tmp_path, session):
    options = Options(bits=8, size=32, features=4)
    write_images(tmp_path / "images", 12)
    made = [tmp_path / "images"], tmp_path / "a"
    assert encode_by_spark("tests.fakes:tiny_backbone", *made, options).archive.info.rows == 12
    (tmp_path / "images" / "a" / "0002.png").unlink()
    found = encode_by_spark("tests.fakes:tiny_backbone", *made, options)
    assert (found.gone.items, found.pruned, found.archive.info.rows) == (1, 0, 12)
    found = encode_by_spark("tests.fakes:tiny_backbone", *made, replace(options, prune=True))
    assert (found.gone.items, found.pruned, found.archive.info.rows) == (0, 1, 11)


@pytest.mark.slow
def test_images_that_the_driver_learned_from_count_as_new_once(tmp_path, session):
    write_images(tmp_path / "images", 40)
    options = Options(bits=8, size=32, features=4)
    made, again = (
        encode_by_spark("tests.fakes:tiny_backbone", [tmp_path / "images"], tmp_path / "a", options, piece=15).counted
        for _ in "ab"
    )
    assert (made.added, made.replaced, made.known) == (40, 0, 0)
    assert (again.added, again.replaced, again.known) == (0, 0, 40)


@pytest.mark.slow
def test_a_damaged_image_is_one_line_and_other_pieces_stay(tmp_path, session, monkeypatch, capfd):
    run = command_line(monkeypatch, capfd)
    write_images(tmp_path / "images", 40)
    options = Options(bits=8, size=32, features=4)
    made = encode_archive("tests.fakes:tiny_backbone", [tmp_path / "images" / "a"], tmp_path / "a", options)
    count = made.archive.info.rows
    broken = tmp_path / "images" / "b" / "broken.png"
    broken.write_bytes(next((tmp_path / "images" / "b").glob("*.png")).read_bytes()[:60])
    how = ("--archive", tmp_path / "a", "--engine", "spark", "--bits", 8, "--size", 32, "--features", 4, "--quiet")
    status, out, error = run("encode", "tests.fakes:tiny_backbone", tmp_path / "images" / "b", *how)
    assert (status, out) == (2, "")
    lines = [line for line in error.splitlines() if "broken.png" in line]
    assert len(lines) == 1
    assert "--skip-damaged" in lines[0]
    assert "Traceback" not in error
    status, out, error = run(
        "encode", "tests.fakes:tiny_backbone", tmp_path / "images", *how, "--skip-damaged", "--json"
    )
    found = json.loads(out)
    assert (status, found["items"], [one["name"] for one in found["skipped"]]) == (0, 40, [str(broken)])
    assert found["added"] + found["known"] == 40
    assert count < 40


def _kill_an_executor():
    """Kills one of this test's own two executors."""
    listed = subprocess.run(["ps", "-wweo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    processes = [line.split(None, 2) for line in listed.splitlines()[1:]]
    children = {}
    for pid, parent, text in processes:
        children.setdefault(int(parent), []).append((int(pid), text))
    waiting = [os.getpid()]
    while waiting:
        for pid, text in children.get(waiting.pop(), []):
            if "CoarseGrainedExecutorBackend" in text:
                os.kill(pid, signal.SIGKILL)
                return True
            waiting.append(pid)
    return False
