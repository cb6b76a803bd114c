"""Marks of right and wrong: a new order, suggestions, estimates, undo, kept searches, and labels that leave."""

import csv
import datetime
import re
from urllib.parse import quote

import pytest

from tests.browse.asked import asker
from tests.browse.driver import expect

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow


def mark(page, which):
    """Marks the fourth of the tiles that have no mark."""
    tile = page.locator(".tile:not([data-mark])").nth(3)
    tile.hover()
    tile.get_by_role("button", name=f"{which} (").click()


def press(page, key, place=0):
    page.locator(".tile .picture").nth(place).focus()
    page.keyboard.press(key)


def rename(page, name):
    field = page.get_by_role("textbox", name="Name of this search")
    field.fill(name)
    field.press("Enter")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def tally(page, words):
    expect(page.locator(".tally")).to_have_text(words)


def code_of(site, key):
    return int(asker(site).get("/api/search", like=key, limit=1)["query"]["code"], 16)


UNTAUGHT = "Mark tiles right or wrong, and the order learns from it."


def test_marks_reorder_suggest_and_estimate(look, site):
    page = look(f"{site}?like=forest/00002")
    mark(page, "right")
    # The query itself is right too.
    expect(page.locator(".tally")).to_have_text("2 right, 0 wrong")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    suggestions = page.get_by_role("group", name="Most useful to mark next")
    expect(suggestions.get_by_role("button", name=re.compile("^Look closer"))).to_have_count(5)
    suggestions.get_by_role("button", name=re.compile("is wrong")).first.click()
    expect(page.locator(".tally")).to_have_text("2 right, 1 wrong")
    with page.expect_response("**/marks") as answer:
        mark(page, "right")
    expect(page.locator(".tally")).to_have_text("3 right, 1 wrong")
    known = [each for each in answer.value.json()["precision"] if each["estimate"] is not None]
    expect(page.locator(".estimates tr")).to_have_count(len(known))
    for row, each in zip(page.locator(".estimates tr").all(), known, strict=True):
        assert f"first {each['k']}" in row.inner_text()
        assert f"{100 * each['estimate']:.0f} %" in row.inner_text()
    expect(page.locator(".tile .caption-number").first).to_have_text(re.compile(r"^score [01]\.\d\d$"))
    for number in range(5):
        expect(page.locator(".tile .caption-name").nth(number)).to_have_text(re.compile("forest|coast"))


def test_marks_by_keys_and_undo(look, site):
    page = look(f"{site}?like=field/00001")
    press(page, "u")  # nothing has been done yet
    press(page, "y")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator(".tally")).to_have_text(re.compile("[12] right, 1 wrong"))
    page.keyboard.press("u")
    expect(page.locator(".tally")).to_have_text(re.compile("[12] right, 0 wrong"))
    page.get_by_role("button", name="Redo").click()
    expect(page.locator(".tally")).to_have_text(re.compile("[12] right, 1 wrong"))


def test_scores_have_a_histogram_whose_line_cuts_the_list(look, site):
    page = look(f"{site}?like=forest/00010")
    with page.expect_response("**/marks") as answer:
        mark(page, "right")
    histogram = answer.value.json()["histogram"]
    expect(page.get_by_role("heading", name="Scores")).to_be_visible()
    cut = page.get_by_role("slider", name="least score")
    expect(cut).to_have_attribute("aria-valuenow", "0")
    expect(page.get_by_text(f"Score 0.00 or more: {sum(histogram['counts']):,} tiles")).to_be_visible()
    plot = page.locator(".plot:visible").bounding_box()
    page.mouse.move(plot["x"] + 1, plot["y"] + 20)
    page.mouse.down()
    page.mouse.move(plot["x"] + 0.71 * plot["width"], plot["y"] + 20, steps=5)
    page.mouse.up()
    step = int(cut.get_attribute("aria-valuetext").split()[1].replace("0.", "")) // 2
    assert 33 <= step <= 37
    kept = sum(histogram["counts"][step:])
    expect(page.locator(".wall-remark")).to_contain_text(f"{kept:,} tile")
    expect(page.locator(".wall-remark")).to_contain_text(f"score {histogram['edges'][step]:.2f} or more")
    assert f"score={histogram['edges'][step]}" in page.url
    cut.press("ArrowRight")
    kept = sum(histogram["counts"][step + 1 :])
    expect(page.locator(".wall-remark")).to_contain_text(f"score {histogram['edges'][step + 1]:.2f} or more")
    expect(page.locator(".wall-remark")).to_contain_text(f"{kept:,} tile")
    again = look(page.url)
    expect(again.locator(".wall-remark")).to_have_text(page.locator(".wall-remark").inner_text())
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".wall-remark")).to_contain_text(f"{sum(histogram['counts']):,} tiles")
    assert "score=" not in page.url


def test_clicks_mark_when_told_to(look, site):
    page = look(site)
    page.get_by_role("button", name="is right", exact=True).click()
    page.get_by_role("button", name=re.compile("^beach,")).first.click()
    expect(page.locator(".tally")).to_have_text("1 right, 0 wrong")
    expect(page.locator(".tile .caption-name").first).to_have_text("beach")


def test_search_is_named_kept_and_its_labels_exported(look, site, tmp_path):
    page = look(f"{site}?like=harbour/00003")
    mark(page, "right")
    mark(page, "wrong")
    expect(page.locator(".tally")).to_have_text("2 right, 1 wrong")
    page.get_by_role("textbox", name="Name of this search").fill("boats")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="boats")).to_be_visible()
    assert "taught=boats" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Export labels (CSV)").click()
    download.value.save_as(tmp_path / "labels.csv")
    with open(tmp_path / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["label"] for row in rows) == ["boats", "boats", "not boats"]
    assert all("harbour" in row["path"] for row in rows if row["label"] == "boats")

    page.goto(site)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%b %-d")
    kept = page.locator(".kept li").filter(has_text="boats")
    expect(kept).to_contain_text(re.compile(f"{today}.* · 2 right, 1 wrong"))
    page.get_by_role("button", name="boats", exact=True).click()
    expect(page.get_by_role("heading", name="boats")).to_be_visible()
    expect(page.locator(".tally")).to_have_text("2 right, 1 wrong")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(site)
    page.get_by_role("button", name="Delete boats").click()
    expect(page.get_by_role("button", name="boats", exact=True)).to_be_hidden()


def test_address_of_a_search_shows_it_again(look, site):
    page = look(f"{site}?like=field/00001")
    mark(page, "right")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    expect(page.locator(".tally")).to_have_text(re.compile("right"))
    again = look(page.url)
    expect(again.get_by_text("in the order that your marks teach")).to_be_visible()
    expect(again.locator(".tally")).to_have_text(page.locator(".tally").inner_text())


def test_name_that_is_taken_is_refused_in_place(look, site):
    page = look(f"{site}?like=field/00001", expect_errors=True)
    mark(page, "right")
    name = page.get_by_role("textbox", name="Name of this search")
    name.fill("fields")
    name.press("Enter")
    expect(page.get_by_role("heading", name="fields")).to_be_visible()
    expect(page.locator(".tally")).to_have_text("2 right, 0 wrong")
    page.goto(f"{site}?like=beach/00000")
    mark(page, "right")
    expect(name).to_have_value(re.compile("^Search "))
    name.fill("fields")
    name.press("Enter")
    refused = page.get_by_role("region", name="Teach").get_by_role("alert")
    expect(refused).to_contain_text("fields")
    # What the next mark teaches leaves the refusal where it is.
    mark(page, "wrong")
    expect(page.locator(".tally")).to_have_text("2 right, 1 wrong")
    expect(page.get_by_role("heading", name="Most useful to mark next")).to_be_visible()
    expect(refused).to_contain_text("fields")


def test_name_waits_for_the_mark_before_it(look, site):
    page = look(f"{site}?like=forest/00010", expect_errors=True)
    held = []
    page.route(re.compile("/marks$"), lambda route: held.append(route))
    mark(page, "right")
    name = page.get_by_role("textbox", name="Name of this search")
    expect(name).to_have_value(re.compile("^Search "))
    name.fill("woods")
    name.press("Enter")
    # A search of this name would lack the mark.
    assert page.evaluate("fetch('api/searches/woods').then((answer) => answer.status)") == 404
    held[0].continue_()
    expect(page.get_by_role("heading", name="woods")).to_be_visible()
    expect(page.locator(".tally")).to_have_text("2 right, 0 wrong")


def test_another_question_begins_another_search(look, site):
    page = look(f"{site}?like=forest/00002")
    press(page, "y", 3)
    tally(page, "2 right, 0 wrong")
    rename(page, "pines")
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("End")  # later pages go by the new name
    expect(page.locator(".tile[aria-posinset='2016'] .picture")).to_have_accessible_name(re.compile("score"))
    page.locator(".tile .picture").last.click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    tally(page, UNTAUGHT)
    asked = page.locator(".asked strong").text_content()
    press(page, "y", 2)
    tally(page, "2 right, 0 wrong")
    expect(page).to_have_url(re.compile("taught=Search"))
    rename(page, "second")
    page.get_by_role("button", name="Back to all tiles").click()
    expect(page.locator(".wall-title")).to_have_text("2,016 tiles")
    tally(page, UNTAUGHT)
    # Of what is wrong alone nothing is learned: the wall stays, for one that is right.
    press(page, "n")
    tally(page, "0 right, 1 wrong")
    expect(page.get_by_text("One tile marked right is needed")).to_be_visible()
    expect(page.locator(".wall-title")).to_have_text("2,016 tiles")
    expect(page.locator(".takeaway-count")).to_have_text("All 2,016 tiles")
    expect(page.locator(".tile").first).to_have_attribute("data-mark", "wrong")
    press(page, "y", 1)
    tally(page, "1 right, 1 wrong")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="second", exact=True)).to_be_visible()
    expect(page.locator(".asked strong")).to_have_text(asked)
    tally(page, "2 right, 0 wrong")
    for name in ("pines", "second"):
        kept = asker(site).get(f"/api/searches/{name}")
        assert (kept["right"], kept["wrong"]) == (2, 0), name


@pytest.mark.parametrize("path", ["/api/searches$", "/marks$"])
def test_mark_under_way_stays_in_the_search_it_was_made_in(look, site, path):
    page = look(f"{site}?like=forest/00002")
    expect(page.locator(".tile").nth(8)).to_be_visible()
    held = []
    page.route(re.compile(path), lambda route: held.append(route), times=1)
    with page.expect_request(re.compile(path)):
        press(page, "y", 3)
    press(page, "n", 5)  # waits for the one before it
    wrong = page.locator(".tile").nth(5).get_attribute("data-id")
    page.locator(".tile .picture").nth(8).click()
    tally(page, UNTAUGHT)
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    with page.expect_response(lambda answer: f'"{wrong}"' in (answer.request.post_data or "")) as answer:
        held[0].continue_()
    kept = answer.value.json()
    assert (kept["query"], kept["right"], kept["wrong"]) == ("like=forest%2F00002", 2, 1)
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    assert "taught" not in page.url
    tally(page, UNTAUGHT)


def test_filter_that_is_set_before_the_answer_to_a_mark_stays(look, site):
    page = look(f"{site}?like=forest/00002")
    held = []
    page.route(re.compile("/marks$"), lambda route: held.append(route))
    with page.expect_request(re.compile("/marks$")):
        press(page, "y", 3)
    page.get_by_role("button", name="forest 500").click()
    expect(page.locator(".wall-remark")).to_have_text("500 tiles by Hamming distance")
    held[0].continue_()
    tally(page, "2 right, 0 wrong")
    expect(page.locator(".wall-remark")).to_have_text("500 tiles in the order that your marks teach")
    # The address to go back to has the name of before.
    rename(page, "stands")
    rename(page, "woodland")
    page.go_back()
    expect(page.locator(".wall-remark")).to_have_text("2,016 tiles in the order that your marks teach")
    expect(page.get_by_role("heading", name="woodland", exact=True)).to_be_visible()
    tally(page, "2 right, 0 wrong")


def test_kept_search_is_opened_with_its_query_and_filters(look, site):
    page = look(f"{site}?like=harbour/00003&label=harbour")
    press(page, "y", 3)
    tally(page, "2 right, 0 wrong")
    rename(page, "quays")
    page.goto(f"{site}?like=beach/00000&label=beach&label=field")
    press(page, "y", 3)
    tally(page, "2 right, 0 wrong")
    page.get_by_role("button", name="quays", exact=True).click()
    expect(page.get_by_alt_text("The query, harbour/00003")).to_be_visible()
    expect(page.locator(".wall-remark")).to_contain_text("500 tiles in the order")
    assert re.findall("label=([a-z]+)", page.url) == ["harbour"]
    differing = page.locator(".tile").nth(2).locator(".bit-differs").get_attribute("d").count("M")
    codes = [code_of(site, key) for key in ("harbour/00003", page.locator(".tile").nth(2).get_attribute("data-id"))]
    assert differing == (codes[0] ^ codes[1]).bit_count()
    page.go_back()
    expect(page.get_by_alt_text("The query, beach/00000")).to_be_visible()
    expect(page.locator(".wall-remark")).to_contain_text("1,000 tiles in the order")
    # What was asked on the wall is kept too.
    page.goto(f"{site}?label=field")
    press(page, "y")
    tally(page, "1 right, 0 wrong")
    rename(page, "acres")
    page.goto(site)
    page.get_by_role("button", name="acres", exact=True).click()
    expect(page.locator(".wall-remark")).to_have_text("500 tiles in the order that your marks teach")


@pytest.mark.parametrize("query", ["like=forest/gone", "upload=0123456789abcdef"])
def test_kept_search_whose_query_is_gone_shows_its_marks(look, site, query):
    name = f"gone {query[:4]}"
    kept = f"/api/searches/{quote(name)}"
    asker(site).json("POST", "/api/searches", {"name": name, "query": query}, 201)
    asker(site).json("POST", f"{kept}/marks", {"marks": {"beach/00000": "wrong"}})
    page = look(site, expect_errors=True)
    page.get_by_role("button", name=name, exact=True).click()
    tally(page, "0 right, 1 wrong")
    expect(page.locator(".wall-title")).to_have_text("2,016 tiles")
    expect(page.get_by_text("What this search began from is not there any more.")).to_be_visible()
    first = page.locator(".tile").first.get_attribute("data-id")
    press(page, "y")
    tally(page, "1 right, 1 wrong")
    page.reload()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.locator(".wall-remark")).to_have_text("2,016 tiles in the order that your marks teach")
    assert asker(site).get(kept)["marks"] == {"beach/00000": "wrong", first: "right"}
    page.get_by_role("button", name="Back to all tiles").click()
    expect(page.locator(".wall-title")).to_have_text("2,016 tiles")


def test_exported_labels_hold_the_mark_under_way(look, site, tmp_path):
    page = look(f"{site}?like=forest/00010")
    mark(page, "right")
    expect(page.locator(".tally")).to_have_text("2 right, 0 wrong")
    held = []
    page.route(re.compile("/marks$"), lambda route: held.append(route))
    with page.expect_request(re.compile("/marks$")):
        mark(page, "right")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_download() as download:
        page.get_by_role("button", name="Export labels (CSV)").click()
        assert page.evaluate("fetch('api/searches').then((answer) => answer.status)") == 200
        assert not [url for url in asked if "labels.csv" in url]
        held[0].continue_()
    download.value.save_as(tmp_path / "labels.csv")
    with open(tmp_path / "labels.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
