"""A query by each way there is, and what its answers show."""

import re

import pytest
from PIL import Image

from tests.browse.drawn import draw
from tests.browse.driver import expect


def tiles(page):
    return page.locator(".tile .picture")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "harbour-at-noon.png"
    Image.fromarray(draw("harbour", 77)).save(path)
    return path


def test_wall_shows_all_tiles_and_classes_with_counts(look, site):
    page = look(site)
    expect(page.get_by_role("heading", name="2,016 tiles", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="forest 500")).to_be_visible()
    expect(page.get_by_role("button", name="without label 16")).to_be_visible()
    expect(tiles(page).first.locator("img")).to_have_js_property("complete", True)


def test_click_on_a_tile_finds_more_like_it(look, site):
    page = look(site)
    page.get_by_role("button", name=re.compile("^harbour,")).first.click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    assert "like=harbour" in page.url
    for number in range(8):
        expect(tiles(page).nth(number)).to_have_accessible_name(re.compile("harbour, .* of 64 bits match"))
        expect(page.locator(".tile").nth(number)).to_have_attribute("data-truth", "right")
    page.get_by_role("button", name="Back to all tiles").click()
    expect(page.get_by_role("heading", name="2,016 tiles", exact=True)).to_be_visible()


def test_chosen_file_is_a_query(look, site, picture):
    page = look(site)
    page.locator("#file").set_input_files(picture)
    expect(page.get_by_role("heading", name="Nearest to harbour-at-noon.png")).to_be_visible()
    expect(tiles(page).first).to_have_accessible_name(re.compile("^harbour"))
    expect(page.get_by_alt_text("The query, harbour-at-noon.png")).to_be_visible()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_dropped_or_pasted_picture_is_a_query(look, site, picture, event):
    page = look(site)
    expect(tiles(page).first).to_be_visible()
    page.evaluate(
        """([bytes, event]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "brought.png", { type: "image/png" }));
            const made = event === "drop"
                ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
            document.body.dispatchEvent(made);
        }""",
        [list(picture.read_bytes()), event],
    )
    expect(page.get_by_role("heading", name="Nearest to brought.png")).to_be_visible()
    expect(tiles(page).first).to_have_accessible_name(re.compile("^harbour"))


def test_id_is_a_query(look, site):
    page = look(site)
    page.get_by_role("textbox", name="Id of a tile").fill("forest/00006")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_alt_text("The query, forest/00006")).to_be_visible()
    expect(tiles(page).first).to_have_accessible_name(re.compile("64 of 64 bits match"))


def test_several_tiles_are_a_query(look, site):
    page = look(f"{site}?like=harbour/00003&like=harbour/00007&unlike=beach/00000")
    heading = page.get_by_role("heading", name="Nearest to 00003 and 1 more tile, unlike 1 tile", exact=True)
    expect(heading).to_be_visible()
    expect(page.get_by_alt_text("The query, harbour/00003")).to_be_visible()
    expect(page.locator(".wall-remark")).to_have_text("2,016 tiles by bits weighed by agreement")


def test_box_on_a_scene_is_a_query(look, site):
    page = look(site)
    page.get_by_role("button", name="Draw a box on a scene").click()
    dialog = page.get_by_role("dialog", name="Draw a box on a scene")
    expect(dialog.get_by_alt_text("The scene coast.tif")).to_be_visible()
    frame = dialog.locator(".scene-frame").bounding_box()
    page.mouse.move(frame["x"] + 4, frame["y"] + 4)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 4, frame["y"] + frame["height"] / 4)
    page.mouse.up()
    expect(dialog.get_by_text(re.compile(r"[56]\d × [56]\d pixels from row \d, column \d"))).to_be_visible()
    dialog.get_by_role("button", name="Find what is like it").click()
    expect(page.get_by_role("heading", name="Nearest to coast.tif")).to_be_visible()
    # The scene's upper left tile is drawn as a beach.
    expect(tiles(page).first).to_have_accessible_name(re.compile("coast.tif|^beach"))


def test_cut_off_is_dragged_and_moved_by_keys(look, site):
    page = look(f"{site}?like=forest/00006")
    cut = page.get_by_role("slider", name="Cut-off")
    expect(cut).to_have_attribute("aria-valuenow", "64")
    plot = page.locator(".plot:visible").bounding_box()
    page.mouse.move(plot["x"] + plot["width"] - 2, plot["y"] + 40)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 11 / 65, plot["y"] + 40, steps=4)
    page.mouse.up()
    expect(page.get_by_text("at most 10 of 64 bits apart")).to_be_visible()
    assert "radius=10" in page.url
    cut.press("ArrowLeft")
    cut.press("ArrowLeft")
    expect(page.get_by_text("at most 8 of 64 bits apart")).to_be_visible()
    assert "expected right" in cut.get_attribute("aria-valuetext")
    for distance in page.locator(".caption-number").all_text_contents():
        assert int(distance.split(" ")[0]) <= 8
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_text("2,016 tiles by Hamming distance")).to_be_visible()


def test_paging_reaches_the_last_of_thousands_without_reloading(look, site):
    page = look(f"{site}?like=forest/00006")
    expect(tiles(page).first).to_be_visible()
    page.evaluate("window.stays = true")
    tiles(page).first.focus()
    page.keyboard.press("End")
    last = page.locator(".tile[aria-posinset='2016'] .picture")
    expect(last).to_have_accessible_name(re.compile("bits match"))
    expect(last).to_be_focused()
    assert page.locator(".tile").count() < 200
    assert page.evaluate("window.stays")


def test_closer_look_says_what_is_known(look, site):
    page = look(f"{site}?like=forest/00006")
    tiles(page).nth(3).focus()
    page.keyboard.press("l")
    dialog = page.get_by_role("dialog", name="Tile")
    expect(dialog.get_by_text(re.compile(r"\d+ of 64 bits differ"))).to_be_visible()
    expect(dialog.get_by_text("Expected right")).to_be_visible()
    dialog.get_by_role("button", name="More like this").click()
    expect(dialog).to_be_hidden()
