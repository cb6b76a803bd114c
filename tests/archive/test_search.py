import json
import tracemalloc

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Identity, Queries, combine
from keras_dhnn.archive.comparing import compare
from keras_dhnn.archive.maintenance import remove, verify
from keras_dhnn.archive.search import sampling_steps
from keras_dhnn.codes import hamming_distances, pack, to_words, unpack
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.saved_models.graph.retrieval import HammingRetrieval
from tests.archives import make_archive, random_codes, squares, tile_rows


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize(("bits", "distinct"), [(8, None), (64, None), (64, 20), (96, None), (256, 50)])
@pytest.mark.parametrize("queries", [1, 7])
def test_search_finds_what_hamming_retrieval_finds(tmp_path, bits, distinct, queries, memory):
    codes = random_codes(3000, bits, distinct=distinct)
    archive = make_archive(tmp_path / "a", codes, parts=3)
    if memory:
        archive.load()
    asked = random_codes(queries, bits, seed=1) if distinct is None else codes[:queries]
    items = archive.codes()
    assert list(items.ids) == sorted(items.ids)
    for k in (1, 50, 4000):
        positions, distances = HammingRetrieval(items.codes).search(asked, k)
        found = archive.search(asked, k).table
        assert found["id"].to_pylist() == items.ids[positions.numpy().ravel()].tolist()
        assert found["distance"].to_pylist() == distances.numpy().ravel().tolist()
        assert found["rank"].to_pylist() == queries * list(range(1, min(k, 3000) + 1))


def test_bounds_from_samples_lose_nothing(tmp_path):
    codes = random_codes(60_000, 64, distinct=3000)
    archive = make_archive(tmp_path / "a", codes, parts=2)
    assert sampling_steps(len(codes)) == [12]
    assert sampling_steps(10**7) == [1728, 144, 12]
    asked = random_codes(5, 64, seed=4)
    items, found = archive.codes(), archive.search(asked, 30).table
    distances = hamming_distances(asked, items.codes)
    expected = np.argsort(distances, axis=1, kind="stable")[:, :30]
    assert found["id"].to_pylist() == items.ids[expected.ravel()].tolist()


def test_radius_with_and_without_k(tmp_path):
    codes = random_codes(2000, 16)
    archive = make_archive(tmp_path / "a", codes)
    asked, items = random_codes(3, 16, seed=2), archive.codes()
    distances = hamming_distances(asked, items.codes)
    found = archive.search(asked, None, radius=4).table
    assert len(found) == (distances <= 4).sum()
    assert [row["distance"] for row in found.to_pylist()] == np.sort(distances, axis=1)[
        np.sort(distances, axis=1) <= 4
    ].tolist()
    assert len(archive.search(asked, 3, radius=0).table) == np.minimum((distances == 0).sum(axis=1), 3).sum()
    with pytest.raises(ValueError, match="k, radius or both"):
        archive.search(asked, None)


def test_filters_meet_in_one_query(tmp_path):
    codes = random_codes(1000, 64)
    rows = tile_rows(codes)
    archive = make_archive(tmp_path / "a", codes, parts=4)
    found = archive.search(
        codes[:1], 1000, where="label = 'forest' and row < 512", bbox=(10.1, 49.9, 10.3, 50), time=("2020-01-11", None)
    ).table
    corners = squares(1000)
    low, high = corners.min(axis=1), corners.max(axis=1)
    expected = (
        (np.arange(1000) % 3 == 0)
        & (np.arange(1000) // 100 < 2)
        & (high[:, 0] >= 10.1)
        & (low[:, 0] <= 10.3)
        & (high[:, 1] >= 49.9)
        & (low[:, 1] <= 50)
        & (np.arange(1000) >= 10)
    )
    assert set(found["id"].to_pylist()) == set(np.array(rows["id"].to_pylist())[expected])
    assert 0 < expected.sum() < 100


def test_a_box_across_the_180th_meridian(tmp_path):
    codes = random_codes(300, 64)
    archive = make_archive(tmp_path / "a", codes)
    assert len(archive.search(codes[:1], 300, bbox=(179, 0, 10.055, 60)).table) == 3 * 6
    with pytest.raises(ValueError, match="west, south, east, north"):
        archive.search(codes[:1], bbox=(1, 2, 3, -4))


def test_equal_distances_by_the_querys_outputs(tmp_path):
    codes = random_codes(500, 16, distinct=60)
    archive = make_archive(tmp_path / "a", codes, parts=2)
    items, rng = archive.codes(), np.random.default_rng(5)
    outputs = rng.normal(size=(3, 16))
    distances = hamming_distances(pack(outputs), items.codes)
    scores = outputs @ unpack(items.codes).T
    for queries in (Queries.from_outputs(outputs), Queries.from_outputs(outputs[:1])):
        for k in (5, 100):
            found = archive.search(queries, k).table
            for number in range(len(queries)):
                order = np.lexsort([np.arange(500), -scores[number].round(9), distances[number]])[:k]
                ids = found.filter(np.equal(found["query"].to_numpy(), number))["id"].to_pylist()
                assert ids == items.ids[order].tolist()
    best = archive.search(Queries.from_outputs(outputs[:1]), 500, rank="asymmetric", rerank=500).table
    assert best["id"].to_pylist() == items.ids[np.lexsort([np.arange(500), distances[0], -scores[0]])].tolist()


def test_equal_distances_by_features(tmp_path):
    codes = random_codes(200, 8, distinct=3)
    vectors = np.random.default_rng(0).normal(size=(200, 5))
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 8, features=5))
    archive.append(tile_rows(codes, ids=[f"{number:03d}" for number in range(200)], features=vectors))
    queries = archive.queries(["017"])
    found = archive.search(queries, 50).table["id"].to_pylist()
    cosine = vectors @ vectors[17] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[17])
    distances = hamming_distances(codes[17:18], codes)[0]
    expected = np.lexsort([-cosine, distances])[:50]
    assert found[0] == "017"
    # int8 keeps the order of all but near equals.
    assert np.mean(np.array(found, int) == expected) > 0.9
    several = archive.search(archive.queries(["017", "003"]), 50).table["id"].to_pylist()
    archive.load()
    assert archive.search(queries, 50).table["id"].to_pylist() == found
    assert archive.search(archive.queries(["017", "003"]), 50).table["id"].to_pylist() == several
    with pytest.raises(ValueError, match="needs the query's real outputs"):
        archive.search(queries, rank="asymmetric")


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_more_are_put_in_order_by_score_than_are_wanted(tmp_path, count, memory):
    archive = make_archive(tmp_path / "a", random_codes(500, 16), parts=2)
    if memory:
        archive.load()
    items, outputs = archive.codes(), np.random.default_rng(5).normal(size=(count, 16))
    distances = hamming_distances(pack(outputs), items.codes)
    scores = (outputs @ unpack(items.codes).T).round(9)
    found = archive.search(Queries.from_outputs(outputs), 5, rank="asymmetric", rerank=60)
    for number in range(count):
        nearest = np.lexsort([np.arange(500), -scores[number], distances[number]])[:60]
        expected = nearest[np.lexsort([nearest, distances[number][nearest], -scores[number][nearest]])][:5]
        assert distances[number][expected].max() > np.sort(distances[number])[4]
        assert found.of_query(number).table["id"].to_pylist() == items.ids[expected].tolist()


def test_small_distances_count_as_equal_where_features_order_them(tmp_path):
    rng = np.random.default_rng(0)
    codes = random_codes(400, 64, distinct=8) ^ np.packbits(rng.random((400, 64)) < 0.05, axis=1)
    vectors = rng.integers(-120, 120, (400, 5)).astype(float)
    archive = make_archive(tmp_path / "a", codes, ids=[f"{n:03d}" for n in range(400)], parts=3, features=vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    stored = archive.rows(["id", "features"]).sort_by("id")["features"].combine_chunks().flatten().to_numpy()
    stored = stored.reshape(400, 5) / np.linalg.norm(stored.reshape(400, 5).astype(float), axis=1, keepdims=True)
    inverted = []
    for asked in ([17], [17, 3, 250]):
        queries = Queries(codes[asked], features=vectors[asked])
        for how in (
            {"k": 7},
            {"k": 300},
            {"k": 9, "radius": 2},
            {"k": None, "radius": 30},
            {"k": 5, "where": "size > 0"},
        ):
            found = archive.search(queries, **how).table
            for number, one in enumerate(asked):
                distances = hamming_distances(codes[one : one + 1], codes)[0]
                expected = np.lexsort([np.arange(400), -(stored @ unit[one]).round(12), np.maximum(distances, 4)])
                expected = expected[distances[expected] <= how.get("radius", 64)][: how["k"]]
                own = found.filter(np.equal(found["query"].to_numpy(), number))
                assert own["id"].to_pylist() == [f"{n:03d}" for n in expected]
                assert own["distance"].to_pylist() == distances[expected].tolist()
                inverted.append((np.diff(distances[expected]) < 0).any())
    assert any(inverted)


@pytest.mark.parametrize("memory", [False, True])
def test_one_long_id_costs_its_own_length_alone(tmp_path, memory):
    """Equal codes are in order of id; ids of one width would take 500 times the longest."""
    ids = sorted([f"{number:03d}" for number in range(497)] + ["x" * 100_000, "é", "\U00010400", "\uffff"])
    archive = make_archive(tmp_path / "a", np.zeros((len(ids), 8), np.uint8), ids=ids[::-1])
    if memory:
        archive.load()
    for count in (1, 2):
        tracemalloc.start()
        found = archive.search(np.zeros((count, 8), np.uint8), len(ids)).table["id"].to_pylist()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == ids * count
        assert most < 10_000_000


def test_like_and_unlike():
    liked = Queries(np.array([[0b11110000], [0b11111100]], np.uint8))
    unliked = Queries(np.array([[0b11000000]], np.uint8))
    query = combine(liked, unliked)
    np.testing.assert_allclose(query.outputs[0], [0.5, 0.5, 1.5, 1.5, 0.5, 0.5, -0.5, -0.5])
    assert query.codes.tolist() == [[0b11111100]]


def test_histogram_labels_and_rows(tmp_path):
    codes = random_codes(700, 32)
    archive = make_archive(tmp_path / "a", codes, parts=2)
    distances = hamming_distances(codes[:1], codes)[0]
    assert archive.histogram(codes[:1]).tolist() == np.bincount(distances, minlength=33).tolist()
    assert archive.labels() == {"forest": 234, "sea": 233, None: 233}
    assert archive.labels(where="label is not null") == {"forest": 234, "sea": 233}
    ids = tile_rows(codes)["id"].to_pylist()
    assert archive.get([ids[5], ids[3], ids[5]], ["row", "id"])["id"].to_pylist() == [ids[5], ids[3], ids[5]]
    np.testing.assert_array_equal(archive.queries(ids[:3]).codes, codes[:3])
    with pytest.raises(ValueError, match="no item 'nowhere'"):
        archive.get(["nowhere"])


def test_results_as_geojson_and_geoparquet(tmp_path):
    geopandas = pytest.importorskip("geopandas", reason="GeoPandas is the other reader of GeoParquet here")
    codes = random_codes(50, 64)
    archive = make_archive(tmp_path / "a", codes)
    results = archive.search(codes[:1], 5, columns=("label", "time", "bbox", "geometry"))
    without = archive.search(codes[:1], 5)
    with pytest.raises(SettingError, match=r"no column 'geometry'\. Search with columns=\(\.\.\., \"geometry\"\)"):
        without.to_geojson()
    with pytest.raises(SettingError, match=r"columns=\(\"label\", \"geometry\", \"bbox\"\)"):
        without.write_geoparquet(tmp_path / "found.parquet")
    collection = json.loads(json.dumps(results.to_geojson()))
    ids = tile_rows(codes)["id"].to_pylist()
    corners = squares(50)[ids.index(results.table["id"][0].as_py())]
    ring = collection["features"][0]["geometry"]["coordinates"][0]
    assert sorted(ring[:4]) == sorted(corners.tolist())
    assert ring[0] == ring[4]
    results.write_geoparquet(tmp_path / "found.parquet")
    frame = geopandas.read_parquet(tmp_path / "found.parquet")
    assert frame.crs.to_string() == "OGC:CRS84"
    assert frame["id"].tolist() == results.table["id"].to_pylist()
    assert frame.geometry[0].equals(geopandas.points_from_xy(corners[:, 0], corners[:, 1]).union_all().convex_hull)


def test_an_empty_archive_finds_nothing(tmp_path):
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    assert len(archive.search(random_codes(2), 5, columns=("label", "geometry"))) == 0
    assert archive.histogram(random_codes(1)).sum() == 0
    assert archive.labels() == {}


@pytest.mark.parametrize("memory", [False, True])
def test_no_query_finds_nothing(tmp_path, memory):
    codes = random_codes(20_000)
    archive = make_archive(tmp_path / "a", codes)
    if memory:
        archive.load()
    assert len(archive.search(codes[:0], 5)) == 0
    archive.search(codes[:300], 5)  # whose codes stay in memory
    for how in ({"k": 5}, {"k": 5, "radius": 3}, {"k": None, "radius": 3}, {"k": 5, "where": "row > 0"}):
        found = archive.search(codes[:0], **how)
        assert (len(found), found.table.column_names[:4]) == (0, ["query", "rank", "id", "distance"])
    with pytest.raises(ValueError, match="Expected one query. Received 0"):
        archive.histogram(codes[:0])


def test_no_pair_of_no_codes_or_queries():
    words = to_words(random_codes(10)).view(np.uint64)
    for codes, asked in ((words[:0], words), (words, words[:0]), (words[:0], words[:0])):
        for k in (3, None):
            pairs = compare(codes.T, asked, 64, k, np.full(len(asked), 64))
            assert [(len(part), part.dtype) for part in pairs] == [(0, np.int64), (0, np.int64), (0, np.int16)]


def test_codes_of_another_length_are_refused(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(10))
    with pytest.raises(ValueError, match="Expected codes of 64 bits"):
        archive.search(random_codes(1, 32))
    with pytest.raises(ValueError, match="holds images of image"):
        archive.search(random_codes(1), source="pan")


@pytest.mark.parametrize(
    "where",
    [
        "cast('nan' as int) = 1",
        "year('x') = 1",
        "lower(5) = 1",
        "bbox = 1",
        "abs(-9223372036854775808) = 1",
        "row % 0 = 1",
        "cast(label as int) = 1",
        "not " * 50 + "label + 1 = 2",
    ],
)
def test_a_condition_that_cannot_be_computed_is_the_users(tmp_path, where):
    archive = make_archive(tmp_path / "a", random_codes(30))
    for ask in (
        lambda: archive.search(random_codes(1), 3, where=where),
        lambda: archive.search(random_codes(2), 3, where=where),
        lambda: archive.histogram(random_codes(1), where=where),
        lambda: archive.labels(where=where),
        lambda: remove(archive, where=where),
    ):
        with pytest.raises(SettingError, match="^The condition cannot be used on the items of ") as refused:
            ask()
        assert "archive verify" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_not_the_conditions(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(3000))
    archive.search(random_codes(1), 3, where="row >= 0")
    path = archive.root / archive.parts[0].name
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + bytes(len(content) // 2) + content[len(content) // 2 + 4 :])
    with pytest.raises(DataError, match="archive verify"):
        Archive.open(archive.root).search(random_codes(1), 3, where="row >= 0")
    assert len(verify(archive)) == 1


def test_the_score_is_given_where_it_orders(tmp_path):
    codes = random_codes(30, bits=8)
    archive = make_archive(tmp_path / "a", codes)
    outputs = np.linspace(-1, 2, 8)[None]
    found = archive.search(Queries.from_outputs(outputs), 30, rerank=30).to_list()
    scores = [row["score"] for row in found]
    assert scores == sorted(scores, reverse=True)
    ids, packed = archive.codes().ids, archive.codes().codes
    expected = dict(zip(ids, (2.0 * np.unpackbits(packed, axis=1) - 1) @ outputs[0], strict=True))
    assert scores == pytest.approx([expected[row["id"]] for row in found])
    assert "score" not in archive.search(Queries.from_outputs(outputs), 30).to_list()[0]
