import itertools

import numpy as np
import pytest

from keras_dhnn.archive import Queries, comparing
from keras_dhnn.archive import many_queries as module
from keras_dhnn.archive.code_tables import CodeTables
from keras_dhnn.archive.many_queries import COMPARE, TABLES, ManyQueries
from keras_dhnn.codes import count_bits, hamming_distances, pack, to_words
from tests.archives import make_archive, random_codes


def test_bits_are_counted():
    words = np.random.default_rng(0).integers(0, 2**64, (3, 50), dtype=np.uint64)
    expected = [[bin(int(word)).count("1") for word in row] for row in words]
    np.testing.assert_array_equal(count_bits(words), expected)
    assert count_bits(np.array([0, 2**64 - 1], np.uint64)).tolist() == [0, 64]


@pytest.mark.parametrize("counts_bits", [True, False])
@pytest.mark.parametrize("few", [0, 10**9])
@pytest.mark.parametrize(("bits", "distinct"), [(8, None), (24, None), (64, None), (64, 900), (136, 900), (256, 300)])
def test_the_nearest_are_found(bits, distinct, few, counts_bits, monkeypatch):
    monkeypatch.setattr("keras_dhnn.archive.code_tables._FEW", few)
    for name, value in (("_COUNTS_BITS", counts_bits), ("_QUERIES", 4), ("_CODES", 100), ("_STEP", 300)):
        monkeypatch.setattr(comparing, name, value)
    monkeypatch.setattr(comparing, "_SAMPLE", 50)
    codes, rng = random_codes(2000, bits, distinct=distinct), np.random.default_rng(3)
    # Near the codes, where tables end early, and anywhere, where they give up.
    asked = np.concatenate([codes[:6] ^ np.packbits(rng.random((6, bits)) < 0.03, axis=1), random_codes(3, bits, 9)])
    tables, every = CodeTables(to_words(codes), bits), hamming_distances(asked, codes)
    last = np.full(len(asked), bits)
    for k in (1, 30, 3000):
        for ways, tied_to in itertools.product((False, True), (0, bits // 3)):
            found = tables.nearest_of_all(to_words(asked), k, last, by_tables=ways)
            tied = tables.nearest_of_all(to_words(asked), k, last, whole=tied_to, by_tables=ways)
            close = tables.nearest_of_all(to_words(asked), k, np.full(len(asked), 2), by_tables=ways)
            for near, whole, few_bits, distances in zip(found, tied, close, every, strict=True):
                order = np.argsort(distances, kind="stable")
                np.testing.assert_array_equal(near.positions, order[:k])
                np.testing.assert_array_equal(near.distances, distances[order[:k]])
                reach = max(distances[order[: min(k, 2000)][-1]], tied_to)
                np.testing.assert_array_equal(whole.positions, order[distances[order] <= reach])
                assert len(few_bits.positions) == min((distances <= 2).sum(), k)


def test_near_codes_are_found_without_looking_at_most(monkeypatch):
    monkeypatch.setattr("keras_dhnn.archive.code_tables._FEW", 0)
    codes = random_codes(50_000, 64)
    tables = CodeTables(to_words(codes), 64)
    monkeypatch.setattr(tables, "_all", None)
    near = tables.nearest(to_words(codes[7:8] ^ np.array([1, 0, 0, 2, 0, 0, 0, 4], np.uint8))[0], 1, 64)
    assert (near.positions.tolist(), near.distances.tolist()) == ([7], [3])


@pytest.mark.parametrize("distinct", [None, 40])
@pytest.mark.parametrize("rank", ["hamming", "asymmetric", "features"])
@pytest.mark.parametrize("ids", ["apart", "mixed"])
def test_archive_answers_the_same_in_memory(tmp_path, monkeypatch, distinct, rank, ids):
    codes, rng = random_codes(3000, 64, distinct=distinct), np.random.default_rng(1)
    # Some are near others, so that distances up to l / 16 are met.
    codes[1500:] = codes[:1500] ^ np.packbits(rng.random((1500, 64)) < 0.04, axis=1)
    parts = 1 if ids == "apart" else 3
    archive = make_archive(tmp_path / "a", codes, parts=parts, features=rng.normal(size=(3000, 5)))
    outputs, features = rng.normal(size=(20, 64)), rng.normal(size=(20, 5))
    for queries in (Queries(pack(outputs), outputs, features), Queries(codes[:20], outputs, features)):
        for how in ({"k": 7}, {"k": 5000, "radius": 30}, {"k": 3, "rerank": 20}):
            monkeypatch.setattr(ManyQueries, "plan", lambda *_: None)
            expected = archive.search(queries, rank=rank, **how).table
            for plan in (COMPARE, TABLES):
                monkeypatch.setattr(ManyQueries, "plan", lambda *_, plan=plan: plan)
                assert archive.search(queries, rank=rank, **how).table.equals(expected)


def test_tables_that_do_not_fit_are_made_one_after_the_other(tmp_path, monkeypatch):
    codes = random_codes(900, 64)
    archive = make_archive(tmp_path / "a", codes, parts=1)
    expected = archive.search(codes[:5], 9).table
    monkeypatch.setattr(module, "_MOST_BYTES", 1)
    monkeypatch.setattr(ManyQueries, "plan", lambda *_: TABLES)
    assert archive.search(codes[:5], 9).table.equals(expected)


def test_what_costs_less_is_chosen(tmp_path):
    def many(codes, name, rows):
        archive = make_archive(tmp_path / name, codes)
        made = ManyQueries(archive.root, archive.identity, archive.parts)
        made._rows = rows
        return made

    codes = random_codes(30_000, 64, distinct=50)
    empty = many(codes, "a", 0)
    empty._runs = []
    assert empty.plan(Queries(codes[:10]), 5) is None
    alike = many(codes, "b", 30_000)
    assert alike.plan(Queries(codes), None) is None
    assert alike.plan(Queries(codes[:1000]), 5) == COMPARE
    apart, asked = random_codes(30_000, 64), Queries(random_codes(1000, 64, seed=5))
    assert many(apart, "c", 100_000).plan(asked, 50) == COMPARE
    assert many(apart, "d", 10**8).plan(asked, 50) == TABLES
    # Codes are not read for the sake of a few queries.
    assert many(apart, "e", 10**8).plan(Queries(asked.codes[:2]), 50) is None
    far = many(random_codes(30_000, 128), "f", 10**8)
    assert far.plan(Queries(random_codes(1000, 128, seed=5)), 50) != TABLES
