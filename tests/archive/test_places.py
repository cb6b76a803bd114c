"""Archives and inputs at addresses: in memory, at a local server, and in a store of objects where one is installed."""

import contextlib
import http.server
import io
import json
import re
import threading
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from keras_dhnn.archive import Archive, Identity, places
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
    assert place("file:///a/b") == place("/a/b")
    with pytest.raises(DataError, match="nosuch://a cannot be reached"):
        place("nosuch://a")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://bucket/x", "s3://bucket/x"),
        ("s3:/bucket/x", "s3://bucket/x"),
        ("hdfs:///data/tiles", "hdfs:///data/tiles"),
        ("hdfs://name/data/tiles", "hdfs://name/data/tiles"),
        ("http://host/x", "http://host/x"),
        ("HTTPS://host/x", "https://host/x"),
        ("abfs://container@account/x", "abfs://container@account/x"),
        ("memory://x", "memory://x"),
        ("memory:///x", "memory://x"),
        ("file:///abs/path", "/abs/path"),
        ("local:///abs/path", "/abs/path"),
        ("a/b", "a/b"),
    ],
)
def test_an_address_keeps_its_root(given, expected):
    assert address(given) == expected
    assert is_address(given) == ("://" in expected)


@pytest.mark.parametrize("protocol", ["file", "local"])
def test_addresses_of_this_machine_are_paths(tmp_path, monkeypatch, capfd, protocol):
    run = command_line(monkeypatch, capfd)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    write_images(tmp_path / "images", 12)
    at = f"{protocol}://{tmp_path}"
    how = ("--bits", 8, "--size", 32, "--features", 4, "--archive", f"{at}/a", "--quiet", "--json")
    status, out, _ = run("encode", BACKBONE, f"{at}/images", *how)
    assert (status, json.loads(out)["added"]) == (0, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "images"]
    status, out, _ = run("encode", BACKBONE, f"{at}/images/003.png", *how)
    assert (status, json.loads(out)["known"]) == (0, 1)
    status, out, _ = run("search", f"{at}/a", f"{at}/images/003.png", "-k", 1, "--json")
    assert (status, json.loads(out)["results"][0]["id"]) == (0, f"{tmp_path}/images/003.png")
    (tmp_path / "images" / "004.png").unlink()
    status, out, _ = run("encode", BACKBONE, f"{at}/images", *how, "--prune")
    assert (status, json.loads(out)["pruned"], json.loads(out)["items"]) == (0, 1, 11)
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(90, 16)).astype(np.float32))
    status, out, _ = run("encode", "--embeddings", f"{at}/v.npy", "--bits", 8, "--archive", "v", "--quiet", "--json")
    assert (status, json.loads(out)["added"]) == (0, 90)


def test_files_below_an_address_keep_its_server(monkeypatch):
    class Files:
        protocol = "hdfs"

        def isfile(self, path):
            return path.endswith(".png")

        def find(self, path):
            return [f"{path}/b.png", f"{path}/a.png"]

    class Opened:
        fs, path = Files(), "/data/tiles"

    monkeypatch.setattr(places, "place", lambda path: Opened)
    assert list_address("hdfs://name/data/tiles/") == [
        "hdfs://name/data/tiles/a.png",
        "hdfs://name/data/tiles/b.png",
    ]
    assert list_address("hdfs:///data/tiles")[0] == "hdfs:///data/tiles/a.png"


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


def parquet_files(root):
    return {name.rsplit("/", 1)[1] for name in fsspec.filesystem("memory").find(root) if name.endswith(".parquet")}


def listed(root):
    return {part.name.rsplit("/", 1)[1] for part in Archive.open(root).parts}


def test_files_that_a_writer_has_replaced_go_and_readers_see_what_there_is(memory):
    codes = random_codes(300)
    archive = make_archive(memory, codes, parts=6)
    reader, searched = Archive.open(memory), Archive.open(memory)
    assert len(searched.search(codes[:1], 300)) == 300
    # Of a writer that was killed, or of another that has not listed it yet.
    fsspec.filesystem("memory").pipe_file(f"{memory}/data/source=image/part-other.parquet", b"PAR1")
    rows = archive.rows()
    changed = rows.set_column(rows.schema.get_field_index("content"), rows.field("content"), pa.array([-1] * 300))
    assert archive.append(changed.slice(0, 7)).replaced == 7
    assert parquet_files(memory) - listed(memory) == {"part-other.parquet"}
    assert compact(archive)[1] == 1
    assert remove(archive, rows["id"].to_pylist()[:10]) == 10
    assert parquet_files(memory) - listed(memory) == {"part-other.parquet"}
    assert len(listed(memory)) == 1
    assert len(searched.search(codes[:1], 300)) == len(reader.search(codes[:1], 300)) == 290
    assert len(reader.rows()) == 290


def test_a_file_that_cannot_be_removed_stays_and_nothing_fails(memory, monkeypatch):
    def refuse(*_):
        raise Failure("forbidden")

    archive = make_archive(memory, random_codes(60), parts=3)
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "rm_file", refuse)
    assert compact(archive) == (3, 1)
    assert (len(parquet_files(memory)), len(archive.rows())) == (4, 60)


def test_a_file_that_goes_while_a_search_reads_it_is_looked_for_again(memory, monkeypatch):
    archive, reader = make_archive(memory, random_codes(60), parts=3), Archive.open(memory)
    kind, gone = type(fsspec.filesystem("memory")), []
    open_file = kind.open

    def open_late(self, path, *given, **how):
        # The first file that DuckDB opens, which it has just seen there.
        if not gone and path.endswith(".parquet") and reader._engine is not None:
            gone.append(path)
            compact(archive)
        return open_file(self, path, *given, **how)

    reader._database()
    monkeypatch.setattr(kind, "open", open_late)
    assert len(reader.search(random_codes(1), 60)) == 60
    assert gone


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


@pytest.fixture
def serving(tmp_path):
    """Function of whether a server answers ranges, that begins it over `tmp_path` and gives its address."""
    servers = []

    def serve(ranges):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *given):
                super().__init__(*given, directory=str(tmp_path))

            def copyfile(self, source, output):
                with contextlib.suppress(ConnectionError):  # of a client that has seen enough
                    super().copyfile(source, output)

            def do_GET(self):
                asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
                if not (ranges and asked):
                    return super().do_GET()
                data = Path(self.translate_path(self.path)).read_bytes()
                first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                self.send_header("Content-Length", str(last - first + 1))
                self.end_headers()
                self.wfile.write(data[first : last + 1])

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("count", [300, 100_000])
def test_an_archive_on_a_server_of_ranges_is_searched(tmp_path, serving, monkeypatch, capfd, count):
    run, codes = command_line(monkeypatch, capfd), random_codes(count, distinct=90)
    here, at = make_archive(tmp_path / "a", codes, parts=2), f"{serving(ranges=True)}/a"
    there = Archive.open(at)
    for asked in (codes[:1], codes[:4]):
        for how in ({"k": 20}, {"k": 20, "where": "label = 'sea' and row >= 0"}, {"k": None, "radius": 20}):
            expected = here.search(asked, **how).table
            assert len(expected)
            assert there.search(asked, **how).table.to_pylist() == expected.to_pylist()
    assert there.labels() == here.labels()
    assert verify(there) == []
    status, out, _ = run("archive", "info", at, "--json")
    assert (status, json.loads(out)["items"]) == (0, {"image": count})
    key = here.codes().ids[0]
    found = [json.loads(run("search", root, key, "-k", 3, "--json")[1])["results"] for root in (at, tmp_path / "a")]
    assert found[0] == found[1]
    assert found[0][0]["distance"] == 0
    # It is read-only.
    status, _, error = run("archive", "remove", at, key)
    assert (status, "cannot be written" in error, "Traceback" in error) == (2, True, False)


@pytest.mark.parametrize("count", [300, 400_000])
def test_of_a_server_that_gives_whole_files_only_that_is_said(tmp_path, serving, monkeypatch, capfd, count):
    run = command_line(monkeypatch, capfd)
    key = make_archive(tmp_path / "a", random_codes(count)).codes().ids[0]
    at = f"{serving(ranges=False)}/a"
    for asked in (("archive", "info", at), ("search", at, key, "-k", 1)):
        status, out, error = run(*asked)
        assert (status, out, "Traceback" in error, "verify" in error) == (2, "", False, False)
        assert "its server gives whole files only. Put the archive on a server that answers" in error


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
