"""Archives and inputs at addresses: in memory, at a local server, and in a store of objects where one is installed."""

import http.server
import io
import json
import threading
import uuid

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.archive import Archive, Identity
from keras_dhnn.archive.calibration import calibrate
from keras_dhnn.archive.maintenance import compact, remove, verify
from keras_dhnn.archive.many_queries import TABLES, ManyQueries
from keras_dhnn.archive.places import address, is_address, is_gone, list_address, place
from keras_dhnn.errors import DataError, MissingPackage
from tests.archives import make_archive, random_codes
from tests.command_line import command_line
from tests.object_store import store_of_objects

fsspec = pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
BACKBONE = "tests.fakes:tiny_backbone"


def test_a_raster_that_names_others_is_not_opened_at_an_address(tmp_path, served):
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    from keras_dhnn.archive.tiles import Cut, Form, Scene, read_header, scene_tiles
    from keras_dhnn.errors import DamagedFile
    from tests.rasters import scene_pixels, write_scene

    folder, at, _ = served
    write_scene(tmp_path / "private.tif", scene_pixels(64, 64))
    source = f"<SimpleSource><SourceFilename>{tmp_path}/private.tif</SourceFilename></SimpleSource>"
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    vrt = f'<VRTDataset rasterXSize="64" rasterYSize="64">{band}</VRTDataset>'
    (tmp_path / "asked.vrt").write_text(vrt)
    (folder / "asked.tif").write_text(vrt)
    form, cut = Form(32, 32, 1, "uint8"), Cut(32)
    assert len(list(scene_tiles(Scene.of(tmp_path / "asked.vrt"), form, cut, lambda ids: {}))) == 4
    scene = Scene.of(f"{at}/asked.tif")
    with pytest.raises(DamagedFile, match="no raster"):
        read_header(scene, cut)
    with pytest.raises(DamagedFile, match="no raster"):
        list(scene_tiles(scene, form, cut, lambda ids: {}))


@pytest.fixture
def store(monkeypatch):
    """Address of a bucket in a store of objects of this machine."""
    with store_of_objects(monkeypatch) as address:
        yield address


@pytest.fixture
def memory():
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(folder, address, list of what was asked for) of a local server of files."""
    folder, asked = tmp_path_factory.mktemp("served"), []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=str(folder))

        def send_head(self):
            return super().send_head() if self.path != "/forbidden" else self.send_error(403)

        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def write_images(folder, count):
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = (rng.integers(0, 256, 3) * rng.random((32, 32, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")


def test_addresses_are_told_from_paths(tmp_path):
    assert [is_address(text) for text in ("s3://a/b", "s3:/a/b", "memory://x", "file:///a", "C:/a", "a/b", "a:b")] == [
        *(True, True, True),
        *(False,) * 4,
    ]
    assert address("s3:/a/b") == "s3://a/b"
    assert place("file:///a/b") == place("/a/b")
    with pytest.raises(DataError, match="nosuch://a cannot be reached"):
        place("nosuch://a")


def test_a_file_is_gone_only_where_that_is_certain(tmp_path, memory, served):
    folder, at, _ = served
    (tmp_path / "full" / "empty").mkdir(parents=True)
    (tmp_path / "full" / "file").write_bytes(b"x")
    local = ("full/file", "full/x", "full/x/y/z", "full/file/x", "full/empty/x", "full/a\0b")
    assert [is_gone(str(tmp_path / name)) for name in local] == [False, True, True, True, None, None]
    fsspec.filesystem("memory").pipe_file(f"{memory}/file", b"x")
    assert [is_gone(f"{memory}/{name}") for name in ("file", "x")] == [False, True]
    (folder / "file").write_bytes(b"x")
    assert [is_gone(f"{at}/{name}") for name in ("file", "x", "forbidden")] == [False, True, None]
    assert is_gone("http://127.0.0.1:9/x") is None  # nobody listens there
    assert is_gone("nosuch://a/x") is None


def live(root):
    """What an archive answers through its life."""
    codes = random_codes(300, 64, distinct=90)
    archive, found = make_archive(root, codes, parts=4), []
    asked = random_codes(4, 64, seed=3)

    def search(**how):
        found.append(archive.search(asked, 20, where="row >= 0", **how).table.drop(["bbox"]).to_pylist())
        found.append(archive.search(asked[:1], 5).table["id"].to_pylist())

    search()
    found.append(compact(archive))
    found.append(remove(archive, where="label = 'sea'"))
    search(rank="hamming")
    calibrate(archive)
    search(precision=0.1)
    found.append(archive.get([found[0][0]["id"]], ["id", "row"]).to_pylist() if found[0][0]["label"] != "sea" else None)
    found.append(archive.append(archive.rows().slice(0, 3)))
    again = Archive.open(root)
    found.append((again.info.rows, again.labels(), verify(again)))
    return found


def test_an_archive_at_an_address_lives_as_one_on_disk(tmp_path, memory):
    assert live(memory) == live(tmp_path / "a")
    with pytest.raises(DataError, match="There is no archive in memory:"):
        Archive.open(f"{memory}-other")


def test_its_files_are_checked(memory, monkeypatch):
    archive = make_archive(memory, random_codes(50), parts=2)
    monkeypatch.setattr(ManyQueries, "plan", lambda *_: TABLES)
    assert len(archive.search(random_codes(3), 9)) == 27
    part = place(memory) / archive.parts[0].name
    part.fs.pipe_file(part.path, b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match="archive verify"):
        archive.search(random_codes(3), 9)
    assert [fault.name for fault in verify(archive, drop_damaged=True)] == [archive.parts[0].name] or len(
        archive.parts
    ) == 1
    assert part.with_name(f"{part.name}.damaged").exists()
    assert len(archive.search(random_codes(1), 50)) == 25


class Failure(Exception):
    """What the package of a protocol may raise: of no type that others know."""


@pytest.mark.parametrize("step", ["open", "read", "not found"])
def test_what_a_server_does_not_give_is_not_taken_out_as_damaged(memory, monkeypatch, step):
    archive = make_archive(memory, random_codes(60), parts=3)
    away, damaged, gone = archive.parts
    files, failing = fsspec.filesystem("memory"), [True]
    files.pipe_file(f"{memory}/{damaged.name}", b"PAR1 no PAR1")
    files.rm(f"{memory}/{gone.name}")
    kind = type(files)
    open_file, info = kind.open, kind.info

    class Failing(io.BytesIO):
        def read(self, *_):
            raise Failure("connection lost")

    def open_away(self, path, *given, **how):
        if not (failing[0] and path.endswith(away.name)):
            return open_file(self, path, *given, **how)
        if step == "read":
            return Failing(b"0" * away.bytes)
        raise Failure("timeout") if step == "open" else FileNotFoundError(path)

    def info_away(self, path, **how):
        if failing[0] and step == "not found" and path.endswith(away.name):
            raise Failure("forbidden")
        return info(self, path, **how)

    monkeypatch.setattr(kind, "open", open_away)
    monkeypatch.setattr(kind, "info", info_away)
    with pytest.raises(DataError, match=f"{away.name} cannot be read") as caught:
        archive.rows()
    assert "damaged" not in str(caught.value)
    faults = {fault.name: fault for fault in verify(archive, drop_damaged=True)}
    assert {name: fault.damaged for name, fault in faults.items()} == {
        away.name: False,
        damaged.name: True,
        gone.name: True,
    }
    assert "cannot be read" in faults[away.name].reason
    failing[0] = False
    assert [part.name for part in Archive.open(memory).parts] == [away.name]
    assert verify(archive) == []


def test_no_other_address_is_read(memory):
    archive = make_archive(f"{memory}/a", random_codes(5))
    other = make_archive(f"{memory}/other", random_codes(5))
    name = other.parts[0].file(other.root)
    with pytest.raises(DataError, match="Permission|disabled"):
        archive.sql(lambda items: f"SELECT * FROM read_parquet('{name}')")


def test_images_and_vectors_from_a_server(tmp_path, served, memory, monkeypatch, capfd):
    run, (folder, at, _) = command_line(monkeypatch, capfd), served
    write_images(folder, 12)
    images = [f"{at}/{number:03d}.png" for number in range(12)]
    (tmp_path / "list.txt").write_text("\n".join(images))
    how = ("--bits", 8, "--size", 32, "--features", 4, "--archive", memory, "--quiet", "--json")
    status, out, _ = run("encode", BACKBONE, tmp_path / "list.txt", *how)
    assert (status, json.loads(out)["added"]) == (0, 12)
    status, out, _ = run("encode", BACKBONE, *images, *how)
    assert (status, json.loads(out)["known"]) == (0, 12)
    status, out, _ = run("search", memory, images[3], "-k", 1, "--json")
    assert json.loads(out)["results"][0]["id"] == images[3]
    (folder / "new.png").write_bytes((folder / "005.png").read_bytes())
    status, out, _ = run("search", memory, f"{at}/new.png", "-k", 1, "--rank", "hamming", "--json")
    assert (status, json.loads(out)["results"][0]["distance"]) == (0, 0)
    np.save(folder / "vectors.npy", np.random.default_rng(0).normal(size=(90, 16)).astype(np.float32))
    how = ("--bits", 8, "--archive", tmp_path / "v", "--quiet", "--json")
    status, out, _ = run("encode", "--embeddings", f"{at}/vectors.npy", *how)
    assert (status, json.loads(out)["added"]) == (0, 90)
    assert Archive.open(tmp_path / "v").codes().ids[0] == "vectors/000000000"
    for missing in (("encode", BACKBONE, f"{at}/none.png"), ("encode", "--embeddings", f"{at}/none.npy")):
        status, _, error = run(*missing, "--archive", tmp_path / "w", "--quiet")
        assert (status, "none." in error, "Traceback" in error) == (2, True, False)
    status, _, error = run("search", memory, f"{at}/none.png")
    assert (status, "cannot be read" in error) == (2, True)


def test_a_scene_at_an_address(memory, tmp_path):
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    from keras_dhnn.archive.tiles import Cut
    from keras_dhnn.workflows.encode_archive import Options, encode_archive
    from tests.rasters import scene_pixels, write_scene

    write_scene(tmp_path / "s.tif", scene_pixels(160, 96))
    with fsspec.open(f"{memory}/in/s.tif", "wb") as file:
        file.write((tmp_path / "s.tif").read_bytes())
    options = Options(Cut(32), bits=8, size=32, features=4)
    made = encode_archive(BACKBONE, [f"{memory}/in"], f"{memory}/ar", options).archive
    local = encode_archive(BACKBONE, [tmp_path / "s.tif"], tmp_path / "ar", options).archive
    assert made.info.rows == local.info.rows > 1
    name = f"{list_address(f'{memory}/in')[0]}#"
    assert all(key.startswith(name) for key in made.codes().ids)
    np.testing.assert_array_equal(made.codes().codes, local.codes().codes)
    assert set(made.rows()["path"].to_pylist()) == {name.rstrip("#")}


def write_catalogue(folder, at, names):
    """Write scenes, and a collection of items that name them by addresses, a preview and other assets with them."""
    from tests.rasters import scene_pixels, write_scene

    for number, name in enumerate(names):
        write_scene(folder / f"{name}.tif", scene_pixels(96, 64, seed=number))
        assets = {
            "visual": {"href": f"{at}/{name}.tif", "roles": ["data"]},
            "thumbnail": {"href": f"{at}/{name}-preview.png", "roles": ["thumbnail"]},
            "other": {"href": f"{at}/{name}-other.tif", "type": "image/tiff"},
        }
        item = {"type": "Feature", "id": name, "properties": {"datetime": "2021-05-06T00:00:00Z"}, "assets": assets}
        (folder / f"{name}.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": f"./{name}.json"} for name in names]
    links += [{"rel": "license", "href": f"{at}/licence.html"}]
    (folder / "collection.json").write_text(json.dumps({"type": "Collection", "id": "c", "links": links}))


def test_a_catalogue_of_scenes_at_addresses(tmp_path, served, monkeypatch, capfd):
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    run, (folder, at, asked) = command_line(monkeypatch, capfd), served
    write_catalogue(folder, at, ["east", "west", "gone"])
    (folder / "gone.tif").unlink()
    asked.clear()
    how = ("--bits", 8, "--size", 32, "--features", 4, "--tile", 32, "--quiet", "--json", "--skip-damaged")
    how += ("--archive", tmp_path / "a")
    status, _, error = run("encode", BACKBONE, folder / "collection.json", *how)
    assert (status, "--fetch" in error, asked) == (2, True, [])
    status, out, _ = run("encode", BACKBONE, folder / "collection.json", *how, "--fetch")
    assert (status, json.loads(out)["added"]) == (0, 12)
    assert [one["name"] for one in json.loads(out)["skipped"]] == ["gone/visual"]
    # Nothing but the scenes was asked for.
    assert set(asked) == {"/east.tif", "/west.tif", "/gone.tif"}
    status, out, _ = run("encode", BACKBONE, f"{at}/collection.json", *how, "--fetch")
    assert (status, json.loads(out)["known"], json.loads(out)["added"]) == (0, 12, 0)
    assert set(asked) == {f"/{name}.{kind}" for name in ("east", "west", "gone") for kind in ("tif", "json")} | {
        "/collection.json"
    }
    rows = Archive.open(tmp_path / "a").rows()
    assert set(rows["path"].to_pylist()) == {f"{at}/east.tif", f"{at}/west.tif"}


def test_a_store_of_objects(tmp_path, store):
    assert live(f"{store}/a") == live(tmp_path / "a")


def test_of_a_large_scene_in_a_store_the_header_is_read_alone(tmp_path, store, monkeypatch):
    rasterio = pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    from keras_dhnn.archive.tiles import Cut, Header, Scene, read_header, scenes
    from tests.rasters import scene_pixels, write_scene

    write_scene(tmp_path / "s.tif", scene_pixels(2000, 2000))
    fsspec.filesystem("s3").put_file(tmp_path / "s.tif", f"{store}/s.tif")
    monkeypatch.setattr(scenes, "local_copy", None)
    scene = Scene.of(f"{store}/s.tif")
    assert scenes.is_scene(scene.path, Cut())
    with rasterio.open(tmp_path / "s.tif") as raster:
        assert read_header(scene, Cut(500)) == Header(16, raster.count, raster.dtypes[0])


def test_what_is_not_installed_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(MissingPackage, match=r"keras-dhnn\[remote\]"):
        Archive.create("memory://a", Identity("a" * 64, 64))
