"""Everything that goes wrong is said in place, in words, and the page goes on."""

import pytest

from keras_dhnn.errors import DataError
from tests.browse.drawn import drawn_archive
from tests.browse.driver import expect
from tests.browse.window import served

# In a real browser: minutes on a busy machine. test_page_queries.py stays among the quick ones.
pytestmark = pytest.mark.slow


def query_alert(page):
    return page.get_by_role("region", name="Query").get_by_role("alert")


def give(page, name, content):
    page.locator("#file").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def test_file_that_is_no_image(look, site):
    page = look(site, expect_errors=True)
    give(page, "notes.png", b"these are words")
    expect(query_alert(page)).to_contain_text("notes.png")
    expect(page.locator(".wall-title")).to_have_text("2,016 tiles")


def test_image_of_other_bands(look, site, tmp_path):
    import numpy as np
    import tifffile

    page = look(site, expect_errors=True)
    tifffile.imwrite(tmp_path / "five.tif", np.zeros((64, 64, 5), np.uint8), photometric="minisblack")
    page.locator("#file").set_input_files(tmp_path / "five.tif")
    expect(query_alert(page)).to_contain_text("five.tif")
    expect(query_alert(page)).to_contain_text("band")


def test_file_that_is_too_large_is_not_sent(look, site):
    page = look(site)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(33 * 2 ** 20)], "huge.tif"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(query_alert(page)).to_contain_text("huge.tif has 33 MiB; at most 32 MiB are taken.")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("like=nowhere", "nowhere"),
        ("code=12", "code"),
        ("upload=abcdef", "Drop the file again"),
        ("where=row+%3C", "row <"),
    ],
)
def test_address_that_names_nothing(look, site, address, words):
    page = look(f"{site}?{address}", expect_errors=True)
    expect(page.get_by_role("region", name="Tiles").get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("heading", name="Nothing to show")).to_be_visible()


def test_archive_whose_model_is_gone_still_shows_tiles(serve, look, tmp_path):
    def gone(source):
        raise DataError("The run runs/coast, whose codes these are, is not there any more. Say --model RUN.")

    page = look(serve(drawn_archive(tmp_path, 40), tmp_path / "state", gone))
    expect(page.get_by_text("The run runs/coast, whose codes these are")).to_be_visible()
    expect(page.get_by_text("Drop, paste or choose a picture")).to_be_hidden()
    page.locator(".tile .picture").first.click()
    expect(page.get_by_role("heading", name="Nearest to")).to_be_visible()


def test_server_that_has_ended_is_said(look, drawn, tmp_path):
    with served(drawn, tmp_path) as url:
        page = look(url, expect_errors=True)
        expect(page.locator(".tile").first).to_be_visible()
    page.locator(".tile .picture").first.click()
    expect(page.get_by_text("The server does not answer.")).to_be_visible()


def mark_and_refuse(page, where, status, kind, message):
    """Mark the first tile, which the server refuses once."""
    refusal = {"error": {"kind": kind, "message": message}}
    page.route(where, lambda route: route.fulfill(status=status, json=refusal), times=1)
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("y")


def test_server_that_was_started_again_is_used_on(look, site):
    page = look(f"{site}?like=beach/00000", expect_errors=True)
    # As after a new start: the token of before counts no more.
    mark_and_refuse(page, "**/api/searches", 403, "token", "The server was started again.")
    expect(page.get_by_text("in the order that your marks teach")).to_be_visible()


def test_mark_that_is_not_taken_is_not_shown(look, site):
    page = look(f"{site}?like=beach/00000", expect_errors=True)
    mark_and_refuse(page, "**/marks", 422, "data", "The disk is full.")
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    expect(page.locator(".tally")).not_to_contain_text("right,")
    expect(page.locator(".tile[data-mark]")).to_have_count(0)


def test_picture_that_is_gone_leaves_words(serve, look, tmp_path):
    archive = drawn_archive(tmp_path, 40, scene=False)
    for path in (tmp_path / "pictures").glob("beach*"):
        path.unlink()
    page = look(f"{serve(archive, tmp_path / 'state')}?label=beach", expect_errors=True)
    expect(page.get_by_text("picture not found").first).to_be_visible()
