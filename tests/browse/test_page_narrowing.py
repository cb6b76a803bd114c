"""Filters, the map and the layout by similarity: what narrows the list."""

import re
from urllib.parse import quote

import pytest

from tests.archives import make_archive, random_codes
from tests.browse.asked import asker
from tests.browse.drawn import drawn_archive, dual_archive
from tests.browse.driver import expect
from tests.browse.window import served

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow


def heading(page):
    return page.locator(".wall-title")


def test_classes_are_switched_on_and_off(look, site):
    page = look(site)
    page.get_by_role("button", name="forest 500").click()
    expect(heading(page)).to_have_text("500 tiles")
    page.get_by_role("button", name="beach 500").click()
    expect(heading(page)).to_have_text("1,000 tiles")
    assert set(page.locator(".caption-name").all_text_contents()) == {"forest", "beach"}
    page.get_by_role("button", name="forest 500").click()
    expect(heading(page)).to_have_text("500 tiles")


def test_many_classes_fold_to_two_lines(look, serve, tmp_path):
    labels = [f"class number {number % 30:02d}" for number in range(120)]
    archive = make_archive(tmp_path / "codes", random_codes(120), label=labels)
    page = look(serve(archive, tmp_path / "state"), expect_errors=True)  # there are no pictures
    chips = page.locator(".chip")
    more = page.get_by_role("button", name="All 30 classes")
    expect(more).to_have_attribute("aria-expanded", "false")
    shown = page.locator(".chip:visible").count()
    assert 4 <= shown < 30
    tops = chips.evaluate_all("chips => chips.filter(chip => !chip.hidden).map(chip => chip.offsetTop)")
    assert len(set(tops)) == 2
    assert more.evaluate("more => more.offsetTop") <= max(tops) + 4
    more.click()
    expect(page.locator(".chip:visible")).to_have_count(30)
    page.get_by_role("button", name="class number 29 4").click()
    expect(heading(page)).to_have_text("4 tiles")
    page.get_by_role("button", name="Fewer classes").click()
    expect(chips.first).to_have_text("class number 29 4")
    expect(chips.first).to_be_visible()


def test_time_scene_and_condition_filter_and_are_taken_away(look, site):
    page = look(site)
    page.get_by_label("From", exact=True).fill("2021-01-11")
    page.get_by_label("From", exact=True).dispatch_event("change")
    # One picture an hour, since the first of January.
    expect(heading(page)).to_have_text(f"{2000 - 240:,} tiles")
    page.get_by_label("Until", exact=True).fill("2021-01-12")
    page.get_by_label("Until", exact=True).dispatch_event("change")
    expect(heading(page)).to_have_text("48 tiles")
    expect(page.get_by_text("These tiles: 2021-01-11 to 2021-01-12")).to_be_visible()
    expect(page.get_by_role("button", name="Remove filter: until 2021-01-12")).to_be_visible()
    # The address has what --until takes.
    expect(page).to_have_url(re.compile("since=2021-01-11&until=2021-01-13$"))
    page.reload()
    expect(page.get_by_label("Until", exact=True)).to_have_value("2021-01-12")
    page.get_by_role("button", name="Remove filter: from 2021-01-11").click()
    expect(heading(page)).to_have_text("288 tiles")
    page.get_by_role("button", name="Clear filters").click()
    expect(heading(page)).to_have_text("2,016 tiles")
    page.get_by_role("textbox", name="Condition in SQL").fill("row < 128")
    page.get_by_role("textbox", name="Condition in SQL").press("Enter")
    expect(heading(page)).to_have_text("8 tiles")


def test_all_days_that_there_are_leave_all_tiles(look, site):
    page = look(f"{site}?label=forest")
    first, last = "2021-01-01", "2021-03-25"
    expect(page.get_by_text(f"These tiles: {first} to {last}")).to_be_visible()
    for field, chosen in (("From", first), ("Until", last)):
        page.get_by_label(field, exact=True).fill(chosen)
        page.get_by_label(field, exact=True).dispatch_event("change")
        expect(page.get_by_role("button", name=f"Remove filter: {field.lower()} {chosen}")).to_be_visible()
    expect(heading(page)).to_have_text("500 tiles")


def test_filters_of_an_address_are_said_as_they_are(look, site):
    page = look(f"{site}?since=2021-01-11T05:00&until=2021-01-11T07:00&bbox=10.3366,47.8442,10.337,47.8446")
    pills = ["from 2021-01-11T05:00", "before 2021-01-11T07:00", "within 10.3366, 47.8442, 10.337, 47.8446"]
    expect(page.locator(".pill")).to_have_text(pills)


def test_items_of_a_catalogue_are_told_apart(look, serve, tmp_path):
    """The last part of their ids is the asset, which all have; files of two folders can have one name."""
    scenes = ["land/S2A_1/visual", "land/S2A_2/visual", "north/a.tif", "south/a.tif", "b.tif"]
    ids = [f"{scene}#64/000064/000128" for scene in scenes]
    archive = make_archive(tmp_path / "codes", random_codes(5), ids=ids, scene=scenes, label=[None] * 5)
    url = serve(archive, tmp_path / "state")
    page = look(url, expect_errors=True)  # there are no pictures
    shown = ["b.tif", "S2A_1/visual", "S2A_2/visual", "north/a.tif", "south/a.tif"]
    expect(page.locator(".check-name")).to_have_text(shown)
    page.goto(f"{url}?like={quote(ids[1])}")
    expect(heading(page)).to_have_text("Nearest to S2A_2/visual 64, 128")
    names = ["S2A_1/visual 64, 128", "S2A_2/visual 64, 128", "a.tif 64, 128", "a.tif 64, 128", "b.tif 64, 128"]
    expect(page.locator(".tile")).to_have_count(5)
    assert sorted(page.locator(".caption-name").all_text_contents()) == names


def test_filters_that_leave_nothing_say_so(look, site):
    page = look(f"{site}?where=row+%3C+0")
    expect(page.get_by_text("No tile under these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear filters and cut-off").click()
    expect(heading(page)).to_have_text("2,016 tiles")


def test_box_drawn_on_the_map_filters(look, site):
    page = look(f"{site}?panel=map&where=size+%3E+0")
    expect(heading(page)).to_have_text("16 tiles")
    expect(page.locator(".leaflet-overlay-pane canvas")).to_be_visible()
    expect(page.locator(".map")).to_have_attribute("aria-busy", "false")
    page.get_by_role("button", name="Draw a box").nth(1).click()
    frame = page.locator(".map").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x + 4, y + 4)
    page.mouse.down()
    page.mouse.move(x + 300, y + 300, steps=3)
    page.mouse.up()
    # The map shows the whole scene: the box is its lower right quarter.
    expect(heading(page)).to_have_text("4 tiles")
    assert "bbox=" in page.url
    page.get_by_role("button", name=re.compile("Remove filter: within")).click()
    expect(heading(page)).to_have_text("16 tiles")


def test_box_is_typed_without_a_map(look, site):
    page = look(site)
    for side, degrees in {"West": 0, "South": 0, "East": 90, "North": 89}.items():
        page.get_by_role("textbox", name=f"{side}, degrees").fill(str(degrees))
    page.get_by_role("textbox", name="North, degrees").press("Enter")
    expect(heading(page)).to_have_text("16 tiles")
    page.get_by_role("textbox", name="East, degrees").fill("-5")
    page.get_by_role("textbox", name="East, degrees").press("Enter")
    expect(page.get_by_text("A box needs four numbers")).to_be_visible()


def test_map_and_list_point_at_each_other(look, site):
    page = look(f"{site}?panel=map&where=size+%3E+0")
    expect(page.locator(".leaflet-overlay-pane canvas")).to_be_visible()
    expect(page.locator(".tile").nth(15)).to_be_attached()
    frame = page.locator(".map").bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x + 10, y + 10)
    page.mouse.move(x + 12, y + 12)
    expect(page.locator(".tile[data-pointed]")).to_have_count(1)
    pointed = page.locator(".tile[data-pointed]").get_attribute("data-id")
    page.mouse.click(x + 12, y + 12)
    expect(page.locator(f".tile[data-id='{pointed}'] .picture")).to_be_focused()


def test_map_opened_over_answers_shows_their_scene(look, site):
    page = look(f"{site}?where=size+%3E+0")
    page.locator(".tile .picture").first.click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    page.get_by_role("button", name="Map", exact=True).click()
    scene = page.get_by_alt_text("The scene coast.tif")
    expect(scene).to_be_visible()
    frame, shown = page.locator(".map").bounding_box(), scene.bounding_box()
    assert shown["width"] > frame["width"] / 2
    assert frame["x"] <= shown["x"]
    assert shown["x"] + shown["width"] <= frame["x"] + frame["width"]


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled")
    with served(drawn_archive(folder, 200, labelled=False, scene=False), folder / "state") as url:
        yield url


def test_unlabelled_archive_begins_with_clusters(look, unlabelled):
    page = look(unlabelled)
    expect(page.get_by_role("img", name=re.compile("laid out by similarity"))).to_be_visible()
    clusters = page.get_by_role("button", name=re.compile(r"^Cluster \d+ \d+ tiles?$"))
    expect(clusters.first).to_be_visible()
    clusters.first.click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    expect(page.get_by_role("group", name="Classes")).to_be_hidden()


def test_point_of_the_layout_is_a_query(look, unlabelled):
    page = look(f"{unlabelled}?panel=similarity")
    canvas = page.locator(".similarity canvas")
    # The fine layout takes seconds; points move until it is there.
    expect(page.get_by_text(re.compile("^200 tiles; like tiles lie close together.$"))).to_be_visible(timeout=20_000)
    box = canvas.bounding_box()
    for across in range(20, int(box["width"]), 12):
        page.mouse.move(box["x"] + across, box["y"] + box["height"] / 2)
        if page.locator(".tip").is_visible():
            break
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dual")
    with served(dual_archive(folder), folder / "state") as url:
        yield url


def test_query_in_one_source_finds_answers_in_the_other(look, dual):
    page = look(f"{dual}?like=forest/00002&source=pan&target=mul")
    expect(page.get_by_role("combobox", name="Query")).to_have_value("pan")
    expect(page.get_by_role("combobox", name="Answers")).to_have_value("mul")
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=mul"))
    expect(page.locator(".asked img")).to_have_attribute("src", re.compile("source=pan"))
    page.get_by_role("combobox", name="Answers").select_option("pan")
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=pan"))
    page.locator(".tile .picture").nth(5).click()
    expect(page).to_have_url(re.compile("like=forest/(?!00002).*source=pan"))


def test_search_is_taught_and_opened_in_its_sources(look, dual):
    def sources():
        return [page.get_by_role("combobox", name=name).input_value() for name in ("Query", "Answers")]

    page = look(f"{dual}?like=forest/00002&source=pan&target=mul")
    page.locator(".tile .picture").nth(3).focus()
    page.keyboard.press("y")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    page.goto(f"{dual}?source=mul&target=pan")
    page.locator(".kept-name").click()
    expect(page.locator(".asked img")).to_have_attribute("src", re.compile("source=pan"))
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=mul"))
    assert sources() == ["pan", "mul"]
    # Marks are of one source: in another, another search begins.
    page.get_by_role("combobox", name="Answers").select_option("pan")
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=pan"))
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()
    assert "taught" not in page.url
    # Where nothing is asked, marks are of what the wall shows.
    page.goto(f"{dual}?source=pan&target=mul")
    page.locator(".tile .picture").first.focus()
    with page.expect_request("**/api/searches") as kept:
        page.keyboard.press("y")
    assert kept.value.post_data_json["source"] == "pan"
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()
    expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=pan"))
    with page.expect_request("**/api/facets?*") as counted:
        page.get_by_role("button", name="forest 50").click()
    assert "source=pan" in counted.value.url
    # What was kept without saying in which source: the search itself says it.
    for name, query, expected in (("bare", "", ["pan", "pan"]), ("asked", "like=forest/00002", ["mul", "pan"])):
        asker(dual).json("POST", "/api/searches", {"name": name, "source": "pan", "query": query}, 201)
        asker(dual).json("POST", f"/api/searches/{name}/marks", {"marks": {"forest/00002": "right"}})
        page.goto(dual)
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(page.locator(".tile img").first).to_have_attribute("src", re.compile("source=pan"))
        assert sources() == expected
