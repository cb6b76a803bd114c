"""A page served in the test's own process, and a real browser that looks at it."""

import contextlib
import shutil
from pathlib import Path

import pytest

from keras_dhnn.browse import Page
from tests.browse.asked import opened
from tests.browse.drawn import DrawnEncoder, drawn_archive

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


@pytest.fixture
def serve():
    """Serves an archive until the test ends. Ask for it before `look`, so that windows are closed first."""
    with contextlib.ExitStack() as stack:
        yield lambda *what: stack.enter_context(served(*what))


@contextlib.contextmanager
def served(archive, state, opener=None):
    """Gives the address at which the page of an archive of drawn pictures is served."""
    page = Page(archive, opener or (lambda source: DrawnEncoder()), state=state, synthetic=True)
    page.warm_up()
    with opened(page) as asker:
        yield f"http://127.0.0.1:{asker.port}/"


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium, driven by Playwright."""
    from tests.browse.driver import sync_api

    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium brings it")
    with sync_api.sync_playwright() as driver:
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
    assert not troubles, troubles


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """An archive of 2,000 labelled pictures and a scene."""
    pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    return drawn_archive(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def site(drawn, tmp_path_factory):
    """The address of its page; searches are kept for the tests of one file."""
    with served(drawn, tmp_path_factory.mktemp("state")) as url:
        yield url
