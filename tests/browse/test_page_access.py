"""The page for everybody: by keys alone, on a narrow screen, in the dark, and without faults that axe-core finds."""

import os
import re

import pytest

from tests.browse.driver import expect
from tests.browse.window import AXE

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow

VIEWS = {
    "wall": "",
    "answers": "?like=forest/00006&radius=20",
    "map": "?panel=map&where=size+%3E+0",
    "similarity": "?panel=similarity",
    "nothing": "?where=row+%3C+0",
}


def faults(page):
    """What axe-core finds, in short."""
    if not AXE.exists():
        assert "KERAS_DHNN_AXE" not in os.environ, f"{AXE} is not there, though npm ci has run"
        pytest.skip("no axe-core: npm ci in keras_dhnn/browse/web brings it")
    # The browser's own context: the page's content security policy allows no script of others.
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
    return {each["id"]: [node["target"] for node in each["nodes"]] for each in found}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_fault(look, site, view, scheme):
    page = look(f"{site}{VIEWS[view]}", color_scheme=scheme)
    expect(page.locator(".wall-title")).not_to_be_empty()
    if view not in ("nothing", "map"):
        expect(page.locator(".tile .caption-name").first).to_be_visible()
    assert not faults(page)


def test_axe_finds_no_fault_while_teaching_and_in_dialogs(look, site):
    page = look(f"{site}?like=forest/00006")
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("y")
    expect(page.get_by_text("Most useful to mark next")).to_be_visible()
    page.keyboard.press("x")
    assert not faults(page)
    page.keyboard.press("l")
    expect(page.get_by_role("dialog", name="Tile")).to_be_visible()
    assert not faults(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keys").click()
    assert not faults(page)


def test_narrow_screen_shows_one_part_at_a_time(look, site):
    page = look(site, width=390, height=844, has_touch=True, is_mobile=True)
    expect(page.locator(".tile .picture").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    expect(page.get_by_text("Drop, paste or choose a picture")).to_be_hidden()
    page.get_by_role("button", name="Query", exact=True).click()
    expect(page.get_by_text("Drop, paste or choose a picture")).to_be_visible()
    expect(page.locator(".tile").first).to_be_hidden()
    page.get_by_role("textbox", name="Id of a tile").fill("beach/00000")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    expect(page.get_by_text("Drop, paste or choose a picture")).to_be_hidden()
    page.get_by_role("button", name="Map", exact=True).click()
    expect(page.locator(".map")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Similarity", exact=True).click()
    # Whoever asks there sees the answers, not the panel that lies over them.
    page.locator(".cluster").first.tap()
    expect(page.locator(".tile .picture").first).to_be_visible()
    expect(page.locator(".tile .caption-number").first).to_contain_text("0 bits")
    page.locator(".tile").first.get_by_role("button", name="right (y)").tap()
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    assert not faults(page)


def press_until(page, locator, key="Tab", most=60):
    for _ in range(most):
        if locator.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError("never reached")


def test_keys_alone_ask_teach_and_take_away(look, site):
    page = look(site)
    tile = page.locator(".tile .picture")
    expect(tile.first).to_be_visible()
    press_until(page, tile.first)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    expect(tile.first).to_have_accessible_name(re.compile("bits match"))
    press_until(page, page.get_by_role("slider", name="Cut-off"), "Shift+Tab")
    for _ in range(9):
        page.keyboard.press("PageDown")
    expect(page.get_by_text("at most 19 of 64 bits apart")).to_be_visible()
    press_until(page, tile.first)
    page.keyboard.press("y")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    page.keyboard.press("x")
    expect(page.get_by_text("1 tile selected")).to_be_visible()
    press_until(page, page.get_by_role("button", name="CSV", exact=True))
    with page.expect_download():
        page.keyboard.press("Enter")


def test_dark_is_the_systems_or_the_switchs(look, site):
    page = look(site, color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light colours").click()
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Dark colours")).to_be_visible()
    assert page.evaluate(ground) == light
