"""Draw docs/images/browse-*.png: the page of made-up images, as `keras-dhnn demo --no-open` serves it.

python docs/screenshots.py [--url http://localhost:8080/]
"""

import argparse
import io
import re
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
# Whether all pictures of tiles have come.
COME = "[...document.querySelectorAll('.tile img')].every(picture => picture.complete && picture.naturalWidth)"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def wall(page):
    page.locator(".tile img").first.wait_for()


def answers(page):
    """A storage tank, its answers up to 12 bits."""
    page.get_by_role("button", name="storagetanks, ").first.click()
    page.get_by_role("slider", name="Cut-off").wait_for()
    cut = page.get_by_role("slider", name="Cut-off")
    for _ in range(9):
        cut.press("PageDown")
    page.get_by_text("at most 19 of 64 bits apart").wait_for()


def teaching(page):
    """Tennis courts, taught by a few marks."""
    page.get_by_role("button", name="tenniscourt, ").first.click()
    page.get_by_role("heading", name="Nearest to").wait_for()
    marks = (("right", "tenniscourt"),) * 4 + (("wrong", "sparseresidential"),) * 2
    for number, (which, label) in enumerate(marks, 1):
        tile = page.locator(f".tile:not([data-mark]):has-text('{label}')").first
        tile.hover()
        with page.expect_response("**/marks"):
            tile.get_by_role("button", name=f"{which} (").click()
        page.locator(".tally", has_text=f"{min(number, 4)} right, {max(number - 4, 0)} wrong").wait_for()
    page.get_by_text("Most useful to mark next").wait_for()


def similarity(page):
    page.get_by_role("button", name="Similarity").click()
    page.get_by_text(re.compile(r"like tiles lie close together\.$")).wait_for()


def on_the_map(page):
    page.locator(".tile:has-text('town.tif') .picture").first.click()
    page.get_by_role("heading", name="Nearest to").wait_for()
    page.get_by_role("button", name="Map", exact=True).click()
    page.locator(".leaflet-image-layer").first.wait_for()


def narrow(page):
    page.get_by_role("button", name="storagetanks, ").first.click()
    page.get_by_role("heading", name="Nearest to").wait_for()


# Name of the file: (what to do, width, height, colours, address).
VIEWS = {
    "wall": (wall, 1360, 850, "light", ""),
    "answers": (answers, 1360, 850, "light", ""),
    "teaching": (teaching, 1360, 850, "light", ""),
    "similarity": (similarity, 1360, 850, "dark", ""),
    "map": (on_the_map, 1360, 850, "light", "?where=size+%3E+0"),
    "narrow": (narrow, 390, 800, "dark", ""),
}


def main():
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--url", default="http://localhost:8080/")
    given.add_argument("--only", choices=VIEWS)
    given.add_argument("--into", type=Path, default=IMAGES)
    arguments = given.parse_args()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (act, width, height, scheme, address) in VIEWS.items():
            if arguments.only in (None, name):
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto(arguments.url + address)
                act(page)
                page.mouse.move(0, 0)
                while not page.evaluate(COME):
                    page.wait_for_timeout(100)
                page.wait_for_timeout(2500)
                picture = Image.open(io.BytesIO(page.screenshot()))
                # 256 colours: a third of the bytes.
                picture.convert("RGB").quantize(256).save(arguments.into / f"browse-{name}.png", optimize=True)
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
