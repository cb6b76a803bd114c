"""Searches of a page against plain NumPy, and against what the shell's search says."""

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Queries, combine
from keras_dhnn.archive.calibration import calibrate
from keras_dhnn.browse import rankings
from keras_dhnn.codes import hamming_distances
from tests.archives import make_archive, random_codes, tile_rows
from tests.browse.asked import opened, page_of

COUNT = 300


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    scenes = [("north", "south's")[number % 2] for number in range(COUNT)]
    return make_archive(
        tmp_path_factory.mktemp("codes") / "archive", random_codes(COUNT, distinct=90), parts=2, scene=scenes
    )


@pytest.fixture(scope="module")
def rows(archive):
    """What is in it, in order of id: codes and columns."""
    return archive.codes(), archive.rows(["id", "label", "scene", "time", "bbox"]).sort_by("id").to_pylist()


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr(rankings, "_FIRST", 20)
    monkeypatch.setattr(rankings, "_GROWTH", 2)


@pytest.fixture(scope="module")
def browser(archive, tmp_path_factory):
    with opened(page_of(archive, tmp_path_factory.mktemp("state"))) as browser:
        yield browser


def by_numpy(items, query, kept=None):
    """Return `(ids, distances)` by distance, then id."""
    distances = hamming_distances(query, items.codes)[0]
    order = np.argsort(distances, kind="stable")
    order = order if kept is None else order[kept[order]]
    return items.ids[order].tolist(), distances[order].tolist()


def every_page(browser, limit=40, **query):
    found = []
    while len(found) < (answer := browser.get("/api/search", offset=len(found), limit=limit, **query))["total"]:
        assert answer["items"]
        found += answer["items"]
    return found


@pytest.mark.usefixtures("small_steps")
def test_pages_are_the_order_of_numpy(browser, rows):
    items, _ = rows
    found = every_page(browser, like=items.ids[17])
    ids, distances = by_numpy(items, items.codes[17:18])
    assert ([one["id"] for one in found], [one["distance"] for one in found]) == (ids, distances)
    assert [one["rank"] for one in found] == list(range(1, COUNT + 1))


def test_later_pages_are_not_searched_again(browser, rows, archive, monkeypatch):
    items, _ = rows
    first = browser.get("/api/search", like=items.ids[3], limit=10)
    monkeypatch.setattr(type(archive), "search", None)
    monkeypatch.setattr(type(archive), "histogram", None)
    later = browser.get("/api/search", like=items.ids[3], limit=10, offset=250)
    assert later["histogram"] == first["histogram"]
    assert [one["id"] for one in later["items"]] == by_numpy(items, items.codes[3:4])[0][250:260]


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ({"label": "sea"}, lambda row: row["label"] == "sea"),
        ({"label": ["sea", ""]}, lambda row: row["label"] in ("sea", None)),
        ({"scene": "south's"}, lambda row: row["scene"] == "south's"),
        (
            {"since": "2020-03-01", "until": "2020-04-01"},
            lambda row: (row["time"].year, row["time"].month) == (2020, 3),
        ),
        (
            {"bbox": "10.1,49.985,10.3,50"},
            lambda row: 10.09 <= row["bbox"]["xmin"] <= 10.3 and row["bbox"]["ymax"] > 49.98,
        ),
        ({"where": "month(time) = 2 or label is null"}, lambda row: row["time"].month == 2 or row["label"] is None),
        ({"label": "forest", "where": "1 = 1 or 1 = 1"}, lambda row: row["label"] == "forest"),
    ],
)
def test_filters_leave_what_python_leaves(browser, rows, query, keep):
    items, described = rows
    kept = np.array([bool(keep(row)) for row in described])
    assert 0 < kept.sum() < COUNT
    found = every_page(browser, like=items.ids[5], **query)
    assert [one["id"] for one in found] == by_numpy(items, items.codes[5:6], kept)[0]
    wall = browser.get("/api/tiles", order="id", limit=500, **query)
    assert [one["id"] for one in wall["items"]] == items.ids[kept].tolist()
    assert browser.get("/api/facets", **query)["total"] == wall["total"] == kept.sum()


def test_histogram_total_and_radius(browser, rows):
    items, _ = rows
    distances = hamming_distances(items.codes[9:10], items.codes)[0]
    found = browser.get("/api/search", like=items.ids[9], radius=25)
    np.testing.assert_array_equal(found["histogram"], np.bincount(distances, minlength=65))
    assert found["total"] == (distances <= 25).sum() < COUNT


def test_a_code_finds_what_its_item_finds(browser, rows):
    items, _ = rows
    code = items.codes[33].tobytes().hex()
    found = browser.get("/api/search", code=code, limit=5)
    assert found["query"]["code"] == code
    assert [one["id"] for one in found["items"]] == by_numpy(items, items.codes[33:34])[0][:5]
    assert found["items"][0]["code"] == code


def test_like_and_unlike_is_the_archives_own(browser, rows, archive):
    items, _ = rows
    query = combine(Queries(items.codes[[1, 2]]), Queries(items.codes[[4]]))
    expected = archive.search(query, COUNT, rerank=5000, columns=()).table["id"].to_pylist()
    found = browser.get("/api/search", like=[items.ids[1], items.ids[2]], unlike=items.ids[4], limit=500)
    assert [one["id"] for one in found["items"]] == expected
    # The name is that of the picture, the first one's.
    assert found["query"]["name"] == items.ids[1]
    alone = browser.get("/api/search", like=items.ids[1])["query"]
    assert found["query"]["thumb"] == alone["thumb"]


def test_expected_precision_is_the_calibrations_mean(browser, rows, archive):
    items, _ = rows
    assert browser.get("/api/search", like=items.ids[0])["precision"] is None
    measured = calibrate(archive)
    found = browser.get("/api/search", like=items.ids[0])
    counts = np.array(found["histogram"])
    last = np.flatnonzero(counts)[-1]
    assert found["expected"][last] == pytest.approx((counts * measured.precision).sum() / COUNT, abs=1e-3)
    assert found["items"][0]["precision"] == pytest.approx(measured.precision[0], abs=1e-3)


def test_footprints_come_as_geojson(browser, rows):
    items, described = rows
    item = browser.get("/api/search", like=items.ids[0], limit=1, geometry=1)["items"][0]
    box = described[items.ids.tolist().index(item["id"])]["bbox"]
    ring = np.array(item["geometry"]["coordinates"][0])
    assert (ring.min(axis=0).tolist(), ring.max(axis=0).tolist()) == (
        [box["xmin"], box["ymin"]],
        [box["xmax"], box["ymax"]],
    )
    found = browser.get("/api/footprints", label="sea", limit=20)
    assert len(found["features"]) == 20
    assert found["total"] == COUNT // 3
    assert {one["properties"]["label"] for one in found["features"]} == {"sea"}


@pytest.mark.parametrize(
    ("query", "kind", "status", "words"),
    [
        ({}, "setting", 400, "what to look for"),
        ({"like": "nobody"}, "not_found", 404, "nobody"),
        ({"code": "12"}, "setting", 400, "16 hexadecimal digits"),
        ({"code": "zz" * 8}, "setting", 400, "16 hexadecimal digits"),
        ({"upload": "../../etc"}, "not_found", 404, "not known"),
        ({"like": "tile000001", "radius": "-1"}, "setting", 400, "radius"),
        ({"like": "tile000001", "offset": "1e9"}, "setting", 400, "offset"),
        ({"like": "tile000001", "limit": "501"}, "setting", 400, "limit"),
        ({"like": "tile000001", "rank": "best"}, "setting", 400, "rank"),
        ({"like": "tile000001", "rank": "features"}, "setting", 400, "features"),
        ({"like": "tile000001", "source": "pan"}, "setting", 400, "image"),
        ({"like": "tile000001", "bbox": "1,2,3"}, "setting", 400, "west,south,east,north"),
        ({"like": "tile000001", "bbox": "nan,0,0,0"}, "setting", 400, "west,south,east,north"),
        ({"like": "tile000001", "since": "yesterday"}, "setting", 400, "yesterday"),
        ({"like": "tile000001", "where": "read_text('/etc/passwd') = ''"}, "setting", 400, "condition"),
        ({"like": "tile000001", "where": "1=1) OR (1=1"}, "setting", 400, "condition"),
        ({"like": "tile000001", "where": "label = 3 + 'x'"}, "setting", 400, "condition"),
        ({"like": "tile000001", "where": "(" * 1990 + "row = 1" + ")" * 1990}, "setting", 400, "condition"),
        ({"like": "tile000001", "where": "NOT " * 900 + "row = 1"}, "setting", 400, "nested too deeply"),
        ({"like": "tile000001", "where": "abs(-9223372036854775808) = 1"}, "setting", 400, "Overflow"),
        ({"like": "tile000001", "until": "9999-12-31T23:59:59-23:59"}, "setting", 400, "9999-12-31"),
    ],
)
def test_wrong_questions_are_answered_in_words(browser, capfd, query, kind, status, words):
    assert words in browser.refused(kind, status, "GET", "/api/search", **query)
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_changed_archive_is_said(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(40))
    with opened(page_of(archive, tmp_path / "state")) as browser:
        assert browser.get("/api/search", like="tile000001")["total"] == 40
        Archive.open(archive.root).append(tile_rows(random_codes(1, seed=9), ids=["new"]))
        assert browser.get("/api/search", like="tile000002")["total"] == 40  # as it was when the page was opened
        archive.refresh()
        assert "changed" in browser.refused("conflict", 409, "GET", "/api/search", like="tile000003")


def test_two_sources_search_each_other(tmp_path):
    codes = random_codes(50)
    archive = make_archive(tmp_path / "a", codes, source="mul", ids=[f"i{number:02d}" for number in range(50)])
    other = random_codes(50, seed=1)
    archive.append(tile_rows(other, ids=[f"i{number:02d}" for number in range(50)]), "pan")
    with opened(page_of(archive, tmp_path / "state")) as browser:
        about = browser.get("/api/about")
        assert about["cross"]
        assert [source["name"] for source in about["sources"]] == ["mul", "pan"]
        found = browser.get("/api/search", like="i07", source="pan", target="mul", limit=50)
        expected = np.argsort(hamming_distances(other[7:8], codes)[0], kind="stable")
        assert [one["id"] for one in found["items"]] == [f"i{number:02d}" for number in expected]
        assert "source=mul" in found["items"][0]["thumb"]
        assert "source=pan" in found["query"]["thumb"]
