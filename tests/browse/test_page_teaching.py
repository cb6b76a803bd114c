"""Marks of right and wrong: a new order, suggestions, estimates, undo, kept searches, and labels that leave."""

import csv
import datetime
import re

import pytest

from tests.browse.driver import expect

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow


def mark(page, which):
    """Marks the fourth of the tiles that have no mark."""
    tile = page.locator(".tile:not([data-mark])").nth(3)
    tile.hover()
    tile.get_by_role("button", name=f"{which} (").click()


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
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("y")
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
