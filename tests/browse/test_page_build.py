"""What is shipped is what the sources make; Node is not needed to know it."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

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


@pytest.fixture(scope="module")
def land():
    found = json.loads((STATIC / "land.json").read_text())
    assert found["type"] == "MultiPolygon"
    return [[np.array(ring) for ring in polygon] for polygon in found["coordinates"]]


def within(ring, place):
    """Whether a line from a place eastwards crosses a ring an odd number of times."""
    (x, y), (x0, y0), (x1, y1) = place, ring[:-1].T, ring[1:].T
    over = (y0 > y) != (y1 > y)
    return np.count_nonzero(x < (x0 + (y - y0) / np.where(over, y1 - y0, 1) * (x1 - x0))[over]) % 2 == 1


def test_no_outline_of_land_crosses_the_map(land):
    """A flat map draws a step from one edge of the world to the other as a line across all of it."""
    rings = [ring for polygon in land for ring in polygon]
    assert all((ring[0] == ring[-1]).all() for ring in rings)
    assert max(np.abs(ring[:, 0]).max() for ring in rings) == 180
    assert max(np.abs(np.diff(ring[:, 0])).max() for ring in rings) <= 180
    assert all(within(polygon[0], hole.mean(axis=0)) for polygon in land for hole in polygon[1:])


@pytest.mark.parametrize(
    ("place", "is_land"),
    [
        *(((longitude, 67), True) for longitude in (25, 100, -150, -40)),  # Lapland, Siberia, Alaska, Greenland
        *(((longitude, 67), False) for longitude in (0, -60)),  # the Norwegian Sea, Baffin Bay
        *(((longitude, 66.5), True) for longitude in (178, 179.9, -179.9, -175)),  # Chukotka
        *(((longitude, 71.1), True) for longitude in (179.5, -179)),  # Wrangel Island
        *(((longitude, -16.5), True) for longitude in (179.7, -179.97)),  # Fiji
        *(((longitude, -86), True) for longitude in (-179.9, -90, 0, 90, 179.9)),  # Antarctica
        *(((longitude, -16.5), False) for longitude in (-175, -20, 0.5, 160)),
        *(((longitude, 71.1), False) for longitude in (-10, 170, 178, -176)),
        *(((longitude, 75), False) for longitude in (-179.9, 0, 179.9)),
        ((51, 42), False),  # the Caspian Sea, a hole
    ],
)
def test_land_and_sea_are_where_they_are(land, place, is_land):
    """By the even-odd rule, by which they are drawn."""
    assert sum(within(ring, place) for polygon in land for ring in polygon) % 2 == is_land


def test_versions_are_pinned_and_no_address_is_kept():
    package = json.loads((WEB / "package.json").read_text())
    for version in [*package["dependencies"].values(), *package["devDependencies"].values()]:
        assert version[0].isdigit()
    assert "resolved" not in (WEB / "package-lock.json").read_text()


def test_licences_of_others_are_shipped():
    texts = (STATIC / "licences.txt").read_text()
    assert "Leaflet" in texts or "Agafonkin" in texts
    assert "world-atlas" in texts
