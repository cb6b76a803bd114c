import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.compute as pc
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from keras_dhnn.archive import Archive
from keras_dhnn.archive.calibration import load_calibration
from keras_dhnn.archive.maintenance import compact, verify
from keras_dhnn.archive.tiles import Cut, scene_tiles
from keras_dhnn.errors import DamagedFile, DataError, SettingError
from keras_dhnn.runtimes import RUNTIME, installed_runtimes
from keras_dhnn.workflows import archive_encoder
from keras_dhnn.workflows.encode import encode
from keras_dhnn.workflows.encode_archive import Options, encode_archive
from keras_dhnn.workflows.search import search
from keras_dhnn.workflows.search_archive import make_queries, run_search
from tests.rasters import scene_pixels, write_scene
from tests.recorded_bars import RecordedBars

BACKBONE = "tests.fakes:tiny_backbone"
SMALL = Options(bits=8, size=32, labels="folder", features=4)


def write_images(folder, count, seed=0, side=32):
    """Images that differ in colour and texture, in two folders."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        place = folder / ("a", "b")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, 3) * rng.random((side, side, 1))
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number:04d}.png")


def all_rows(archive):
    return archive.rows().sort_by("id")


def test_images_are_encoded_once_and_found_by_themselves(tmp_path):
    write_images(tmp_path / "images", 30)
    first = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    assert (first.counted.added, first.counted.known) == (30, 0)
    again = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    assert (again.counted.added, again.counted.replaced, again.counted.known) == (0, 0, 30)
    assert again.archive.labels() == {"a": 15, "b": 15}
    path = str(tmp_path / "images" / "a" / "0004.png")
    by_file = run_search(again.archive, make_queries(again.archive, [path]), k=30, rank="hamming")
    by_id = again.archive.search(again.archive.queries([path]), 30, rank="hamming")
    assert by_file.table["distance"][0].as_py() == 0
    assert by_file.table["id"].equals(by_id.table["id"])
    assert search(tmp_path / "ar", [Path(path)], k=1)["queries"] == [path]


def test_an_image_of_other_bands_or_type_is_told_how_it_can_be_searched_and_encoded(tmp_path):
    write_images(tmp_path / "images", 30)
    encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    for bands, dtype, message in (
        (1, "uint8", r"x.tif:? has 1 band, not 3\. .*: gdal_translate -b 1 -b 1 -b 1 IN OUT.tif"),
        (3, "uint16", r"x.tif:? has pixels of uint16, not uint8\. .*: gdal_translate -ot Byte -scale IN OUT.tif"),
    ):
        tifffile.imwrite(tmp_path / "x.tif", np.zeros((8, 8, bands), dtype))
        with pytest.raises(DataError, match=f"{message}$"):
            search(tmp_path / "ar", [tmp_path / "x.tif"], k=1)
        with pytest.raises(DataError, match=f"{message}, or leave such files out with --skip-damaged.$"):
            encode_archive(BACKBONE, [tmp_path / "x.tif"], tmp_path / "ar", SMALL)


@pytest.mark.skipif("litert" not in installed_runtimes(), reason="LiteRT is not installed")
def test_a_converted_network_is_the_users_and_what_strangers_bring_is_not_believed(tmp_path, monkeypatch):
    monkeypatch.setenv(RUNTIME, "litert")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_images(tmp_path / "images", 30)

    def encoded(name):
        tf.keras.utils.set_random_seed(0)  # of the backbone's weights
        return encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / name, replace(SMALL, data=tmp_path / "data"))

    first = encoded("ar")
    own = tmp_path / "cache" / "keras-dhnn" / ".networks"
    (kept,) = own.glob("*.tflite")
    kept.unlink()
    for folder in (tmp_path / "other", tmp_path / "data"):
        (folder / ".networks").mkdir(parents=True)
        (folder / ".networks" / kept.name).write_bytes(b"a stranger's")
    other = encoded("other")
    assert kept.exists()
    assert [path.read_bytes() for path in tmp_path.rglob("*.tflite") if path != kept] == [b"a stranger's"] * 2
    assert all_rows(other.archive).equals(all_rows(first.archive))


def test_more_features_than_the_backbone_has_are_refused(tmp_path):
    write_images(tmp_path / "images", 20)
    with pytest.raises(DataError, match="has 16 features"):
        encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", Options(bits=8, size=32))


def test_a_changed_image_is_encoded_again(tmp_path):
    write_images(tmp_path / "images", 20)
    encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    Image.new("RGB", (32, 32), (255, 0, 0)).save(tmp_path / "images" / "a" / "0000.png")
    again = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    assert (again.counted.added, again.counted.replaced, again.counted.known) == (0, 1, 19)
    assert again.archive.info.rows == 20


def test_codes_do_not_depend_on_where_learning_ends(tmp_path, monkeypatch):
    """Bits are learned on the first tiles; those that follow get the same codes as if they had been among them."""
    write_images(tmp_path / "images", 40)
    monkeypatch.setattr(archive_encoder, "LEARN_FROM", 25)
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL).archive
    encoder = archive_encoder.open_encoder(made)
    paths = made.codes().ids.tolist()
    images = np.stack([np.asarray(Image.open(path)) for path in paths])
    np.testing.assert_array_equal(encoder.encode(images).codes, made.codes().codes)


def test_another_model_is_refused(tmp_path):
    write_images(tmp_path / "images", 20)
    encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    with pytest.raises(DataError, match=r"was made by tests\.fakes"):
        encode_archive("efficientnet_lite0", [tmp_path / "images"], tmp_path / "ar", SMALL)
    with pytest.raises(DataError, match="at least 64 images"):
        encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "other", Options(bits=64, size=32, features=4))


def test_the_encoder_is_the_archives_makers_though_another_learned_at_the_same_time(tmp_path, monkeypatch):
    for seed, name in enumerate("ab"):
        write_images(tmp_path / name, 30, seed=seed)
    learn, others = archive_encoder.learn, []

    def slowly(*given):
        learned = learn(*given)
        if not others:
            others.append("a")
            encode_archive(BACKBONE, [tmp_path / "a"], tmp_path / "ar", SMALL)
        return learned

    monkeypatch.setattr(archive_encoder, "learn", slowly)
    second = encode_archive(BACKBONE, [tmp_path / "b"], tmp_path / "ar", SMALL)
    assert (second.counted.added, second.archive.info.rows) == (30, 60)
    alone = encode_archive(BACKBONE, [tmp_path / "a"], tmp_path / "alone", SMALL).archive
    assert second.archive.identity == alone.identity
    ids = second.archive.codes().ids.tolist()
    images = np.stack([np.asarray(Image.open(path)) for path in ids])
    encoded = archive_encoder.open_encoder(second.archive).encode(images)
    np.testing.assert_array_equal(encoded.codes, second.archive.queries(ids).codes)
    features = [
        one.features / np.linalg.norm(one.features.astype(float), axis=1, keepdims=True)
        for one in (encoded, second.archive.queries(ids))
    ]
    np.testing.assert_allclose(*features, atol=0.02)


def test_an_encoder_that_the_archive_was_not_made_with_is_refused(tmp_path):
    for seed, name in enumerate("ab"):
        write_images(tmp_path / name, 30, seed=seed)
        encode_archive(BACKBONE, [tmp_path / name], tmp_path / f"ar-{name}", SMALL)
    (tmp_path / "ar-a" / "encoder.npz").write_bytes((tmp_path / "ar-b" / "encoder.npz").read_bytes())
    with pytest.raises(DataError, match=r"encoder\.npz is another than the archive was made with.*Restore it"):
        archive_encoder.open_encoder(Archive.open(tmp_path / "ar-a"))


def test_what_an_archive_was_made_with_otherwise_is_refused(tmp_path):
    write_images(tmp_path / "images", 20)
    encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    for name, value in (("bits", 16), ("size", 64), ("features", 0)):
        with pytest.raises(SettingError) as caught:
            encode(BACKBONE, [tmp_path / "images"], archive=tmp_path / "ar", **{name: value})
        assert f"was made with --bits 8 --features 4 --size 32. Received: --{name} {value}. Leave" in str(caught.value)
    assert encode(BACKBONE, [tmp_path / "images"], archive=tmp_path / "ar", size=32)["known"] == 20


@pytest.mark.parametrize("kind", ["run", "export"])
def test_what_a_trained_model_has_otherwise_is_refused(tmp_path, monkeypatch, kind):
    write_images(tmp_path / "images", 2)
    model = tmp_path / "model"
    if kind == "run":
        model.mkdir()
        (model / "experiment.json").write_text("{}")
        opened = SimpleNamespace(experiment=SimpleNamespace(model=SimpleNamespace(bits=16)))
        monkeypatch.setattr(archive_encoder.Run, "open", lambda _: opened)
    else:
        (model / "1").mkdir(parents=True)
        (model / "1" / "saved_model.pb").write_bytes(b"")
        monkeypatch.setattr(archive_encoder, "read_card", lambda folder: {"bits": {"1": 16}[folder.name]})

    def try_with(**given):
        encode(model, tmp_path / "images", archive=tmp_path / "ar", **given)

    monkeypatch.setattr("keras_dhnn.workflows.encode.encode_archive", lambda *_, **__: pytest.fail("accepted"))
    for name, value in (("bits", 64), ("size", 256)):
        with pytest.raises(SettingError, match=rf"was trained with --bits 16\. Received: --{name} {value}\. Leave"):
            try_with(**{name: value})
    with pytest.raises(pytest.fail.Exception, match="accepted"):
        try_with(bits=16)
    assert not (tmp_path / "ar").exists()


def test_options_of_images_and_of_vectors_have_no_effect_on_the_other(tmp_path):
    for given, message in (
        ({"embeddings": "v.npy", "size": 64, "labels": "folder"}, "No effect with --embeddings: --labels, --size."),
        ({"embeddings": "v.npy", "model": BACKBONE}, "Received both"),
        ({"embeddings": "v.npy", "images": "images"}, "Received both"),
        ({"model": BACKBONE, "images": "images", "column": "x"}, "No effect without --embeddings: --column."),
    ):
        with pytest.raises(SettingError, match=message):
            encode(**given, archive=tmp_path / "ar")


def test_damaged_images_are_named_and_left_out_on_demand(tmp_path):
    write_images(tmp_path / "images", 20)
    (tmp_path / "images" / "a" / "0003.tif").write_bytes(b"II*\0broken")
    with pytest.raises(DamagedFile, match=r"0003\.tif"):
        encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    options = Options(bits=8, size=32, features=4, skip_damaged=True)
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", options)
    assert made.counted.added == 20
    assert [one.name.rsplit("/", 1)[1] for one in made.skipped] == ["0003.tif"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_without_a_measurement_are_left_out_and_named(tmp_path, value):
    (tmp_path / "images").mkdir()
    for number in range(20):
        pixels = np.random.default_rng(number).random((32, 32, 3), np.float32)
        tifffile.imwrite(tmp_path / "images" / f"{number:02d}.tif", pixels, photometric="rgb")
    for name in ("00.tif", "07.tif"):
        tifffile.imwrite(tmp_path / "images" / name, np.full((32, 32, 3), value, np.float32), photometric="rgb")
    options = Options(bits=8, size=32, features=4)
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", options)
    assert made.counted.added == made.archive.info.rows == 18
    assert [(Path(one.name).name, one.reason) for one in made.skipped] == [
        (name, "holds no measurement: all of its pixels are empty") for name in ("00.tif", "07.tif")
    ]


def test_values_of_16_bits_are_measured_first_and_a_damaged_file_is_named_once(tmp_path):
    """The range of values is that of all images, also those that come last."""
    (tmp_path / "images").mkdir()
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 500 * (number + 1), (32, 32, 3), np.uint16)
        tifffile.imwrite(tmp_path / "images" / f"{number:02d}.tif", pixels, photometric="rgb")
    (tmp_path / "images" / "03.tif").write_bytes(b"II*\0broken")
    options = Options(bits=8, size=32, features=4, skip_damaged=True)
    bars = RecordedBars()
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", options, bar=bars)
    ((description, total, told),) = bars.shown
    assert (description, total) == ("Encode", 20)
    assert told[:19] == [(0, f"measuring the range of values: {number}") for number in range(1, 20)]
    assert told[-2:] == [(19, ""), (20, "")]
    assert (made.counted.added, [Path(one.name).name for one in made.skipped]) == (19, ["03.tif"])
    scaling = made.archive.identity.encoder["scaling"]
    assert min(scaling["high"]) > 500 * 16
    again = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", options)
    assert (again.counted.added, again.counted.known) == (0, 19)


def test_lists_and_labels_from_csv(tmp_path):
    write_images(tmp_path / "images", 20)
    lines = [f"images/{'ab'[n % 2]}/{n:04d}.png" for n in range(12)]
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"{line},L{n % 3}\n" for n, line in enumerate(lines)))
    options = Options(bits=8, size=32, features=0, labels=str(tmp_path / "list.csv"))
    made = encode_archive(BACKBONE, [tmp_path / "list.csv"], tmp_path / "ar", options).archive
    assert made.labels() == {"L0": 4, "L1": 4, "L2": 4}
    for text, message in (
        ("label,path\nL0,a.png\nL0\n", "no path in its row 2"),
        ("path\n" + "x" * 200_000, "cannot be read as CSV"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            encode_archive(BACKBONE, [tmp_path / "bad.csv"], tmp_path / "ar", options)
    (tmp_path / "junk.parquet").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"junk\.parquet cannot be read as Parquet"):
        encode_archive(BACKBONE, [tmp_path / "junk.parquet"], tmp_path / "ar", options)
    (tmp_path / "list.csv").write_text("path,label\n0000,x\nb/0001.png,y\n")
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "short", options).archive
    assert made.labels() == {None: 18, "x": 1, "y": 1}
    (tmp_path / "list.csv").write_text("path,label\n0000,x\n0077.png,y\n")
    with pytest.raises(DataError, match=r"1 of 2 rows name no image.*\n.*line 3: '0077.png'"):
        encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "other", options)
    with pytest.raises(DataError, match="no file or folder"):
        encode_archive(BACKBONE, [tmp_path / "nowhere"], tmp_path / "ar", options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no image in the folder"):
        encode_archive(BACKBONE, [tmp_path / "empty"], tmp_path / "ar", options)


def test_labels_are_added_to_what_is_there_without_encoding_it_again(tmp_path):
    write_images(tmp_path / "images", 20)
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", replace(SMALL, labels=None)).archive
    assert made.labels() == {None: 20}
    again = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL)
    assert (again.counted.replaced, again.counted.known, again.counted.relabelled) == (0, 20, 20)
    assert again.archive.labels() == {"a": 10, "b": 10}
    (tmp_path / "labels.csv").write_text("path,label\n0003.png,c\n0005.png,b\n")
    found = encode(
        BACKBONE,
        [tmp_path / "images"],
        archive=tmp_path / "ar",
        labels=tmp_path / "labels.csv",
        bits=8,
        size=32,
        features=4,
    )
    assert (found["known"], found["relabelled"], found["labelled"]) == (20, 1, 20)
    assert again.archive.refresh()
    assert again.archive.labels() == {"a": 10, "b": 9, "c": 1}


def test_every_tile_of_a_scene_has_its_scenes_label(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    for name, number in (("forest", 0), ("sea", 1)):
        (tmp_path / name).mkdir()
        write_scene(tmp_path / name / "scene.tif", scene_pixels(64, 96, seed=number))
    options = Options(Cut(tile=32), bits=8, size=32, features=4, labels="folder")
    scenes = [tmp_path / name for name in ("forest", "sea")]
    assert encode_archive(BACKBONE, scenes, tmp_path / "ar", options).archive.labels() == {"forest": 6, "sea": 6}
    (tmp_path / "labels.csv").write_text("path,label\nsea/scene.tif,water|deep\n")
    options = replace(options, labels=tmp_path / "labels.csv")
    made = encode_archive(BACKBONE, scenes, tmp_path / "table", options).archive
    assert made.labels() == {None: 6, "deep": 6, "water": 6}
    tile = f"{tmp_path}/sea/scene.tif#32/000032/000064"
    for rows, expected in (
        (f"sea/scene.tif,water\n{tile},ship\n", {None: 6, "water": 5, "ship": 1}),  # of a new archive
        (f"{tile},land\nsea/scene.tif,land\n", {None: 6, "land": 6}),  # of one that is there
        (f"{tile},ship\n", {None: 6, "land": 5, "ship": 1}),
    ):
        (tmp_path / "labels.csv").write_text(f"path,label\n{rows}")
        made = encode_archive(BACKBONE, scenes, tmp_path / "tile", options).archive
        assert made.labels() == expected
        assert made.get([tile], ["label"])["label"].to_pylist() == [rows.split(tile + ",")[1].split("\n")[0]]
    other = tile.replace("#32/", "#64/")
    (tmp_path / "labels.csv").write_text(f"path,label\n{tile},land\n{other},ship\n")
    found = encode_archive(BACKBONE, scenes, tmp_path / "tile", options)
    assert found.archive.labels() == {None: 6, "land": 6}
    assert [(one.name, one.reason) for one in found.skipped] == [(other, "the archive has no such tile to label")]


@pytest.mark.parametrize("learn_from", [2000, 10])
def test_tiles_that_hold_nothing_are_counted_wherever_they_are(tmp_path, monkeypatch, learn_from):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    monkeypatch.setattr(archive_encoder, "LEARN_FROM", learn_from)
    pixels = scene_pixels(128, 128)
    for row, col in ((0, 32), (64, 0), (96, 96)):
        pixels[:, row : row + 32, col : col + 32] = 0
    path = write_scene(tmp_path / "scene.tif", pixels, nodata=0)
    options, bars = Options(Cut(tile=32), bits=8, size=32, features=4), RecordedBars()
    for added, known in ((13, 3), (0, 16)):
        counted = encode_archive(BACKBONE, [path], tmp_path / "ar", options, bar=bars).counted
        assert (counted.added, counted.replaced, counted.known) == (added, 0, known)
    assert [(total, told[-1]) for _, total, told in bars.shown] == [(16, (16, ""))] * 2


def test_a_scene_is_cut_encoded_and_found_on_the_map(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    path = write_scene(tmp_path / "scene.tif", scene_pixels(256, 320, 3, np.uint16))
    options = Options(Cut(tile=32), bits=8, size=32, features=4)
    made = encode_archive(BACKBONE, [path], tmp_path / "ar", options).archive
    assert made.info.rows == 80
    key = f"{path.as_posix()}#32/000064/000096"
    results = run_search(made, make_queries(made, [key]), geometry=True, k=3)
    # The tile itself first: among equal codes by its features.
    assert results.table["id"][0].as_py() == key
    ring = np.array(results.to_geojson()["features"][0]["geometry"]["coordinates"][0])
    from rasterio.warp import transform

    x, y = zip(
        *[(400_000 + 0.5 * c, 5_500_000 - 0.5 * r) for r, c in ((64, 96), (96, 96), (96, 128), (64, 128))], strict=True
    )
    expected = np.stack(transform("EPSG:32633", "OGC:CRS84", x, y), axis=-1)
    np.testing.assert_allclose(sorted(ring[:4].tolist()), sorted(expected.tolist()), atol=6e-8)


def test_gdals_own_reader_finds_tiles_where_the_geotransform_has_them(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    pyogrio = pytest.importorskip("pyogrio", reason="GDAL reads vectors by pyogrio, which GeoPandas brings")
    from rasterio.transform import Affine
    from rasterio.warp import transform

    turned = Affine.translation(400_000, 5_500_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5)
    scenes = {
        "utm": ("EPSG:32633", Affine(0.5, 0, 400_000, 0, -0.5, 5_500_000)),
        "degrees": ("EPSG:4326", Affine(1e-5, 0, 14.5, 0, -1e-5, 50.1)),
        "turned": ("EPSG:32633", turned),
    }
    for name, (crs, place) in scenes.items():
        write_scene(tmp_path / f"{name}.tif", scene_pixels(64, 96), crs=crs, transform=place)
    options = Options(Cut(tile=32), bits=8, size=32, features=4)
    made = encode_archive(BACKBONE, [tmp_path / f"{name}.tif" for name in scenes], tmp_path / "ar", options).archive
    found = run_search(made, make_queries(made, made.codes().ids[:1].tolist()), geometry=True, k=100)
    found.write_geojson(tmp_path / "found.geojson")
    frame = pyogrio.read_dataframe(tmp_path / "found.geojson")
    assert len(frame) == 18
    for scene, row, col, shape in zip(frame["scene"], frame["row"], frame["col"], frame.geometry, strict=True):
        crs, place = scenes[Path(scene).stem]
        x, y = zip(*[place @ (col + c, row + r) for r, c in ((0, 0), (32, 0), (32, 32), (0, 32))], strict=True)
        expected = np.stack(transform(crs, "OGC:CRS84", list(x), list(y)), axis=-1)
        ring = np.array(shape.exterior.coords)[:4]
        np.testing.assert_allclose(sorted(ring.tolist()), sorted(expected.tolist()), atol=1e-7)


def test_a_corrupt_scene_among_good_ones_is_left_out_and_the_others_kept(tmp_path, monkeypatch, capfd):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    from tests.command_line import command_line

    run = command_line(monkeypatch, capfd)
    for number, name in enumerate("abcd"):
        write_scene(tmp_path / f"{name}.tif", scene_pixels(96, 64, seed=number))
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:5000])
    (tmp_path / "c.tif").write_bytes(b"II*\0nothing")
    how = (BACKBONE, *(tmp_path / f"{name}.tif" for name in "abcd"), "--archive", tmp_path / "ar", "--tile", 32)
    how += ("--bits", 8, "--size", 32, "--features", 4, "--quiet")
    status, _, error = run("encode", *how)
    assert (status, "b.tif" in error or "c.tif" in error, "--skip-damaged" in error) == (2, True, True)
    status, _, error = run("encode", *how, "--skip-damaged")
    assert status == 0
    assert [name for name in "abcd" if f"{name}.tif:" in error] == ["b", "c"]
    kept = [path.rsplit("/", 1)[1] for path in Archive.open(tmp_path / "ar").rows(["path"])["path"].to_pylist()]
    assert (kept.count("a.tif"), kept.count("c.tif"), kept.count("d.tif")) == (6, 0, 6)


def test_a_scene_of_which_not_even_the_header_can_be_read_is_never_taken_for_done(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    for name in "ab":
        write_scene(tmp_path / f"{name}.tif", scene_pixels(96, 128, seed=ord(name)))
    (tmp_path / "bad.tif").write_bytes(b"no raster")
    features = [
        {"type": "Feature", "id": name, "properties": {}, "assets": {"x": {"href": f"{name}.tif", "roles": ["data"]}}}
        for name in ("a", "bad", "b")
    ]
    for number, item in enumerate(features):
        (tmp_path / f"{number}.json").write_text(json.dumps(item))
    items, options = [tmp_path / f"{number}.json" for number in range(3)], Options(Cut(tile=32), bits=8, features=4)
    with pytest.raises(DamagedFile, match="bad/x: is no raster"):
        encode_archive(BACKBONE, items, tmp_path / "new", replace(options, size=32))
    made = encode_archive(BACKBONE, items[:1], tmp_path / "ar", replace(options, size=32))
    assert made.counted.added == 12
    with pytest.raises(DamagedFile, match="bad/x: is no raster"):
        encode_archive(BACKBONE, items[1:2], tmp_path / "ar", options)
    options = replace(options, skip_damaged=True)
    again = encode_archive(BACKBONE, items[1:2], tmp_path / "ar", options)
    assert (again.counted.added, [one.name for one in again.skipped]) == (0, ["bad/x"])
    again = encode_archive(BACKBONE, items, tmp_path / "ar", options)
    assert (again.counted.added, again.counted.known, [one.name for one in again.skipped]) == (12, 12, ["bad/x"])


def test_of_a_scene_that_was_replaced_no_tile_of_before_stays(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    paths, options = [tmp_path / "s.tif", tmp_path / "s.tif2.tif"], Options(Cut(tile=32), bits=8, size=32, features=4)
    for seed, path in enumerate(paths):
        write_scene(path, scene_pixels(128, 128, seed=seed) + 1, nodata=0)

    def encoded(tile=32):
        made = encode_archive(BACKBONE, paths, tmp_path / "ar", replace(options, cut=Cut(tile=tile)))
        rows = made.archive.rows(["id", "size", "content"]).filter(
            pc.equal(made.archive.rows()["scene"], str(paths[0]))
        )
        ids = [key.split("#")[1] for key in rows["id"].to_pylist()]
        return made.counted, sorted(ids), len(set(rows["content"].to_pylist())), made.archive.info.rows

    def names(height, width, side=32):
        return [f"{side}/{row:06d}/{col:06d}" for row in range(0, height, side) for col in range(0, width, side)]

    assert encoded()[1:] == (names(128, 128), 1, 32)
    smaller = scene_pixels(64, 128, seed=5) + 1
    smaller[:, 32:, 96:] = 0
    write_scene(paths[0], smaller, nodata=0)
    counted, *found = encoded()
    assert ((counted.added, counted.replaced), found) == ((0, 7), [names(64, 128)[:-1], 1, 23])
    counted, *found = encoded()
    assert ((counted.added, counted.replaced), found) == ((0, 0), [names(64, 128)[:-1], 1, 23])
    # Cut otherwise as well, it is still the same scene.
    both = sorted(names(64, 128)[:-1] + names(64, 128, 64))
    assert encoded(64)[1:] == (both, 2, 23 + 2 + 4)
    assert encoded()[1:] == (both, 2, 23 + 2 + 4)
    write_scene(paths[0], scene_pixels(20, 24, seed=6) + 1)
    assert encoded()[1:] == (["24/000000/000000"], 1, 1 + 16 + 4)


@pytest.mark.parametrize("shape", [(40, 330), (330, 40)])
def test_a_strip_that_was_one_tile_is_encoded_again_as_squares(tmp_path, monkeypatch, shape):
    """Nothing stays of an archive's squashed tile, though of a strip that is upright a square has its id."""
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    paths, options = [tmp_path / name for name in ("a.tif", "strip.tif")], Options(Cut(tile=64), bits=8, features=4)
    write_scene(paths[0], scene_pixels(256, 256))
    write_scene(paths[1], scene_pixels(*shape))
    with monkeypatch.context() as before:
        before.setattr("keras_dhnn.archive.tiles.scenes._is_strip", lambda *_: False)
        old = encode_archive(BACKBONE, paths, tmp_path / "ar", replace(options, size=32))
    assert old.counted.added == 17
    made = encode_archive(BACKBONE, paths, tmp_path / "ar", options)
    assert (made.counted.known, made.counted.added + made.counted.replaced) == (16, 9)
    rows = all_rows(made.archive).to_pylist()
    strip = [(max(row["row"], row["col"]), row["size"]) for row in rows if row["scene"] == str(paths[1])]
    assert sorted(strip) == [(place, 40) for place in (0, 40, 80, 120, 160, 200, 240, 280, 290)]
    assert encode_archive(BACKBONE, paths, tmp_path / "ar", options).counted.known == 25


def test_a_scene_that_holds_nothing_is_named_and_leaves_nothing_of_before(tmp_path, monkeypatch, capfd):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    from tests.command_line import command_line

    run = command_line(monkeypatch, capfd)
    paths = [tmp_path / f"{name}.tif" for name in "ab"]
    for seed, path in enumerate(paths):
        write_scene(path, scene_pixels(128, 128, seed=seed) + 1, nodata=0)
    how = (BACKBONE, *paths, "--archive", tmp_path / "ar", "--tile", 32, "--bits", 8, "--size", 32, "--features", 4)
    assert run("encode", *how, "--quiet")[0] == 0
    write_scene(paths[1], np.zeros((3, 128, 128), np.uint8), nodata=0)
    status, out, error = run("encode", *how, "--quiet")
    assert (status, out.split(": ", 1)[1]) == (0, "16 items (0 new, 0 changed, 32 as they were or empty)\n")
    assert f"left out: {paths[1]}: holds no measurement: all of its pixels are empty" in error
    assert set(Archive.open(tmp_path / "ar").rows(["scene"])["scene"].to_pylist()) == {str(paths[0])}


def test_scenes_of_another_form_are_named_before_any_is_read(tmp_path, monkeypatch):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    kinds = {"a": (3, np.uint8), "b": (3, np.uint8), "c": (5, np.uint8), "d": (3, np.uint16)}
    paths = {name: tmp_path / f"{name}.tif" for name in kinds}
    for seed, (name, kind) in enumerate(kinds.items()):
        write_scene(paths[name], scene_pixels(128, 128, *kind, seed=seed))
    options = Options(Cut(tile=32), bits=8, features=4)
    encode_archive(BACKBONE, [paths["a"]], tmp_path / "ar", replace(options, size=32))
    read = []
    monkeypatch.setattr(
        "keras_dhnn.workflows.encode_archive.scene_tiles",
        lambda scene, *given, **how: read.append(scene.name) or scene_tiles(scene, *given, **how),
    )
    with pytest.raises(DataError) as caught:
        encode_archive(BACKBONE, list(paths.values()), tmp_path / "ar", options)
    lines = str(caught.value).splitlines()
    assert lines[0] == "2 of 4 scenes cannot be encoded:"
    assert lines[1].startswith(f"  {paths['c']}: has 5 band(s) of uint8; expected 3 of uint8")
    assert lines[2].startswith(f"  {paths['d']}: has 3 band(s) of uint16; expected 3 of uint8")
    with pytest.raises(DamagedFile, match=r"d\.tif: has 3 band\(s\) of uint16.*leave such files out"):
        encode_archive(BACKBONE, [paths["b"], paths["d"]], tmp_path / "ar", options)
    assert (read, Archive.open(tmp_path / "ar").info.rows) == ([], 16)
    made = encode_archive(BACKBONE, list(paths.values()), tmp_path / "ar", replace(options, skip_damaged=True))
    assert (made.counted.known, made.counted.added) == (16, 16)
    assert [one.name for one in made.skipped] == [str(paths["c"]), str(paths["d"])]
    assert read == [str(paths["a"]), str(paths["b"])]


def test_a_scene_without_the_bands_that_are_wanted_is_left_out_on_demand(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    for name, bands in (("a", 4), ("b", 3), ("c", 4)):
        write_scene(tmp_path / f"{name}.tif", scene_pixels(128, 128, bands))
    paths = [tmp_path / f"{name}.tif" for name in "abc"]
    options = Options(Cut(tile=32, bands=(4, 3, 2)), bits=8, size=32, features=4)
    with pytest.raises(
        DamagedFile, match=r"b\.tif: has bands 1 to 3\. Received: --bands 4,3,2\. Choose among them, or"
    ):
        encode_archive(BACKBONE, paths, tmp_path / "ar", options)
    made = encode_archive(BACKBONE, paths, tmp_path / "ar", replace(options, skip_damaged=True))
    assert (made.counted.added, [Path(one.name).name for one in made.skipped]) == (32, ["b.tif"])


def test_what_a_damaged_scene_was_before_stays(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    path, options = tmp_path / "s.tif", Options(Cut(tile=32), bits=8, size=32, features=4, skip_damaged=True)
    write_scene(path, scene_pixels(512, 128))
    encode_archive(BACKBONE, [path], tmp_path / "ar", options)
    write_scene(path, scene_pixels(512, 128, seed=1))
    path.write_bytes(path.read_bytes()[:-20_000])
    again = encode_archive(BACKBONE, [path], tmp_path / "ar", options)
    assert (len(again.skipped), again.archive.info.rows) == (1, 64)


def test_another_file_by_the_name_of_one_is_refused_and_a_moved_one_is_not(tmp_path, monkeypatch):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    options = Options(Cut(tile=32), bits=8, size=32, features=4)
    for seed, folder in enumerate("ab"):
        write_images(tmp_path / folder / "images", 30, seed=seed)
        write_scene(tmp_path / folder / "s.tif", scene_pixels(128, 128, seed=seed))
    for name in ("s.tif", "images"):
        for folder in "ab":
            shutil.copytree(tmp_path / folder, tmp_path / f"{name}-{folder}")
        monkeypatch.chdir(tmp_path / f"{name}-a")
        before = all_rows(encode_archive(BACKBONE, [name], tmp_path / f"ar-{name}", options).archive)
        monkeypatch.chdir(tmp_path / f"{name}-b")
        with pytest.raises(DataError, match=rf"is the name of {tmp_path}/{name}-a/.*another file by that name, .*-b/"):
            encode_archive(BACKBONE, [name], tmp_path / f"ar-{name}", options)
        assert all_rows(Archive.open(tmp_path / f"ar-{name}")).equals(before)
        shutil.move(tmp_path / f"{name}-a", tmp_path / f"{name}-moved")
        monkeypatch.chdir(tmp_path / f"{name}-moved")
        moved = encode_archive(BACKBONE, [name], tmp_path / f"ar-{name}", options)
        assert (moved.counted.known, moved.counted.replaced) == (len(before), 0)
        monkeypatch.chdir(tmp_path / f"{name}-b")
        assert encode_archive(BACKBONE, [name], tmp_path / f"ar-{name}", options).counted.replaced == len(before)


def test_two_scenes_of_one_name_are_refused(tmp_path):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    features = []
    for number in range(2):
        write_scene(tmp_path / f"{number}.tif", scene_pixels(96, 128, seed=number))
        asset = {"href": f"{number}.tif", "roles": ["data"]}
        features.append({"type": "Feature", "id": "same", "properties": {}, "assets": {"x": asset}})
    (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    options = Options(Cut(tile=32), bits=8, size=32, features=4)
    with pytest.raises(DataError, match=r"same/x is the name of two scenes: .*0\.tif and .*1\.tif\. Encode them"):
        encode_archive(BACKBONE, [tmp_path / "items.json"], tmp_path / "ar", options)
    twice = {"type": "FeatureCollection", "features": features[:1] * 2}
    (tmp_path / "items.json").write_text(json.dumps(twice))
    made = encode_archive(BACKBONE, [tmp_path / "items.json"], tmp_path / "ar", options)
    assert (made.counted.added, made.counted.known) == (12, 0)


def test_a_clock_that_goes_back_changes_nothing(tmp_path, monkeypatch):
    now = [2e9]

    def earlier():
        now[0] -= 5000
        return now[0]

    write_images(tmp_path / "images", 30)
    encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "usual", SMALL)
    for name in ("time", "time_ns"):
        monkeypatch.setattr(time, name, earlier if name == "time" else lambda: int(1e9 * earlier()))
    (tmp_path / "first").mkdir()
    for path in sorted((tmp_path / "images").rglob("*.png"))[:12]:
        (tmp_path / "first" / path.name).write_bytes(path.read_bytes())
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL).archive
    seen = Archive.open(tmp_path / "ar")
    encode_archive(BACKBONE, [tmp_path / "first"], tmp_path / "ar", SMALL)
    # As if it had been written before what was seen.
    os.utime(tmp_path / "ar" / "parts.json", (1, 1))
    assert seen.refresh()
    assert (made.info.rows, seen.info.rows) == (30, 42)
    again = encode_archive(BACKBONE, [tmp_path / "images", tmp_path / "first"], tmp_path / "ar", SMALL)
    assert (again.counted.added, again.counted.replaced) == (0, 0)
    compact(seen)
    assert verify(Archive.open(tmp_path / "ar")) == []
    usual = all_rows(Archive.open(tmp_path / "usual"))
    assert all_rows(Archive.open(tmp_path / "ar")).filter(pc.is_in(all_rows(seen)["id"], usual["id"])).equals(usual)


def test_like_and_unlike_make_one_query(tmp_path):
    write_images(tmp_path / "images", 20)
    made = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", SMALL).archive
    ids = made.codes().ids.tolist()
    asked = make_queries(made, [], like=ids[:2], unlike=ids[5:6])
    assert len(run_search(made, asked, k=5)) == 5
    with pytest.raises(ValueError, match="either images and ids"):
        make_queries(made, ids[:1], like=ids[:1])
    with pytest.raises(ValueError, match="what to look for"):
        make_queries(made, [])


SLOW_ENCODE = """
import sys, time
from keras_dhnn.archive import encoding
from keras_dhnn.workflows import archive_encoder, encode_archive
encoding.encode_tiles.__kwdefaults__["piece"] = 8
original = archive_encoder.NetworkEncoder.from_network
def from_network(self, *outputs):
    time.sleep(0.02)
    return original(self, *outputs)
archive_encoder.NetworkEncoder.from_network = from_network
archive_encoder.LEARN_FROM = 24
options = encode_archive.Options(bits=8, size=32, features=4, labels="folder")
encode_archive.encode_archive("tests.fakes:tiny_backbone", [sys.argv[1]], sys.argv[2], options)
"""


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_rows(tmp_path):
    write_images(tmp_path / "images", 400)
    command = [sys.executable, "-c", SLOW_ENCODE, str(tmp_path / "images")]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    rng, kills = np.random.default_rng(0), 0
    while kills < 3:
        running = subprocess.Popen([*command, str(tmp_path / "killed")])
        place, seen = tmp_path / "killed" / "archive.json", 0
        seen = Archive.open(place.parent).info.rows if place.exists() else 0
        while running.poll() is None and (Archive.open(place.parent).info.rows if place.exists() else 0) <= seen:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
        running.wait()
        kills += 1
        if place.exists():
            assert verify(Archive.open(place.parent)) == []
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    whole, killed = (all_rows(Archive.open(tmp_path / name)) for name in ("whole", "killed"))
    assert killed.num_rows == 400
    assert killed.equals(whole)


@pytest.mark.slow
def test_two_encoders_at_once_end_with_the_rows_of_one(tmp_path):
    write_images(tmp_path / "images", 200)
    command = [sys.executable, "-c", SLOW_ENCODE, str(tmp_path / "images")]
    subprocess.run([*command, str(tmp_path / "one")], check=True)
    both = [subprocess.Popen([*command, str(tmp_path / "two")]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    one, two = (all_rows(Archive.open(tmp_path / name)) for name in ("one", "two"))
    assert two.num_rows == 200
    assert two.equals(one)
    assert verify(Archive.open(tmp_path / "two")) == []


@pytest.mark.parametrize(("step", "kept"), [(1, None), (3, 24), (4, 32)])
def test_an_interruption_keeps_what_is_encoded_and_says_how_to_go_on(tmp_path, monkeypatch, capfd, step, kept):
    import contextlib

    from tests.command_line import command_line

    @contextlib.contextmanager
    def bar(description, total, unit):
        told = []

        def update(done, note=""):
            told.append(done)
            if len(told) == step:
                raise KeyboardInterrupt

        yield update

    run = command_line(monkeypatch, capfd)
    write_images(tmp_path / "images", 40)
    monkeypatch.setattr(archive_encoder, "LEARN_FROM", 16)
    monkeypatch.setattr(archive_encoder.NetworkEncoder, "batch", 8)
    monkeypatch.setattr("keras_dhnn.cli.bars.bars", lambda quiet: bar)
    how = (BACKBONE, tmp_path / "images", "--archive", tmp_path / "ar", "--bits", 8, "--size", 32, "--features", 4)
    status, _, error = run("encode", *how)
    expected = "Nothing is kept yet" if kept is None else f"{tmp_path / 'ar'} has {kept} items now."
    assert (status, f"Interrupted. {expected}" in error, "Start the same command again" in error) == (130, True, True)
    monkeypatch.undo()
    again = encode_archive(BACKBONE, [tmp_path / "images"], tmp_path / "ar", Options(bits=8, size=32, features=4))
    assert again.counted.known == (kept or 0)
    assert again.archive.info.rows == 40


def test_the_command_line(tmp_path, monkeypatch, capfd):
    from tests.command_line import command_line

    run = command_line(monkeypatch, capfd)
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images", 24)
    how = ("--bits", 8, "--features", 4, "--size", 32, "--labels", "folder", "--quiet", "--json")
    status, out, _ = run("encode", BACKBONE, "images", "--archive", "ar", *how)
    assert (status, json.loads(out)["added"]) == (0, 24)
    status, out, _ = run("search", "ar", "images/a/0004.png", "-k", 3, "--where", "label = 'a'", "--json")
    found = json.loads(out)["results"]
    assert {row["label"] for row in found} == {"a"}
    assert [row["rank"] for row in found] == [1, 2, 3]
    drawn = ("--gallery", "found.png", "--geojson", "found.geojson")
    status, out, said = run("search", "ar", "images/a/0004.png", *drawn)
    assert status == 0
    assert (tmp_path / "found.png").exists()
    assert said.splitlines()[-2:] == [
        "found.geojson  footprints of 10 items, GeoJSON",
        "found.png  pictures of what was found",
    ]
    status, out, said = run("search", "ar", "images/a/0004.png", "-k", 12, *drawn, "--json")
    assert len(json.loads(out)["results"]) == 12
    assert said.splitlines()[-1] == "found.png  pictures of the first 10 that were found"
    assert "by its name" in run("search", "ar", "images/a/0004.png", "--gallery", "found.xyz")[2]
    assert json.loads((tmp_path / "found.geojson").read_text())["features"][0]["geometry"] is None
    assert run("search", "ar", "images/a/0004.png", "--precision", 0.9)[0] == 2
    status, out, _ = run("archive", "calibrate", "ar")
    assert status == 0
    calibrated = load_calibration(Archive.open(tmp_path / "ar"), "image")
    assert len(out.splitlines()) - 1 == 1 + np.flatnonzero(np.diff(calibrated.background, prepend=0))[-1]
    status, out, _ = run("search", "ar", "images/a/0004.png", "--precision", 0.9, "--json")
    assert status == 0
    status, out, _ = run("archive", "info", "ar", "--json")
    assert json.loads(out)["labels"] == {"image": {"a": 12, "b": 12}}
    assert "labels          a 12, b 12" in run("archive", "info", "ar")[1].splitlines()
    assert run("archive", "verify", "ar")[0] == 0
    assert json.loads(run("archive", "remove", "ar", "images/a/0004.png", "--json")[1]) == {"removed": 1}
    assert json.loads(run("archive", "compact", "ar", "--json")[1]) == {"before": 1, "after": 1}
    assert run("archive", "compact", "ar")[1] == "Nothing to merge: 1 file\n"
    status, out, error = run("search", "ar", "images/a/0006.png", "--since", "2020-01-01", "--where", "label = 'c'")
    assert (status, out) == (0, "images/a/0006.png\nnothing found\n")
    assert error == "No item meets --where label = 'c' and --since 2020-01-01: no item has a value in time.\n"
    liked = ("--like", "images/a/0006.png", "--unlike", "images/b/0001.png")
    found = json.loads(run("search", "ar", *liked, "-k", 24, "--json")[1])["results"]
    assert [row["score"] for row in found] == sorted((row["score"] for row in found), reverse=True)
    status, out, _ = run("search", "ar", *liked, "-k", 1)
    title, row = out.splitlines()[1:]
    assert title.split() == ["rank", "score", "distance", "expected", "label", "id"]
    assert row.split()[:2] == ["1", f"{found[0]['score']:.3f}"]
    status, _, error = run("search", "ar", "images/a/0004", "--where", "read_text('x') = ''")
    assert status == 2
    status, _, error = run("search", "ar", "nothing-there")
    assert (status, error.strip()) == (
        2,
        "keras-dhnn: There is no file 'nothing-there', and no item of that id. Name an image file or an item.",
    )
