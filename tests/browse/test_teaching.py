"""Named searches: marks, undo, the order that follows, and the labels that come of it."""

import csv
import io
import json
import threading

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Identity
from keras_dhnn.archive.tiles import Scene
from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.browse.searches import Searches
from keras_dhnn.browse.taking import labels_csv
from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.workflows.tile_labels import image_labels
from tests.archives import random_codes, tile_rows
from tests.browse.asked import opened, page_of


def approx(value):
    return pytest.approx(value, abs=1e-3)


@pytest.fixture
def search(browser):
    """A new search's address."""
    browser.json("POST", "/api/searches", {"name": "harbours", "query": "label=a"}, 201)
    yield "/api/searches/harbours"
    browser.ask("DELETE", "/api/searches/harbours")


def ids_of(archive, kind):
    return [key for key in archive.codes().ids if f"/{kind}/" in key]


def test_marks_bring_the_kind_to_the_top(browser, archive, search):
    a, b = ids_of(archive, "a"), ids_of(archive, "b")
    assert not browser.get(f"{search}/results")["ready"]
    found = browser.json("POST", f"{search}/marks", {"marks": {a[0]: "right", a[1]: "right", b[0]: "wrong"}})
    assert (found["ready"], found["right"], found["wrong"], found["undo"]) == (True, 2, 1, 1)
    assert [item["label"] for item in found["items"][:20]] == ["a"] * 20
    scores = [item["score"] for item in found["items"]]
    assert scores == sorted(scores, reverse=True)
    assert found["items"][-1]["id"] == b[0]  # what is wrong stands last
    marks = {item["id"]: item["mark"] for item in found["items"] if item["mark"]}
    assert marks == {a[0]: "right", a[1]: "right", b[0]: "wrong"}
    assert sum(found["histogram"]["counts"]) == found["total"] == 60
    suggested = [item["id"] for item in found["suggestions"]]
    assert len(set(suggested)) == 5
    assert not set(suggested) & set(marks)
    assert [one["k"] for one in found["precision"]] == [10, 20, 50, 100]
    later = browser.get(f"{search}/results", offset=10, limit=5)
    assert [item["id"] for item in later["items"]] == [item["id"] for item in found["items"][10:15]]
    filtered = browser.get(f"{search}/results", label="b")
    assert filtered["total"] == 20
    assert {item["label"] for item in filtered["items"]} == {"b"}


def test_filters_that_leave_nothing_leave_an_empty_order(browser, archive, search):
    marks = {ids_of(archive, "a")[0]: "right", ids_of(archive, "b")[0]: "wrong"}
    browser.json("POST", f"{search}/marks", {"marks": marks})
    found = browser.get(f"{search}/results", label="nobody")
    assert (found["total"], found["items"], found["suggestions"]) == (0, [], [])
    assert found["precision"][0]["estimate"] is None


def test_a_least_score_cuts_the_list_and_its_export(browser, archive, search):
    a, b = ids_of(archive, "a"), ids_of(archive, "b")
    whole = browser.json("POST", f"{search}/marks", {"marks": {a[0]: "right", a[1]: "right", b[0]: "wrong"}})
    scores = np.array([item["score"] for item in whole["items"]])
    edges, counts = np.array(whole["histogram"]["edges"]), np.array(whole["histogram"]["counts"])
    expected = (scores[:, None] >= edges[:-1] - 1e-4).sum(axis=0)
    np.testing.assert_array_equal(np.cumsum(counts[::-1])[::-1], expected)
    least = next(edge for edge, count in zip(edges, expected, strict=False) if 0 < count < 30)
    for given in (f"{least:.3f}", f"{least - 0.005:.3f}"):  # the next edge above
        cut = browser.get(f"{search}/results", score=given, limit=500)
        assert cut["items"] == whole["items"][: cut["total"]]
        assert cut["total"] == (scores >= least).sum()
    assert cut["histogram"] == whole["histogram"]
    assert browser.get(f"{search}/results", score=given, offset=cut["total"] - 2)["items"] == cut["items"][-2:]
    again = browser.json("POST", f"{search}/marks", {"marks": {a[0]: "right"}, "filters": f"score={given}"})
    assert again["total"] == cut["total"]
    body = {"format": "csv", "view": f"taught=harbours&score={given}", "limit": 1000}
    rows = list(csv.DictReader(io.StringIO(browser.ask("POST", "/api/export", body)[2].decode())))
    assert [row["id"] for row in rows] == [item["id"] for item in cut["items"]]
    for wrong in ("2", "-1", "nan", "1e-3", "high"):
        assert "from 0 to 1" in browser.refused("setting", 400, "GET", f"{search}/results", score=wrong)


@pytest.mark.parametrize("gone", ["like=nobody", "upload=0123456789abcdef"])
def test_what_is_taken_of_a_search_is_what_its_page_shows(browser, archive, search, gone):
    def taken(view):
        body = {"format": "csv", "view": view, "limit": 1000}
        return [row["id"] for row in csv.DictReader(io.StringIO(browser.ask("POST", "/api/export", body)[2].decode()))]

    def listed(path, **query):
        return [item["id"] for item in browser.get(path, limit=500, **query)["items"]]

    a, b = ids_of(archive, "a"), ids_of(archive, "b")
    # Nothing is learned of what is wrong alone: the answers to the query are shown, or the wall.
    browser.json("POST", f"{search}/marks", {"marks": {b[0]: "wrong"}})
    like = f"like={a[3]}"
    assert taken(f"{like}&taught=harbours&radius=30") == listed("/api/search", like=a[3], radius=30)
    assert taken(f"{like}&taught=harbours&label=b") == listed("/api/search", like=a[3], label="b")
    for view in ("", f"&{gone}"):
        assert taken(f"taught=harbours&label=c{view}") == listed("/api/tiles", label="c")
    browser.json("POST", f"{search}/marks", {"marks": {a[0]: "right"}})
    order = listed(f"{search}/results")
    assert order != listed("/api/search", like=a[3])
    for view in ("", f"&{gone}", f"&{like}"):
        assert taken(f"taught=harbours{view}") == order
    browser.refused("not_found", 404, "POST", "/api/export", {"format": "csv", "view": gone})
    browser.refused("not_found", 404, "POST", "/api/export", {"format": "csv", "view": "taught=nobody"})


def test_what_is_estimated_of_a_cut_counts_marks_that_score_so(browser, archive, search):
    marks = {key: "right" for key in ids_of(archive, "a")[:4]} | {key: "wrong" for key in ids_of(archive, "b")[:2]}
    found = browser.json("POST", f"{search}/marks", {"marks": marks})["histogram"]
    assert found["estimated"][0] == {"estimate": 4 / 6, "low": approx(0.2999), "high": approx(0.9032), "marked": 6}
    marked = [each["marked"] for each in found["estimated"]]
    assert marked == sorted(marked, reverse=True)
    assert len(marked) == len(found["counts"])


def test_distance_is_to_the_nearest_right_one(browser, archive, search):
    items, a = archive.codes(), ids_of(archive, "a")
    found = browser.json("POST", f"{search}/marks", {"marks": {a[0]: "right", a[5]: "right"}})
    bits = np.unpackbits(items.codes, axis=1).astype(int)
    places = {key: place for place, key in enumerate(items.ids)}
    for item in found["items"][:10]:
        expected = min((bits[places[item["id"]]] != bits[places[key]]).sum() for key in (a[0], a[5]))
        assert item["distance"] == expected


def test_steps_are_undone_and_done_again(browser, archive, search):
    a = ids_of(archive, "a")
    for step in ({a[0]: "right"}, {a[1]: "wrong"}, {a[1]: None, a[2]: "right"}):
        browser.json("POST", f"{search}/marks", {"marks": step})
    assert browser.get(search)["marks"] == {a[0]: "right", a[2]: "right"}
    found = browser.json("POST", f"{search}/undo", {"limit": 1})
    assert (found["marks"], found["undo"], found["redo"]) == ({a[0]: "right", a[1]: "wrong"}, 2, 1)
    assert len(found["items"]) == 1
    for _ in range(4):
        found = browser.json("POST", f"{search}/undo", {})
    assert (found["marks"], found["undo"], found["redo"], found["ready"]) == ({}, 0, 3, False)
    browser.json("POST", f"{search}/redo", {})
    found = browser.json("POST", f"{search}/marks", {"marks": {a[7]: "right"}})
    assert (found["marks"], found["undo"], found["redo"]) == ({a[0]: "right", a[7]: "right"}, 2, 0)


def test_labels_are_those_that_prepare_takes(browser, archive, search, tmp_path):
    ids = archive.codes().ids.tolist()
    browser.json("POST", f"{search}/marks", {"marks": {ids[0]: "right", ids[3]: "right", ids[1]: "wrong"}})
    _, headers, content = browser.ask("GET", f"{search}/labels.csv", right="harbour")
    assert "harbours.csv" in headers["content-disposition"]
    (tmp_path / "labels.csv").write_bytes(content)
    labels = read_labels(tmp_path / "labels.csv", ids)
    assert labels.classes == ("harbour", "not harbour")
    assert np.flatnonzero(labels.sets[:, 0]).tolist() == [0, 3]
    assert np.flatnonzero(labels.sets[:, 1]).tolist() == [1]
    _, _, content = browser.ask("GET", f"{search}/labels.csv", right="harbour", wrong="other, or none")
    assert sorted(row[1] for row in csv.reader(io.StringIO(content.decode()))) == [
        "harbour",
        "harbour",
        "label",
        "other, or none",
    ]


def test_labels_of_tiles_are_those_that_encode_takes(tmp_path):
    """A tile that is a whole file is called by that, which `prepare` finds too; other tiles of scenes by their ids."""
    tiles = ["c/I1/visual#64/000000/000000", "c/I2/visual#64/000000/000000", "s.tif#64/000000/000000"]
    ids = ["a.png", *tiles, "s.tif#64/000000/000064"]
    scenes = [Scene("/d/1.tif", "c/I1/visual"), Scene("/d/2.tif", "c/I2/visual"), Scene("/d/s.tif", "s.tif")]
    names, paths = zip((None, "/d/a.png"), *((scene.name, scene.path) for scene in [*scenes, scenes[-1]]), strict=True)
    archive = Archive.create(tmp_path / "a", Identity("a" * 64, 64))
    archive.append(tile_rows(random_codes(5), ids, scene=list(names), path=list(paths)))
    with opened(page_of(archive, tmp_path / "state")) as browser:
        browser.json("POST", "/api/searches", {"name": "boats"}, 201)
        marks = {ids[0]: "right", ids[1]: "wrong", ids[2]: "right", ids[4]: "right"}
        browser.json("POST", "/api/searches/boats/marks", {"marks": marks})
        content = browser.ask("GET", "/api/searches/boats/labels.csv")[2]
    named = {"a.png": "boats", "/d/1.tif": "not boats", "/d/2.tif": "boats", ids[4]: "boats"}
    assert dict(csv.reader(io.StringIO(content.decode()))) == {"path": "label"} | named
    (tmp_path / "labels.csv").write_bytes(content)
    found = image_labels(tmp_path / "labels.csv", scenes, ["a.png"])
    assert found == {"a.png": "boats", "c/I1/visual": "not boats", "c/I2/visual": "boats", ids[4]: "boats"}
    (tmp_path / "labels.csv").write_text(content.decode().replace(f"{ids[4]},boats\n", ""))
    labels = read_labels(tmp_path / "labels.csv", ["a.png", "1.tif", "2.tif"])
    assert [labels.classes[number] for number in labels.sets.argmax(axis=1)] == ["boats", "not boats", "boats"]


def test_labels_are_no_formulas_to_a_spreadsheet_and_come_back(tmp_path):
    marks = {"=cmd()": "right", "-a": "right", "'=b": "wrong", "c": "wrong"}
    content = labels_csv(marks, "@SUM(1)", "'plain'")
    assert content.decode().splitlines() == [
        "path,label",
        "'=cmd(),'@SUM(1)",
        "'-a,'@SUM(1)",
        "''=b,'plain'",
        "c,'plain'",
    ]
    (tmp_path / "labels.csv").write_bytes(content)
    labels = read_labels(tmp_path / "labels.csv", list(marks))
    assert labels.classes == ("@SUM(1)", "'plain'")
    assert labels.sets.argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_searches_are_kept_named_and_removed(archive, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in archive.root.rglob("*")}
    with opened(page_of(archive, tmp_path)) as browser:
        browser.json("POST", "/api/searches", {"name": "Häfen - 1.5", "query": "like=x"}, 201)
        browser.json("POST", "/api/searches/H%C3%A4fen%20-%201.5/marks", {"marks": {ids_of(archive, "a")[0]: "right"}})
        browser.refused("conflict", 409, "POST", "/api/searches", {"name": "Häfen - 1.5"})
    with opened(page_of(archive, tmp_path)) as browser:
        (kept,) = browser.get("/api/searches")["searches"]
        assert (kept["name"], kept["right"], kept["query"], kept["source"]) == ("Häfen - 1.5", 1, "like=x", "image")
        browser.json("PATCH", "/api/searches/H%C3%A4fen%20-%201.5", {"name": "harbours"})
        browser.refused("not_found", 404, "GET", "/api/searches/H%C3%A4fen%20-%201.5")
        assert browser.get("/api/searches/harbours")["right"] == 1
        browser.json("DELETE", "/api/searches/harbours")
        assert browser.get("/api/searches") == {"searches": []}
    assert {path: path.stat().st_mtime_ns for path in archive.root.rglob("*")} == before


@pytest.mark.parametrize("name", ["", " x", "x ", ".x", "a/b", "x" * 81, "a\nb", "../x", "a\x00b"])
def test_other_names_are_refused(browser, name):
    browser.refused("setting", 400, "POST", "/api/searches", {"name": name})


@pytest.mark.parametrize("marks", [{}, {"nobody": "right"}, {"x": "maybe"}, {"x": 3}])
def test_other_marks_are_refused(browser, search, marks):
    assert browser.ask("POST", f"{search}/marks", {"marks": marks})[0] in (400, 404)
    assert browser.get(search)["undo"] == 0


def test_a_damaged_file_is_said_and_left_out_of_the_list(tmp_path):
    searches = Searches(tmp_path)
    searches.create("one", "image")
    searches.create("two", "image")
    searches._path("one").write_text("{")
    assert [search.name for search in searches.all()] == ["two"]
    with pytest.raises(Exception, match="the search is lost"):
        searches.get("one")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("query", "\ud800"),
        ("steps", [{"a": ["right"]}]),
        ("steps", [{"\udfff": "right"}]),
        ("position", -1),
        ("position", 9),
    ],
)
def test_a_file_that_no_answer_can_be_made_of_is_left_out_of_the_list(tmp_path, name, value):
    searches = Searches(tmp_path)
    searches.create("one", "image")
    searches.create("two", "image")
    path = searches._path("one")
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert [search.name for search in searches.all()] == ["two"]
    with pytest.raises(DataError, match=rf"{path.name} is damaged.*the search is lost"):
        searches.get("one")


def test_marks_of_several_pages_are_all_kept(tmp_path):
    """Two objects stand for two processes: what one writes the other does not undo."""
    Searches(tmp_path).create("one", "image")

    def mark(part):
        own = Searches(tmp_path)
        for number in range(20):
            own.mark("one", {f"{part}{number}": "right"})

    threads = [threading.Thread(target=mark, args=(part,)) for part in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Searches(tmp_path).get("one").marks) == 40


def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="XDG_STATE_HOME"):
        Searches(tmp_path / "file" / "below").create("one", "image")


def test_items_that_are_gone_are_passed_over(archive, tmp_path):
    page = page_of(archive, tmp_path)
    page.searches.create("old", "image")
    page.searches.mark("old", {"gone.png": "right"})
    with opened(page) as browser:
        assert not browser.get("/api/searches/old/results")["ready"]
        browser.json("POST", "/api/searches/old/marks", {"marks": {ids_of(archive, "a")[0]: "right"}})
        assert browser.get("/api/searches/old/results")["ready"]


def test_steps_end_somewhere(tmp_path, monkeypatch):
    from keras_dhnn.browse import searches as module

    monkeypatch.setattr(module, "_MOST_STEPS", 2)
    searches = Searches(tmp_path)
    searches.create("one", "image")
    for number in range(2):
        searches.mark("one", {str(number): "right"})
    with pytest.raises(Refusal, match="2 steps"):
        searches.mark("one", {"3": "right"})
