"""What leaves the page: chosen tiles and whole lists as files, and the address that shows the same view."""

import csv
import io
import json
import re
import zipfile

import pytest

from tests.browse.driver import expect

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow


def save(page, form):
    with page.expect_download() as download:
        page.get_by_role("region", name="Export").get_by_role("button", name=form).click()
    return download.value.path().read_bytes()


def test_selection_is_exported(look, site):
    page = look(f"{site}?like=beach/00000")
    page.locator(".tile .picture").nth(2).focus()
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.get_by_text("2 tiles selected")).to_be_visible()
    tiles = page.locator(".tile[data-selected]")
    chosen = tiles.evaluate_all("tiles => tiles.map(tile => tile.dataset.id)")
    apart = [re.match(r"\d+", words)[0] for words in tiles.locator(".caption-number").all_text_contents()]
    rows = list(csv.DictReader(io.StringIO(save(page, "CSV").decode())))
    assert [row["id"] for row in rows] == chosen
    assert [row["rank"] for row in rows] == ["3", "4"]
    assert [row["distance"] for row in rows] == apart
    with zipfile.ZipFile(io.BytesIO(save(page, "Zip of tiles"))) as zipped:
        assert len([name for name in zipped.namelist() if name.startswith("tiles/")]) == 2
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_text("2 tiles selected")).to_be_hidden()


def selected(page):
    return page.locator(".tile[data-selected]").evaluate_all(
        "tiles => tiles.map(tile => Number(tile.dataset.index)).sort((one, other) => one - other)"
    )


def test_ranges_are_selected_with_shift(look, site):
    page = look(f"{site}?like=beach/00000")
    tiles = page.locator(".tile")
    tiles.nth(2).locator(".picture").focus()
    page.keyboard.press("x")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("4 tiles selected")).to_be_visible()
    assert selected(page) == [2, 3, 4, 5]
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_text("3 tiles selected")).to_be_visible()
    assert selected(page) == [2, 3, 4]
    # Another range begins where a tile was selected last, and leaves the one before it.
    tiles.nth(8).hover()
    tiles.nth(8).get_by_role("button", name="select (").click()
    tiles.nth(6).locator(".picture").click(modifiers=["Shift"])
    expect(page.get_by_text("6 tiles selected")).to_be_visible()
    assert selected(page) == [2, 3, 4, 6, 7, 8]
    assert "like=beach" in page.url


def test_a_range_reaches_tiles_that_have_not_come_yet(look, site):
    page = look(f"{site}?like=beach/00000")
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("x")
    page.keyboard.press("Shift+End")
    expect(page.get_by_text("2,016 tiles selected")).to_be_visible()


def test_whole_list_is_exported_where_nothing_is_chosen(look, site):
    page = look(f"{site}?where=size+%3E+0")
    expect(page.get_by_text("All 16 tiles")).to_be_visible()
    collection = json.loads(save(page, "GeoJSON"))
    assert len(collection["features"]) == 16
    assert all(feature["geometry"]["type"] == "Polygon" for feature in collection["features"])
    assert save(page, "GeoParquet")[:4] == b"PAR1"


@pytest.mark.parametrize(
    "address",
    [
        "like=forest/00006&radius=9&label=forest",
        "like=forest/00006&like=field/00001&unlike=beach/00000",
        "code=00ff00ff00ff00ff&since=2021-01-11&until=2021-02-01",
        "where=row+%3C+128&panel=map",
        "panel=similarity&label=beach&label=field",
    ],
)
def test_address_shows_the_same_view_again(look, site, address):
    page = look(f"{site}?{address}")
    expect(page.locator(".tile .picture").first).to_be_visible()
    title, remark = page.locator(".wall-title").inner_text(), page.locator(".wall-remark").inner_text()
    first = page.locator(".tile").first.get_attribute("data-id")
    # A step away and back again: the address decides, not what was on the page.
    page.locator(".tile .picture").nth(1).click()
    expect(page.locator(".wall-title")).to_have_text(re.compile("Nearest to"))
    page.go_back()
    expect(page.locator(".wall-title")).to_have_text(title)
    expect(page.locator(".wall-remark")).to_have_text(remark)
    expect(page.locator(".tile").first).to_have_attribute("data-id", first)
