"""What `keras-dhnn demo` draws, without the network that encodes it."""

import contextlib

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.pipelines.synthetic.ucmd_twin import UCMD_CLASSES
from keras_dhnn.workflows import demo


@pytest.fixture
def bars(monkeypatch):
    """What every bar was told: its name, its total, and how far it came."""
    told = []

    @contextlib.contextmanager
    def bar(description, total, unit):
        reached = []
        yield lambda done, note="": reached.append(done)
        told.append((description, total, reached))

    monkeypatch.setattr(demo, "_IMAGES", 1)
    monkeypatch.setattr(demo, "_SCENE", 2)
    return bar, told


@pytest.mark.parametrize("placed", [False, True])
def test_the_bar_ends_at_its_total_with_rasterio_and_without(bars, tmp_path, monkeypatch, placed):
    if placed:
        pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    else:
        monkeypatch.setattr(demo, "load_rasterio", lambda required=True: None)
    bar, told = bars
    demo._draw(tmp_path / "images", bar)
    ((name, total, reached),) = told
    assert (name, total) == ("Draw", len(UCMD_CLASSES) + 4 * placed)
    assert reached == list(range(1, total + 1))
    assert (tmp_path / "images" / "town.tif").exists() == placed
