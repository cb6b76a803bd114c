"""A page served in the test's own process, and a real browser that looks at it."""

import contextlib
import shutil
import threading
import time
from pathlib import Path

import pytest

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
    from keras_dhnn.browse import Page, make_app
    from keras_dhnn.saved_models.serving.connections import listen, make_server
    from tests.browse.drawn import DrawnEncoder

    page = Page(archive, opener or (lambda source: DrawnEncoder()), state=state, synthetic=True, **how)
    page.warm_up()
    listening = listen("127.0.0.1", 0)
    server = make_server(make_app(page))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


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
    pytest.importorskip("duckdb")
    from tests.browse.drawn import drawn_archive

    folder = tmp_path_factory.mktemp("drawn")
    return drawn_archive(folder)


@pytest.fixture(scope="module")
def site(drawn, tmp_path_factory):
    """The address of its page; searches are kept for the tests of one file."""
    with served(drawn, tmp_path_factory.mktemp("state")) as url:
        yield url
