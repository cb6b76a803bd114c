import json
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keras_dhnn.archive.tiles import is_stac, stac, stac_scenes
from keras_dhnn.errors import DataError


def item(name, href, **more):
    assets = {
        "visual": {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"]},
        "thumbnail": {"href": "./t.png", "roles": ["thumbnail"]},
    }
    return {"type": "Feature", "id": name, "properties": {"datetime": "2021-05-06T07:08:09Z"}, "assets": assets} | more


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scenes").mkdir()
    for name in ("a", "b"):
        (tmp_path / "scenes" / f"{name}.tif").touch()
        (tmp_path / "scenes" / f"{name}.json").write_text(json.dumps(item(name, f"./{name}.tif")))
    links = [{"rel": "item", "href": f"./scenes/{name}.json"} for name in ("a", "b")]
    (tmp_path / "collection.json").write_text(json.dumps({"type": "Collection", "id": "c", "links": links}))
    child = [{"rel": "child", "href": "collection.json"}, {"rel": "self", "href": "catalog.json"}]
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "k", "links": child}))
    features = [item(name, f"scenes/{name}.tif") for name in ("a", "b")]
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    rows = [
        {"id": name, "assets": item(name, f"scenes/{name}.tif")["assets"], "datetime": "2021-05-06T07:08:09Z"}
        for name in ("a", "b")
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "items.parquet")
    return tmp_path


@pytest.mark.parametrize("name", ["catalog.json", "collection.json", "items.json", "items.parquet"])
def test_scenes_of_every_form_of_catalogue(folder, name):
    assert is_stac(folder / name)
    scenes = stac_scenes(folder / name)
    assert [(scene.name, scene.time) for scene in scenes] == [
        ("a/visual", "2021-05-06T07:08:09Z"),
        ("b/visual", "2021-05-06T07:08:09Z"),
    ]
    assert all(scene.path.endswith((".tif",)) and "scenes" in scene.path for scene in scenes)


def test_items_of_one_id_in_two_collections_are_two(folder):
    items = [item("same", f"scenes/{name}.tif", collection=f"l{name}") for name in ("a", "b")]
    (folder / "two.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    rows = [{"id": one["id"], "collection": one["collection"], "assets": one["assets"]} for one in items]
    pq.write_table(pa.Table.from_pylist(rows), folder / "two.parquet")
    for name in ("two.json", "two.parquet"):
        assert [scene.name for scene in stac_scenes(folder / name)] == ["la/same/visual", "lb/same/visual"]


def test_assets_by_name_and_role(folder):
    (folder / "t.png").touch()
    assert [scene.name for scene in stac_scenes(folder / "items.json", "thumbnail")] == ["a/thumbnail", "b/thumbnail"]
    assert stac_scenes(folder / "items.json", "role:data")[0].name == "a/visual"
    with pytest.raises(DataError, match="0 assets for B04"):
        stac_scenes(folder / "items.json", "B04")


def test_what_is_not_on_this_machine_is_fetched_only_where_the_user_says_so(folder):
    (folder / "far.json").write_text(json.dumps(item("far", "https://example.com/a%20b/far.tif?key=1")))
    with pytest.raises(DataError, match="not fetched unasked. Say --fetch"):
        stac_scenes(folder / "far.json")
    (scene,) = stac_scenes(folder / "far.json", fetch=True)
    assert (scene.path, scene.name) == ("https://example.com/a%20b/far.tif?key=1", "far/visual")
    (folder / "gone.json").write_text(json.dumps(item("gone", "gone.tif")))
    with pytest.raises(DataError, match="is not there"):
        stac_scenes(folder / "gone.json")


@pytest.mark.parametrize("name", ["catalog.json", "collection.json", "items.json", "items.parquet"])
def test_a_catalogue_at_an_address(folder, name):
    fsspec = pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    root = f"memory://{uuid.uuid4().hex}/stac"
    for path in folder.rglob("*.*"):
        with fsspec.open(f"{root}/{path.relative_to(folder).as_posix()}", "wb") as file:
            file.write(path.read_bytes())
    assert is_stac(f"{root}/{name}")
    with pytest.raises(DataError, match="Say --fetch"):
        stac_scenes(f"{root}/{name}")
    found = [(scene.name, scene.path) for scene in stac_scenes(f"{root}/{name}", fetch=True)]
    assert found == [(f"{one}/visual", f"{root}/scenes/{one}.tif") for one in ("a", "b")]


def test_a_catalogue_that_names_itself_ends(folder):
    links = [{"rel": "child", "href": "loop.json"}, {"rel": "item", "href": "scenes/a.json"}]
    (folder / "loop.json").write_text(json.dumps({"type": "Catalog", "id": "k", "links": links}))
    assert [scene.name for scene in stac_scenes(folder / "loop.json")] == ["a/visual"]


def test_what_several_catalogues_name_is_read_once(folder, monkeypatch):
    """Fifteen levels that name the next one twice have 32,768 ways to the items below."""
    for level in range(15):
        below = f"c{level + 1}.json" if level < 14 else "collection.json"
        links = [{"rel": "child", "href": below}] * 2
        (folder / f"c{level}.json").write_text(json.dumps({"type": "Catalog", "id": f"c{level}", "links": links}))
    read, load = [], stac._load
    monkeypatch.setattr(stac, "_load", lambda path: read.append(path) or load(path))
    assert [scene.name for scene in stac_scenes(folder / "c0.json")] == ["a/visual", "b/visual"]
    assert len(read) == 15 + 1 + 2


def test_catalogues_in_catalogues_end(folder):
    for level in range(40):
        links = [{"rel": "child", "href": f"c{level + 1}.json"}]
        (folder / f"c{level}.json").write_text(json.dumps({"type": "Catalog", "id": "k", "links": links}))
    with pytest.raises(DataError, match="does it name itself"):
        stac_scenes(folder / "c0.json")


def test_other_json_is_no_stac(tmp_path):
    (tmp_path / "x.geojson").write_text('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}')
    assert not is_stac(tmp_path / "x.geojson")
    with pytest.raises(DataError, match="no STAC"):
        stac_scenes(tmp_path / "x.geojson")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "Feature", "id": "a", "assets": None},
        {"type": "Feature", "id": "a", "assets": ["x"]},
        {"type": "Feature", "id": "a", "assets": {"a": "x"}},
        {"type": "Feature", "id": "a", "assets": {"a": {"roles": 3, "href": "x.tif"}}},
        {"type": "Feature", "assets": {"a": {"roles": ["data"], "href": "x.tif"}}},
        {"type": "Feature", "id": "a", "assets": {"a": {"roles": ["data"]}}},
        {"type": "Feature", "id": "a", "properties": [1], "assets": {"a": {"roles": ["data"], "href": "x.tif"}}},
        {"type": "FeatureCollection", "features": [1]},
        {"type": "FeatureCollection", "features": None},
        {"type": "Catalog", "links": ["x"]},
        {"type": "Catalog", "links": [{"rel": "child"}]},
    ],
)
def test_a_catalogue_that_lacks_what_it_must_have_is_named(tmp_path, value):
    (tmp_path / "x.tif").touch()
    (tmp_path / "x.json").write_text(json.dumps(value))
    assert is_stac(tmp_path / "x.json") == (value["type"] != "FeatureCollection")
    with pytest.raises(DataError, match=r"x\.json (is no (valid )?STAC: expected|has no href)"):
        stac_scenes(tmp_path / "x.json")


def test_parquet_that_is_no_catalogue_is_named(tmp_path):
    (tmp_path / "junk.parquet").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"junk\.parquet cannot be read as Parquet"):
        is_stac(tmp_path / "junk.parquet")
    for number, rows in enumerate(({"id": ["a"], "assets": ["x"]}, {"assets": [{"a": {"href": "x"}}]})):
        pq.write_table(pa.table(rows), tmp_path / f"{number}.parquet")
        with pytest.raises(DataError, match=rf"{number}\.parquet is no valid STAC"):
            stac_scenes(tmp_path / f"{number}.parquet")


def test_properties_may_be_null(folder):
    (folder / "null.json").write_text(json.dumps(item("a", "scenes/a.tif", properties=None)))
    assert [(scene.name, scene.time) for scene in stac_scenes(folder / "null.json")] == [("a/visual", None)]
