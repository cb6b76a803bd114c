"""How long the page of an archive keeps its reader waiting, as a browser sees it: from a click to the frame that shows.

    python benchmarks/page.py ARCHIVE [--queries 20] [--json]

Headless Chromium on the same machine, driven by Playwright. First paint and first tiles are of a window that has
nothing cached; queries are clicks on tiles, none twice; marks are clicks on "right", each of which orders all items
anew. Medians, and the slowest of twenty. `--make N` first writes an archive of N made-up codes of 64 bits there.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Clicks on a tile that was not clicked on before, waits until the list is another one, and for the frame after that.
CLICK = """async selector => {
    const seen = (window.seen ??= new Set());
    const tile = [...document.querySelectorAll('.tile[data-id]')].slice(3).find(tile => !seen.has(tile.dataset.id));
    seen.add(tile.dataset.id);
    const first = document.querySelector('.tile');
    const start = performance.now();
    tile.querySelector(selector).click();
    while (document.querySelector('.tile') === first || document.querySelector('.wall[data-loading]')) {
        if (performance.now() - start > 20000) throw new Error('the list stays the same');
        await new Promise(requestAnimationFrame);
    }
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - start;
}"""
FIRST_TILES = """new MutationObserver((_, observer) => {
    if (!document.querySelector('.tile[data-id]')) return;
    observer.disconnect();
    requestAnimationFrame(() => { window.firstTiles = performance.now(); });
}).observe(document, { childList: true, subtree: true });"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--make", type=int, metavar="N")
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.make:
        make_archive(arguments.archive, arguments.make)
    with tempfile.TemporaryDirectory() as state, _serving(arguments.archive, state) as url:
        figures = measure(url, arguments.queries)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, milliseconds in figures.items():
        print(f"{name:40} {milliseconds:6.0f} ms")


def make_archive(path, count, kinds=40, seed=0):
    """Write an archive of codes in clusters, with labels, without pictures."""
    from keras_dhnn.archive import Archive, Identity, make_rows

    rng = np.random.default_rng(seed)
    kind = rng.integers(0, kinds, count)
    centres = rng.normal(size=(kinds, 64)).astype(np.float32)
    codes = np.packbits(centres[kind] + 1.2 * rng.standard_normal((count, 64), np.float32) > 0, axis=1)
    archive = Archive.create(path, Identity("a" * 64, 64, "made up"))
    archive.append(make_rows([f"item{n:08d}" for n in range(count)], codes, label=[f"kind {k}" for k in kind]))


class _serving:
    """Serve an archive in a process of its own, and yield the address."""

    def __init__(self, archive, state):
        self._command = [sys.executable, "-m", "keras_dhnn", "browse", str(archive), "--port", "0", "--no-open"]
        self._state = state

    def __enter__(self):
        import os

        environment = {**os.environ, "XDG_STATE_HOME": self._state}
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True, env=environment)
        for line in self._process.stderr:
            if found := re.search(r"http://\S+/", line):
                return found.group()
        raise SystemExit("The server did not start.")

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()


def measure(url, queries):
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        paints, tiles = zip(*[_open(browser, url) for _ in range(5)], strict=True)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(url)
        page.locator(".tile[data-id]").first.wait_for()
        asked = [page.evaluate(CLICK, ".picture") for _ in range(queries)]
        taught = [page.evaluate(CLICK, ".control[title^=right]") for _ in range(queries)]
        browser.close()
    return {
        "first paint": statistics.median(paints),
        "first tiles": statistics.median(tiles),
        "query, median": statistics.median(asked),
        "query, slowest": max(asked),
        "mark, median": statistics.median(taught),
        "mark, slowest": max(taught),
    }


def _open(browser, url):
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.add_init_script(FIRST_TILES)
    page.goto(url)
    page.locator(".tile[data-id]").first.wait_for()
    page.wait_for_timeout(300)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    tiles = page.evaluate("window.firstTiles")
    context.close()
    return paint, tiles


if __name__ == "__main__":
    main()
