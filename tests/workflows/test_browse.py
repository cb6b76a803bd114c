"""How a page is served: what happens in which order."""

from types import SimpleNamespace

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.errors import SettingError
from keras_dhnn.workflows import browse
from tests.browse.asked import picture_archive


def test_the_address_is_said_before_the_model_is_loaded(monkeypatch):
    happened = []
    archive = SimpleNamespace(info=SimpleNamespace(rows=1200))
    page = SimpleNamespace(name="tiles", archive=archive, warm_up=lambda: happened.append("warm up"))
    monkeypatch.setattr(browse, "open_page", lambda folder, **how: page)
    monkeypatch.setattr(browse, "make_app", lambda page, hosts: None)
    monkeypatch.setattr(browse, "make_server", lambda app: SimpleNamespace(run=lambda sockets: happened.append("run")))
    browse.serve_page(lambda: "tiles", port=0, host="127.0.0.1", allow_host=(), open_browser=False, say=happened.append)
    assert happened[1:] == ["warm up", "run"]
    assert happened[0].startswith("tiles: 1,200 items at http://localhost:")


def test_bands_that_no_image_has_are_refused_at_the_start(tmp_path):
    archive = picture_archive(tmp_path, count=6)
    with pytest.raises(SettingError, match=r"have 3 bands\. Received: --bands 4,3,2\. .* name bands from 1 to 3"):
        browse.open_page(archive.root, bands="4,3,2", state=tmp_path / "state")
    assert browse.open_page(archive.root, bands="3,2,1", state=tmp_path / "state").pictures.most_bands() == 3
    for path in (tmp_path / "images").rglob("*.png"):  # where all are gone, nobody knows
        path.unlink()
    browse.open_page(archive.root, bands="4,3,2", state=tmp_path / "state")


def test_bands_that_no_scene_has_are_refused_at_the_start(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    from keras_dhnn.archive.tiles import Cut
    from keras_dhnn.workflows.encode_archive import Options, encode_archive
    from tests.rasters import scene_pixels, write_scene

    write_scene(tmp_path / "scene.tif", scene_pixels(128, 128, 3))
    options = Options(Cut(tile=32), bits=8, size=32, features=0)
    encode_archive("tests.fakes:tiny_backbone", [tmp_path / "scene.tif"], tmp_path / "ar", options)
    with pytest.raises(SettingError, match="have 3 bands"):
        browse.open_page(tmp_path / "ar", bands="4,3,2", state=tmp_path / "state")
