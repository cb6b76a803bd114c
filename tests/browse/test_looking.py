"""What a page shows first: about, tiles, facets, the map by similarity; and what is taken away."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.archive import Archive, Identity
from keras_dhnn.browse.layout import Layout
from keras_dhnn.browse.parameters import Filters
from tests.archives import make_archive, random_codes, tile_rows
from tests.browse.asked import opened, page_of, picture


def test_about_says_what_there_is(browser, archive):
    about = browser.get("/api/about")
    assert (about["rows"], about["bits"], about["name"], about["cross"]) == (60, 64, "archive", False)
    (source,) = about["sources"]
    assert (source["rows"], source["labelled"], source["placed"], source["timed"]) == (60, True, False, False)
    assert about["token"] == browser.token


def test_the_wall_is_a_fixed_shuffle_of_all(browser, archive):
    first, second = (browser.get("/api/tiles", offset=offset, limit=40) for offset in (0, 40))
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert sorted(ids) == archive.codes().ids.tolist() != ids
    assert first == browser.get("/api/tiles", limit=40)
    assert {item["label"] for item in first["items"][:12]} == {"a", "b", "c"}


def test_order_of_time(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(30))
    with opened(page_of(archive, tmp_path / "state")) as browser:
        times = [item["time"] for item in browser.get("/api/tiles", order="time")["items"]]
        assert times == sorted(times)
        facets = browser.get("/api/facets")
        assert facets["time"] == [times[0], times[-1]]
        assert facets["labels"][-1] == {"label": None, "count": 10}
        np.testing.assert_allclose(facets["bbox"], [10, 49.99, 10.3, 50])


def test_chips_count_without_their_own_filter(browser):
    facets = browser.get("/api/facets", label="a")
    assert facets["total"] == 20
    assert facets["labels"] == [{"label": kind, "count": 20} for kind in "abc"]


def test_similar_items_lie_together(browser):
    found = browser.get("/api/map")
    places = {kind: np.array([[p["x"], p["y"]] for p in found["points"] if p["label"] == kind]) for kind in "abc"}
    assert max(np.abs(place).max() for place in places.values()) == pytest.approx(1, abs=1e-3)
    spread = max(np.linalg.norm(place - place.mean(axis=0), axis=1).mean() for place in places.values())
    centres = np.array([place.mean(axis=0) for place in places.values()])
    apart = min(np.linalg.norm(centres[one] - centres[other]) for one, other in ((0, 1), (0, 2), (1, 2)))
    assert apart > 2 * spread
    clusters = found["clusters"]
    assert sum(cluster["count"] for cluster in clusters) == found["total"] == 60
    kinds = [{item["label"] for item in cluster["items"]} for cluster in clusters]
    assert all(len(kind) == 1 for kind in kinds)
    assert [{cluster["label"]} for cluster in clusters] == kinds


def test_a_filtered_map_has_what_is_left(browser):
    found = browser.get("/api/map", label="b")
    assert {point["label"] for point in found["points"]} == {"b"}
    assert sum(cluster["count"] for cluster in found["clusters"]) == found["total"] == 20


def test_items_beyond_the_sample_lie_by_their_nearest(page, monkeypatch):
    from keras_dhnn.browse import layout

    monkeypatch.setattr(layout, "MOST_POINTS", 30)
    made = Layout(page.catalogues["image"])
    made.refine()
    monkeypatch.setattr(layout, "MOST_POINTS", 60)
    found = made.describe(Filters())
    assert (len(found["points"]), found["rough"]) == (60, False)
    places = {kind: np.array([[p["x"], p["y"]] for p in found["points"] if p["label"] == kind]) for kind in "abc"}
    spread = max(np.linalg.norm(place - place.mean(axis=0), axis=1).mean() for place in places.values())
    centres = [place.mean(axis=0) for place in places.values()]
    assert min(np.linalg.norm(centres[0] - centres[1]), np.linalg.norm(centres[1] - centres[2])) > 2 * spread


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_small_archives_have_a_page(tmp_path, count):
    empty = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    archive = make_archive(tmp_path / "a", random_codes(count)) if count else empty
    with opened(page_of(archive, tmp_path / "state")) as browser:
        assert browser.get("/api/about")["rows"] == count
        for path in ("/api/tiles", "/api/facets", "/api/map"):
            assert browser.get(path)["total"] == count
        assert browser.get("/api/footprints")["total"] == count
        assert browser.get("/api/scenes") == {"scenes": []}
        assert browser.get("/api/search", code="00" * 8)["total"] == count


def table(browser, **body):
    """The rows of an export as CSV."""
    return list(csv.DictReader(io.StringIO(browser.ask("POST", "/api/export", {"format": "csv"} | body)[2].decode())))


def test_a_selection_leaves_as_a_table(browser, archive):
    ids = archive.codes().ids.tolist()[5:2:-1]
    _, headers, content = browser.ask("POST", "/api/export", {"format": "csv", "ids": ids})
    assert "archive.csv" in headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert [row["id"] for row in rows] == ids
    assert not {"rank", "distance", "score"} & set(rows[0])  # in no list


def test_a_selection_has_the_ranks_and_distances_of_its_view(browser, archive):
    ids = archive.codes().ids.tolist()
    shown = browser.get("/api/search", like=ids[8], label=["a", "b"], limit=500)["items"]
    chosen = [shown[place] for place in (6, 3, 9)]
    other = next(key for key in ids if "/c/" in key)  # not in the list
    rows = table(browser, ids=[*(item["id"] for item in chosen), other], view=f"like={ids[8]}&label=a&label=b")
    assert [row["id"] for row in rows] == [*(item["id"] for item in chosen), other]
    assert [row["rank"] for row in rows] == ["7", "4", "10", ""]
    assert [row["distance"] for row in rows] == [*(str(item["distance"]) for item in chosen), ""]
    wall = browser.get("/api/tiles", limit=5)["items"]
    assert [row["rank"] for row in table(browser, ids=[wall[4]["id"], wall[0]["id"]], view="")] == ["5", "1"]


def test_a_view_of_another_source_says_nothing_of_a_selection(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(4), ids=list("abcd"), source="mul")
    archive.append(tile_rows(random_codes(4, seed=1), list("abcd")), "pan")
    with opened(page_of(archive, tmp_path / "state")) as browser:
        found = table(browser, source="pan", ids=["a"], view="like=a&source=pan")
        assert [(row["rank"], row["distance"]) for row in found] == [("1", "0")]
        assert "rank" not in table(browser, source="mul", ids=["a"], view="like=a&source=pan")[0]


def test_what_is_shown_leaves_in_its_order(browser, archive):
    key = archive.codes().ids[8]
    shown = browser.get("/api/search", like=key, label="a", limit=7)["items"]
    rows = table(browser, view=f"like={key}&label=a&view=wall", limit=7)
    assert [row["id"] for row in rows] == [item["id"] for item in shown]
    assert [int(row["distance"]) for row in rows] == [item["distance"] for item in shown]
    wall = browser.get("/api/tiles", label="c", limit=4)["items"]
    rows = table(browser, view="label=c", limit=4)
    assert [row["id"] for row in rows] == [item["id"] for item in wall]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]


def test_a_zip_holds_the_tiles(browser, archive):
    ids = archive.codes().ids.tolist()[:3]
    _, headers, content = browser.ask("POST", "/api/export", {"format": "zip", "ids": ids})
    assert headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = [name for name in file.namelist() if name.startswith("tiles/")]
        assert len(names) == 3
        numbers = [int(key[-7:-4]) for key in ids]
        for name, number in zip(names, numbers, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(file.read(name)))), picture(number))
        assert file.read("items.csv").decode().count("\n") == 4


def test_footprints_leave_as_geojson_and_geoparquet(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    archive = make_archive(tmp_path / "a", random_codes(20))
    with opened(page_of(archive, tmp_path / "state")) as browser:
        ids = ["tile000007", "tile000001"]
        found = json.loads(browser.ask("POST", "/api/export", {"format": "geojson", "ids": ids})[2])
        (tmp_path / "x.parquet").write_bytes(
            browser.ask("POST", "/api/export", {"format": "geoparquet", "ids": ids})[2]
        )
    frame = geopandas.read_parquet(tmp_path / "x.parquet")
    assert frame["id"].tolist() == [feature["id"] for feature in found["features"]] == ids
    assert [shape.bounds for shape in frame.geometry] == [tuple(feature["bbox"]) for feature in found["features"]]


def test_formulas_do_not_reach_a_spreadsheet(tmp_path):
    archive = make_archive(tmp_path / "a", random_codes(2), ids=["=cmd()", "plain"])
    with opened(page_of(archive, tmp_path / "state")) as browser:
        content = browser.ask("POST", "/api/export", {"format": "csv", "ids": ["=cmd()"]})[2].decode()
    assert "'=cmd()" in content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"format": "exe", "ids": ["x"]}, 400),
        ({"format": "csv", "ids": []}, 400),
        ({"format": "csv", "ids": ["nobody"]}, 404),
        ({"format": "csv", "ids": [3]}, 400),
        ({"format": "csv", "view": "taught=nobody"}, 404),
        ({"format": "csv", "view": "", "limit": 0}, 400),
        ({"format": "csv", "view": "", "limit": -5}, 400),
        ({"format": "csv", "view": "", "limit": 10_001}, 413),
        ({"format": "csv", "view": "order=size"}, 400),
    ],
)
def test_other_selections_are_refused(browser, body, status):
    assert browser.ask("POST", "/api/export", body)[0] == status
