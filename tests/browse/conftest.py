"""A page served in the test's own process, asked over sockets or looked at by a real browser."""

import contextlib
import shutil
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[browse]")

from tests.browse.asked import opened, page_of, picture_archive
from tests.browse.window import chromium, drawn, look, site

__all__ = ["chromium", "drawn", "look", "site"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without --no-sandbox Chromium refuses to run as root, as CI does; the others keep it from calling home.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[2] / "keras_dhnn/browse/web/node_modules/axe-core/axe.min.js"


@contextlib.contextmanager
def served(archive, state, opener=None, **how):
    """Gives the address at which the page of an archive is served."""
    from keras_dhnn.browse import Page
    from tests.browse.drawn import DrawnEncoder

    page = Page(archive, opener or (lambda source: DrawnEncoder()), state=state, synthetic=True, **how)
    page.warm_up()
    with opened(page) as browser:
        yield f"http://127.0.0.1:{browser.port}/"


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright drives the browser")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium brings it")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def look(chromium):
    """Opens an address in a window of its own; a script's error or a refused resource fails the test."""
    contexts, troubles = [], []

    def open_page(url, *, width=1280, height=860, expect_errors=False, **how):
        context = chromium.new_context(viewport={"width": width, "height": height}, **how)
        context.set_default_timeout(8000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        if not expect_errors:
            page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """An archive of 2,000 labelled pictures and a scene."""
    pytest.importorskip("rasterio")
    from tests.browse.drawn import drawn_archive

    folder = tmp_path_factory.mktemp("drawn")
    return drawn_archive(folder)


@pytest.fixture(scope="module")
def site(drawn, tmp_path_factory):
    """The address of its page; searches are kept for the tests of one file."""
    with served(drawn, tmp_path_factory.mktemp("state")) as url:
        yield url


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Sixty small pictures of three kinds."""
    return picture_archive(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def page(archive, tmp_path_factory):
    return page_of(archive, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def browser(page):
    """Asks that page."""
    with opened(page) as browser:
        yield browser
