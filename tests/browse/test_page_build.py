"""What is shipped is what the sources make; Node is not needed to know it."""

import hashlib
import json
from pathlib import Path

BROWSE = Path(__file__).parents[2] / "keras_dhnn" / "browse"
WEB, STATIC = BROWSE / "web", BROWSE / "static"


def digest():
    """SHA-256 of names and contents of the sources, as web/build.mjs makes it."""
    files = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    files += [WEB / name for name in ("build.mjs", "package.json", "package-lock.json", "tsconfig.json")]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(WEB).as_posix(), path) for path in files):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def test_page_is_built_from_its_sources():
    built = (STATIC / "sources.sha256").read_text().strip()
    assert built == digest(), "browse/web has changed since `make page`"


def test_every_file_that_a_page_names_is_there():
    index = (STATIC / "index.html").read_text()
    for name in ("static/app.js", "static/app.css", "static/icon.svg"):
        assert name in index
        assert (BROWSE / name).is_file()
    assert list(STATIC.glob("map-*.js"))
    assert json.loads((STATIC / "land.json").read_text())["type"] == "FeatureCollection"


def test_versions_are_pinned_and_no_address_is_kept():
    package = json.loads((WEB / "package.json").read_text())
    for version in [*package["dependencies"].values(), *package["devDependencies"].values()]:
        assert version[0].isdigit()
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_licences_of_others_are_shipped():
    texts = (STATIC / "licences.txt").read_text()
    assert "Leaflet" in texts or "Agafonkin" in texts
    assert "world-atlas" in texts
