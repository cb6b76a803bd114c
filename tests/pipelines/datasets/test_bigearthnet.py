"""BigEarthNet's layout, written here by rasterio and pyarrow: what is stored is what they read."""

import numpy as np
import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DamagedFile, DataError, SettingError
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.experiment.resolve import resolve_experiment
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.datasets import bigearthnet
from keras_dhnn.pipelines.labels import UNLABELLED
from keras_dhnn.pipelines.published_split import FILE, load_published
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.stored_images import read_images

TEN, TWENTY, SIXTY = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12"), ("B01", "B09")
SIDES = {**dict.fromkeys(TEN, 120), **dict.fromkeys(TWENTY, 60), **dict.fromkeys(SIXTY, 20)}
# In the order in which the satellite's bands are counted.
ORDER = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
TILE = "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP"
LABELS = {
    f"{TILE}_26_57": (["Pastures", "Arable land"], "train"),
    f"{TILE}_26_58": (["Marine waters"], "test"),
    f"{TILE}_30_1": (["Marine waters", "Coastal wetlands", "Beaches, dunes, sands"], "validation"),
    f"{TILE.replace('33UUP', '29SNB')}_0_0": (["Urban fabric"], "train"),
    f"{TILE.replace('33UUP', '29SNB')}_0_1": (["Arable land", "Pastures"], "test"),
}


def write_archive(root, labels=LABELS):
    """A part of the archive, as GDAL and Arrow write it."""
    random = np.random.default_rng(0)
    for patch in labels:
        for band, side in SIDES.items():
            write_band(root, patch, band, random.integers(1, 9000, (side, side)).astype(np.uint16))
    write_metadata(root, labels)
    return root


def write_band(root, patch, band, pixels):
    rasterio = pytest.importorskip("rasterio")
    path = root / "BigEarthNet-S2" / patch.rsplit("_", 2)[0] / patch / f"{patch}_{band}.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pixels.shape
    place = {"crs": "EPSG:32633", "transform": rasterio.transform.from_origin(3e5, 5.4e6, 1200 / width, 1200 / height)}
    kind = {"driver": "GTiff", "count": 1, "dtype": pixels.dtype, "compress": "deflate"}
    with rasterio.open(path, "w", height=height, width=width, **kind, **place) as file:
        file.write(pixels, 1)


def write_metadata(root, labels):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "patch_id": list(labels),
        "labels": [names for names, _ in labels.values()],
        "split": [part for _, part in labels.values()],
        "country": ["Austria"] * len(labels),
    }
    root.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), root / "metadata.parquet")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("ben"))


@pytest.fixture(scope="module")
def info(root, tmp_path_factory):
    return prepare(bigearthnet.open_archive(root), tmp_path_factory.mktemp("data") / "bigearthnet").info


def test_every_band_at_ten_metres_is_what_gdal_reads_there(root, info):
    import rasterio

    for number, image in read_images(info, np.arange(info.count)):
        patch = info.ids[number]
        folder = root / "BigEarthNet-S2" / patch.rsplit("_", 2)[0] / patch
        for place, band in enumerate(ORDER):
            with rasterio.open(folder / f"{patch}_{band}.tif") as file:
                expected = file.read(1, out_shape=(120, 120), resampling=rasterio.enums.Resampling.nearest)
            np.testing.assert_array_equal(image[..., place], expected)
    assert str(info.images["image"]) == "120 x 120 x 12 uint16"
    assert info.origin["band_names"] == list(ORDER)
    assert [ORDER[band - 1] for band in info.rgb_bands_of("image")] == ["B04", "B03", "B02"]


def test_label_sets_are_those_of_the_metadata(info):
    assert sorted(info.ids) == sorted(LABELS)
    for patch, row in zip(info.ids, info.label_sets.sets, strict=True):
        names = {name for name, has in zip(info.label_sets.classes, row, strict=True) if has}
        assert names == set(LABELS[patch][0])
    assert info.label_sets.classes == bigearthnet.CLASSES
    assert len(bigearthnet.CLASSES) == 19
    assert info.known.all()


def test_the_published_split_is_the_presets(info):
    split = draw_split(load_preset("bigearthnet", info).data, 0, info)
    parts = {
        "test": split.queries,
        "validation": split.validation,
        "train": np.setdiff1d(split.database, split.validation),
    }
    for part, items in parts.items():
        assert set(info.ids[items]) == {patch for patch, (_, of) in LABELS.items() if of == part}
    assert split.protocol == "standard"
    assert split.turns == 1


def test_who_asks_for_a_protocol_gets_a_split_drawn_by_it(info):
    def data_of(**how):
        return resolve_experiment("bigearthnet", data=info.directory.parent, **how).data

    assert (data_of().split, data_of().protocol) == ("published", "standard")
    assert (data_of(protocol="grouped").split, data_of(protocol="grouped").protocol) == (None, "grouped")
    assert (data_of(queries=0.2).split, data_of(queries=0.2).protocol) == (None, "grouped")
    assert data_of(split="names.txt").split == "names.txt"


def test_scaling_is_that_of_the_pixels(root, info):
    values = np.stack([image for _, image in read_images(info, np.arange(info.count))])
    # Every pixel of 60 m is looked at, and of the others one in each of those.
    low, high = np.percentile(values[:, ::6, ::6].reshape(-1, 12), (1, 99), axis=0)
    np.testing.assert_allclose(info.scaling["image"]["low"], low)
    np.testing.assert_allclose(info.scaling["image"]["high"], high)


def test_the_folder_of_the_images_will_do(root):
    origin = bigearthnet.open_archive(root).origin
    assert bigearthnet.open_archive(root / "BigEarthNet-S2").origin == origin
    other = bigearthnet.open_archive(root, percentiles=(5, 95)).origin
    assert (other["files"], other["fingerprint"] == origin["fingerprint"]) == (origin["files"], False)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("../../etc/passwd_1_2", ["Pastures"], "train"), r"row 6: '../../etc/passwd_1_2' is no patch"),
        (("a..b_1_2", ["Pastures"], "train"), "is no patch"),
        (("a_1_2", ["pastures"], "train"), "expected one or more of the 19 classes .* Found: 'pastures'"),
        (("a_1_2", [], "train"), "Found: none"),
        (("a_1_2", ["Pastures"], "val"), "expected the split train, validation or test. Found: 'val'"),
        ((f"{TILE}_40_1", ["Pastures"], "train"), rf"lists 6 patches. Not in .* are 1:\n  {TILE}_40_1\nExpected"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(row, message, tmp_path, root):
    (tmp_path / "BigEarthNet-S2").symlink_to(root / "BigEarthNet-S2")
    write_metadata(tmp_path, {**LABELS, row[0]: row[1:]})
    with pytest.raises(DataError, match=message):
        bigearthnet.open_archive(tmp_path)


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"Expected a folder with BigEarthNet-S2/.*metadata.parquet"):
        bigearthnet.open_archive(tmp_path)


@pytest.mark.parametrize(
    ("shape", "dtype", "reason"),
    [
        ((60, 60), np.uint16, "its band B02 has 60 x 60 pixels of uint16; expected 120 x 120 of uint16"),
        ((120, 120), np.uint8, "its band B02 has 120 x 120 pixels of uint8; expected"),
        (None, None, "its band B02: cannot be decoded|its band B02: is no"),
    ],
)
def test_damaged_patches_are_refused_or_left_out(shape, dtype, reason, tmp_path):
    root, patch = write_archive(tmp_path / "ben"), f"{TILE}_26_58"
    if shape:
        write_band(root, patch, "B02", np.ones(shape, dtype))
    else:
        (root / "BigEarthNet-S2" / TILE / patch / f"{patch}_B02.tif").write_bytes(b"II*\0 no image")
    with pytest.raises(DamagedFile, match=f"{patch}: ({reason})"):
        list(bigearthnet.open_archive(root).read([]))
    made = prepare(bigearthnet.open_archive(root, skip_damaged=True), tmp_path / "data").info
    assert [name for name, _ in made.skipped] == [patch]
    assert list(made.ids) == sorted(set(LABELS) - {patch})
    # Labels and split are still each patch's own.
    own = load_published(made.directory, made.count)
    assert list(made.ids[own["queries"]]) == [f"{TILE.replace('33UUP', '29SNB')}_0_1"]
    sizes = {patch: len(names) for patch, (names, _) in LABELS.items()}
    assert made.label_sets.sets.sum(axis=1).tolist() == [sizes[name] for name in made.ids]


def test_a_split_that_is_not_there_or_is_damaged_is_named(info, tmp_path):
    data = Experiment().override("data.split=published", "data.protocol=standard", "data.turns=1").data
    for file in info.directory.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    copy = DatasetInfo.load(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:-30])
    with pytest.raises(DataError, match=r"split.npz is damaged"):
        draw_split(data, 0, copy)
    (tmp_path / FILE).unlink()
    with pytest.raises(DataError, match="has no split that was published with it. Give one by --split FILE"):
        draw_split(data, 0, copy)


def test_the_twin_is_read_as_the_archive_is(tmp_path):
    from keras_dhnn.pipelines.synthetic.bigearthnet_twin import bigearthnet_patch, write_bigearthnet

    done = []
    root = write_bigearthnet(tmp_path, size=66, seed=3, progress=lambda *now: done.append(now))
    assert done[-1] == (66, 66)
    archive = bigearthnet.open_archive(root)
    assert (archive.count, archive.classes) == (66, (UNLABELLED,))
    image = next(archive.read([])).images["image"]
    bands, labels = bigearthnet_patch(3, 0)
    assert {band: pixels.shape for band, pixels in bands.items()} == {band: (s, s) for band, s in SIDES.items()}
    for place, band in enumerate(ORDER):
        width = 120 // SIDES[band]
        np.testing.assert_array_equal(image[::width, ::width, place], bands[band])
    first = min(archive.annotations.labels)
    assert archive.annotations.labels[first] == tuple(sorted(bigearthnet.CLASSES[label] for label in labels))
    assert set(archive.annotations.parts.values()) == {"train", "validation", "test"}
    with pytest.raises(SettingError, match="whole number from 2"):
        write_bigearthnet(tmp_path / "more", size=1)
