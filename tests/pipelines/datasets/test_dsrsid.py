import h5py
import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import dsrsid
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import dsrsid_arrays, write_dsrsid

CHUNKS = {"chunks": True, "compression": "gzip"}


@pytest.fixture(scope="module")
def arrays():
    return dsrsid_arrays()


@pytest.fixture(scope="module")
def path(tmp_path_factory, arrays):
    return write_dsrsid(tmp_path_factory.mktemp("dsrsid") / "DSRSID.mat", arrays)


def test_pairs_are_what_the_file_holds_as_matlab_shows_them(path, arrays):
    archive = dsrsid.open_archive(path)
    assert archive.count == 24
    assert archive.classes[::7] == ("aquafarm", "water")
    for number, example in enumerate(archive.read([])):
        assert example.label == arrays["LAND_COVER_TYPES"][0, number] - 1
        assert {source: image.shape for source, image in example.images.items()} == {
            "pan": (256, 256, 1),
            "mul": (64, 64, 4),
        }
        # MATLAB's (row, column, band, item) is (item, band, column, row) in the file.
        for source, name in (("pan", "PAN_IMAGES"), ("mul", "MUL_IMAGES")):
            np.testing.assert_array_equal(example.images[source], arrays[name].T[..., number])


def test_slabs_of_different_lengths_stay_in_step(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(dsrsid, "_ITEMS", 5)
    path = tmp_path / "DSRSID.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            rows = {"PAN_IMAGES": 7, "MUL_IMAGES": 3}.get(name)
            file.create_dataset(name, data=array, chunks=rows and (rows, *array.shape[1:]), compression=rows and "gzip")
    examples = list(dsrsid.open_archive(tmp_path).read([]))
    assert len(examples) == 24
    for number, example in enumerate(examples):
        np.testing.assert_array_equal(example.images["pan"][..., 0], arrays["PAN_IMAGES"][number, 0].T)
        np.testing.assert_array_equal(example.images["mul"][..., 3], arrays["MUL_IMAGES"][number, 3].T)


def test_shards_are_shuffled_though_the_file_is_in_order_of_class(path, tmp_path):
    info = prepare(dsrsid.open_archive(path), tmp_path / "dsrsid", shards=2).info
    assert info.class_counts == (3,) * 8
    for shard in range(2):
        items = np.flatnonzero(info.places[:, 0] == shard)
        assert np.any(np.diff(info.labels[items[np.argsort(info.places[items, 1])]]) < 0)
    assert info.sources == ("mul", "pan")
    assert info.rgb_bands_of("mul") == (3, 2, 1)
    assert info.rgb_bands_of("pan") == (1, 2, 3)


def test_labels_may_stand_in_a_column(tmp_path, arrays):
    turned = {**arrays, "LAND_COVER_TYPES": arrays["LAND_COVER_TYPES"].T}
    archive = dsrsid.open_archive(write_dsrsid(tmp_path / "x.mat", turned))
    assert [e.label for e in archive.read([])] == (arrays["LAND_COVER_TYPES"][0] - 1).tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"PAN_IMAGES": None}, r"Expected a numeric variable PAN_IMAGES .*Found: LAND_COVER_TYPES"),
        ({"LAND_COVER_TYPES": None}, r"Expected a numeric variable LAND_COVER_TYPES"),
        (
            {"MUL_IMAGES": np.zeros((24, 3, 64, 64), np.uint8)},
            r"MATLAB's size 64 x 64 x 4 x N. Found: 64 x 64 x 3 x 24",
        ),
        ({"MUL_IMAGES": np.zeros((23, 4, 64, 64), np.uint8)}, r"as many images in MUL_IMAGES as .*24. Found: 23"),
        ({"PAN_IMAGES": np.zeros((24, 1, 256, 256))}, r"PAN_IMAGES .* to be uint8. Found: float64"),
        ({"LAND_COVER_TYPES": np.ones((1, 23))}, r"LAND_COVER_TYPES .* size 24 x 1. Found: 23 x 1"),
        ({"LAND_COVER_TYPES": np.ones((1, 24))}, r"two classes at least .*Found: 24 of aquafarm"),
        ({"LAND_COVER_TYPES": np.float64([[2] + [8] * 23])}, r"Found: 1 of cloud, 23 of water"),
    ],
)
def test_other_variables_are_refused(tmp_path, arrays, changed, message):
    kept = {name: array for name, array in (arrays | changed).items() if array is not None}
    with pytest.raises(DataError, match=message):
        dsrsid.open_archive(write_dsrsid(tmp_path / "DSRSID.mat", kept))


@pytest.mark.parametrize("value", [0, 9, 2.5, np.nan])
def test_labels_are_whole_numbers_from_1_to_8(tmp_path, arrays, value):
    labels = arrays["LAND_COVER_TYPES"].copy()
    labels[0, 5] = value
    with pytest.raises(DataError, match=rf"from 1 to 8. Found, for item 6: {value:g}"):
        dsrsid.open_archive(write_dsrsid(tmp_path / "DSRSID.mat", {**arrays, "LAND_COVER_TYPES": labels}))


@pytest.mark.parametrize("options", [{}, CHUNKS], ids=["contiguous", "chunked"])
def test_a_file_that_is_cut_short(tmp_path, arrays, options):
    path = write_dsrsid(tmp_path / "DSRSID.mat", arrays, **options)
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"damaged, cut short or cannot be read"):
        list(dsrsid.open_archive(path).read([]))


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"Expected the file DSRSID.mat, or a folder with it. Not found: .*DSRSID.mat"):
        dsrsid.open_archive(tmp_path)


def test_the_fingerprint_follows_the_file(path, tmp_path, arrays):
    other = write_dsrsid(tmp_path / "DSRSID.mat", arrays)
    prints = [dsrsid.open_archive(p).origin["fingerprint"] for p in (path, path, other)]
    assert prints[0] == prints[1] != prints[2]
