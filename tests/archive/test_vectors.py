import json
import shutil
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keras_dhnn.archive import Archive
from keras_dhnn.archive import vectors as vectors_module
from keras_dhnn.archive.geoparquet import geometry_columns
from keras_dhnn.archive.learned import learn_bits
from keras_dhnn.archive.vectors import open_vectors
from keras_dhnn.archive.wkb import from_wkb
from keras_dhnn.errors import DataError
from keras_dhnn.workflows import encode_vectors as encode_workflow
from keras_dhnn.workflows.encode_vectors import encode_vectors, learn_rotation, measure_recall, vector_queries


def clustered(count, size, clusters=20, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, size))
    return (centres[rng.integers(0, clusters, count)] + 0.5 * rng.normal(size=(count, size))).astype(np.float32)


def write_parquet(path, vectors, **columns):
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(pa.table({"embedding": values, **columns}), path)
    return path


def read_all(file):
    batches = list(file.batches())
    return [key for batch in batches for key in batch.ids], np.concatenate([batch.vectors for batch in batches])


def test_every_kind_of_file_gives_the_same_vectors(tmp_path):
    vectors = clustered(50, 12)
    np.save(tmp_path / "a.npy", vectors)
    np.savez(tmp_path / "a.npz", embeddings=vectors, ids=[f"k{n}" for n in range(50)], labels=np.arange(50) % 3)
    write_parquet(tmp_path / "a.parquet", vectors.astype(np.float64), unique_id=[f"k{n}" for n in range(50)])
    for name, ids in (("a.npy", [f"a/{n:09d}" for n in range(50)]), ("a.npz", None), ("a.parquet", None)):
        file = open_vectors(tmp_path / name)
        found, values = read_all(file)
        assert found == (ids or [f"k{n}" for n in range(50)])
        np.testing.assert_allclose(values, vectors, rtol=1e-6)
        assert (file.count, file.size) == (50, 12)
        assert file.sample(10).shape == (10, 12)
    assert next(open_vectors(tmp_path / "a.npz").batches()).columns["label"][:3] == ["0", "1", "2"]


@pytest.mark.parametrize("count", [1, 9, 10, 11, 15, 19, 20, 21, 137])
def test_a_sample_is_spread_over_the_whole_file_and_no_larger_than_asked_for(tmp_path, monkeypatch, count):
    monkeypatch.setattr(vectors_module, "_BATCH", 4)
    np.savez(tmp_path / "a.npz", x=np.arange(count, dtype=np.float32)[:, None], label=np.arange(count))
    sample, labels = open_vectors(tmp_path / "a.npz").labelled_sample(10)
    numbers = sample[:, 0].astype(int)
    assert labels == [str(number) for number in numbers]
    assert min(count, 5) <= len(numbers) <= 10
    # As far from each other as from both ends.
    gaps = np.diff([*numbers, count])
    assert numbers[0] == 0
    assert len(set(gaps[:-1])) <= 1
    assert gaps[-1] <= -(-count // 10)


def test_the_rotation_is_chosen_on_a_sample_spread_over_all(monkeypatch):
    measured = []
    monkeypatch.setattr(encode_workflow, "_MEASURED", 40)
    monkeypatch.setattr(encode_workflow, "measure_recall", lambda sample, learned: measured.append(sample))
    vectors = clustered(70, 8)
    learn_rotation(vectors, 8)
    np.testing.assert_array_equal(measured[0], vectors[::2])


def test_zarr(tmp_path):
    zarr = pytest.importorskip("zarr", reason="Zarr is read where it is installed: pip install zarr")
    vectors = clustered(30, 8)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group["embedding"] = vectors
    np.testing.assert_array_equal(read_all(open_vectors(tmp_path / "a.zarr"))[1], vectors)
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "damaged.zarr").mkdir()
    (tmp_path / "damaged.zarr" / "zarr.json").write_text("{")
    for name in ("empty", "damaged"):
        with pytest.raises(DataError, match=f"{name}.zarr cannot be read as Zarr"):
            open_vectors(tmp_path / f"{name}.zarr")


def test_files_that_are_none_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5))
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"x": [1], "a": [[0.5]], "b": [[0.5]]}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"a": [[0.5, 1.0], [0.5]]}), tmp_path / "d.parquet")
    floats = pa.list_(pa.float32())
    pq.write_table(pa.table({"a": pa.array([], floats)}), tmp_path / "g.parquet")
    pq.write_table(pa.table({"a": pa.array([None, [1.0]], floats)}), tmp_path / "h.parquet")
    np.save(tmp_path / "i.npy", np.zeros((0, 4), np.float32))
    np.savez(tmp_path / "j.npz", x=np.zeros((5, 4), np.float32), ids=np.arange(3))
    (tmp_path / "e.txt").touch()
    for name, message in (
        ("a.npy", "shape"),
        ("b.parquet", "cannot be read as Parquet"),
        ("c.parquet", "Name one by --column"),
        ("e.txt", "no file of vectors"),
        ("f.npy", "There is no file"),
        ("g.parquet", r"no vector in .*g\.parquet"),
        ("h.parquet", "vectors in every row of 'a'. Received none in the first"),
        ("i.npy", r"no vector in .*i\.npy"),
        ("j.npz", r"expected ids of all 5 vectors. Received: \(3,\)"),
    ):
        with pytest.raises(DataError, match=message):
            open_vectors(tmp_path / name)
    with pytest.raises(DataError, match="vectors of 2 values in every row"):
        list(open_vectors(tmp_path / "d.parquet").batches())


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
@pytest.mark.parametrize("kind", ["npy", "npz", "parquet"])
def test_vectors_without_a_direction_are_named_and_nothing_is_encoded(tmp_path, kind, value):
    vectors = clustered(200, 16).astype(np.float32)
    vectors[[3, 150], 5] = value
    path = tmp_path / f"a.{kind}"
    if kind == "npy":
        np.save(path, vectors)
    elif kind == "npz":
        np.savez(path, embeddings=vectors)
    else:
        write_parquet(path, vectors)
    with pytest.raises(DataError, match=r"expected finite vectors. Those of the rows 3, 150 \(from 0\)"):
        encode_vectors(path, tmp_path / "ar", bits=8)
    assert not (tmp_path / "ar").exists()


def test_arrays_that_claim_more_than_there_is_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((50_000, 1_000), np.float32))
    spoiled = bytearray((tmp_path / "a.npz").read_bytes())
    place = spoiled.rfind(b"PK\1\2")
    spoiled[place + 24 : place + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(spoiled)
    with pytest.raises(DataError, match=r"a\.npz.*claims"):
        open_vectors(tmp_path / "a.npz")


def test_vectors_become_a_searchable_archive(tmp_path):
    vectors = clustered(3000, 64)
    wkb = [bytes.fromhex("0101000000") + np.array([n / 100, 45.0], "<f8").tobytes() for n in range(3000)]
    ids, labels = [f"cell{n:05d}" for n in range(3000)], [f"c{n % 5}" for n in range(3000)]
    path = write_parquet(tmp_path / "a.parquet", vectors, id=ids, label=labels, geometry=wkb)
    made = encode_vectors(path, tmp_path / "ar", bits=32)
    assert made.counted.added == made.archive.info.rows == 3000
    assert encode_vectors(path, tmp_path / "ar").counted.known == 3000
    few = write_parquet(tmp_path / "q.parquet", vectors[:4] * 3, id=ids[:4])
    names, queries = vector_queries(made.archive, few)
    found = made.archive.search(queries, 5, columns=("geometry", "label", "bbox"))
    assert names == ids[:4]
    for number in range(4):
        assert ids[number] in found.of_query(number).table["id"].to_pylist()
        assert found.of_query(number).table["distance"][0].as_py() == 0
    place = json.loads(json.dumps(found.of_query(2).to_geojson()))["features"][0]
    assert place["geometry"]["type"] == "Point"
    assert len(made.archive.search(queries, 50, bbox=(0, 44, 0.095, 46)).of_query(0)) == 10
    with pytest.raises(DataError, match="these are vectors of 12 values"):
        encode_vectors(write_parquet(tmp_path / "b.parquet", clustered(60, 12)), tmp_path / "ar")


def test_vectors_on_the_command_line(tmp_path, monkeypatch, capfd):
    from tests.command_line import command_line

    run, vectors = command_line(monkeypatch, capfd), clustered(500, 32)
    write_parquet(tmp_path / "a.parquet", vectors, id=[f"cell{n:05d}" for n in range(500)])
    write_parquet(tmp_path / "q.parquet", vectors[7:9], id=["one", "two"])
    place = tmp_path / "ar"
    how = ("--column", "embedding", "--bits", 16, "--archive", place, "--quiet", "--json")
    status, out, _ = run("encode", "--embeddings", tmp_path / "a.parquet", *how)
    assert (status, json.loads(out)["added"]) == (0, 500)
    assert 0 < json.loads(out)["recall_at_10"] <= 1
    status, out, _ = run("search", place, "--embeddings", tmp_path / "q.parquet", "-k", 5, "--json")
    found = json.loads(out)
    assert (status, found["queries"]) == (0, ["one", "two"])
    assert {row["distance"] for row in found["results"] if row["rank"] == 1} == {0}
    status, _, error = run("search", place, str(tmp_path / "a.parquet"))
    assert (status, "--embeddings FILE" in error) == (2, True)


def test_recall_by_an_oracle():
    vectors = clustered(400, 16)
    learned = {"mean": np.zeros(16, np.float32), "projection": np.eye(16, dtype=np.float32)}
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    hits = 0
    for query in range(100):
        by_vectors = np.argsort(-(unit[100:] @ unit[query]))[:10]
        by_codes = np.argsort(-(np.where(unit[100:] >= 0, 1, -1) @ unit[query]))[:10]
        hits += len(set(by_vectors) & set(by_codes))
    assert measure_recall(vectors, learned, queries=100) == pytest.approx(hits / 1000, abs=0.005)
    assert measure_recall(vectors[:12], learned) is None


def test_the_rotation_that_keeps_more_neighbours_is_taken():
    vectors = clustered(600, 16)
    learned = learn_rotation(vectors, 16)
    recalls = [measure_recall(vectors, learn_bits(vectors / norms(vectors), 16, turns)) for turns in (50, 0)]
    assert measure_recall(vectors, learned) == max(recalls)
    assert recalls[0] != recalls[1]


def norms(vectors):
    return np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "text",
    [
        "POINT (3 4)",
        "POINT Z (3 4 5)",
        "POLYGON ((0 0, 2 0, 2 2, 0 0), (1 0.5, 1.5 0.5, 1.5 1, 1 0.5))",
        "POINT EMPTY",
        "MULTIPOLYGON EMPTY",
        "MULTIPOLYGON (((0 0, 2 0, 2 2, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
    ],
)
def test_wkb_as_shapely_reads_it(text):
    shapely = pytest.importorskip("shapely", reason="Shapely is the other reader of WKB here")
    geometry = shapely.from_wkt(text)
    expected = json.loads(shapely.to_geojson(shapely.force_2d(geometry)))
    for flavor in ("iso", "extended"):
        for order in (0, 1):
            value = shapely.to_wkb(geometry, flavor=flavor, byte_order=order)
            assert from_wkb(value) == expected
    with pytest.raises(DataError, match="as WKB of points"):
        from_wkb(shapely.to_wkb(shapely.from_wkt("LINESTRING (0 0, 1 1)")))


def test_the_encoder_of_an_archive_is_its_makers_though_another_learned_at_the_same_time(tmp_path, monkeypatch):
    for name, seed in (("a", 0), ("b", 1)):
        np.save(tmp_path / f"{name}.npy", clustered(400, 32, seed=seed) + seed)
    learn, others = encode_workflow._learn, []

    def slowly(*given):
        learned = learn(*given)
        if not others:
            others.append("a")
            encode_vectors(tmp_path / "a.npy", tmp_path / "ar", bits=32)
        return learned

    monkeypatch.setattr(encode_workflow, "_learn", slowly)
    encode_vectors(tmp_path / "b.npy", tmp_path / "ar", bits=32)
    encode_vectors(tmp_path / "a.npy", tmp_path / "alone", bits=32)
    archive, alone = (Archive.open(tmp_path / name) for name in ("ar", "alone"))
    assert (archive.identity.model, archive.info.rows) == (alone.identity.model, 800)
    for name in "ab":
        ids, queries = vector_queries(archive, tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(queries.codes, archive.queries(ids).codes)


def test_bits_that_the_archive_was_not_made_with_are_refused(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        np.save(tmp_path / f"{name}.npy", clustered(100, 16, seed=seed))
        encode_vectors(tmp_path / f"{name}.npy", tmp_path / name, bits=16)
    shutil.copy(tmp_path / "b" / "encoder.npz", tmp_path / "a" / "encoder.npz")
    for use in (
        lambda: vector_queries(Archive.open(tmp_path / "a"), tmp_path / "a.npy"),
        lambda: encode_vectors(tmp_path / "a.npy", tmp_path / "a"),
    ):
        with pytest.raises(DataError, match=r"encoder\.npz is another than the archive was made with.*Restore it"):
            use()


def test_nested_multi_polygons_are_refused():
    inner = struct.pack("<BII", 1, 3, 0)
    for depth in (2, 3000):
        with pytest.raises(DataError, match="as WKB of points"):
            from_wkb(struct.pack("<BII", 1, 6, 1) * depth + inner)
    assert from_wkb(struct.pack("<BII", 1, 6, 1) + inner) == {"type": "MultiPolygon", "coordinates": [[]]}


def test_what_is_empty_is_at_no_place_and_what_is_no_wkb_is_refused():
    point = struct.pack("<BIdd", 1, 1, 3.0, 4.0)
    empty = [struct.pack("<BII", 1, 3, 0), struct.pack("<BII", 1, 6, 0), struct.pack("<BIdd", 1, 1, np.nan, np.nan)]
    columns = geometry_columns(pa.array([*empty, None, point]), "a.parquet")
    box = {"xmin": 3.0, "ymin": 4.0, "xmax": 3.0, "ymax": 4.0}
    assert columns["bbox"].to_pylist() == [None] * 4 + [box]
    with pytest.raises(DataError, match=r"a\.parquet: expected geometry as WKB, a column of bytes. Received: string"):
        geometry_columns(pa.array(["POINT (3 4)"]), "a.parquet")
