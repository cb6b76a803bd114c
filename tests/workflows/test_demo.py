"""What `keras-dhnn demo` draws, without the network that encodes it."""

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.pipelines.synthetic.ucmd_twin import UCMD_CLASSES
from keras_dhnn.workflows import demo
from tests.recorded_bars import RecordedBars


@pytest.mark.parametrize("placed", [False, True])
def test_the_bar_ends_at_its_total_with_rasterio_and_without(tmp_path, monkeypatch, placed):
    monkeypatch.setattr(demo, "_IMAGES", 1)
    monkeypatch.setattr(demo, "_SCENE", 2)
    if placed:
        pytest.importorskip("rasterio", reason="needs keras-dhnn[geo]")
    else:
        monkeypatch.setattr(demo, "load_rasterio", lambda required=True: None)
    bars = RecordedBars()
    demo._draw(tmp_path / "images", bars)
    ((name, total, told),) = bars.shown
    assert (name, total) == ("Draw", len(UCMD_CLASSES) + 4 * placed)
    assert [done for done, _ in told] == list(range(1, total + 1))
    assert (tmp_path / "images" / "town.tif").exists() == placed
