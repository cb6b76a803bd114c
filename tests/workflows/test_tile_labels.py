import pytest

from keras_dhnn.archive.tiles import Scene
from keras_dhnn.errors import DataError
from keras_dhnn.workflows.tile_labels import image_labels

FILES = ["/data/north/1.png", "/data/south/1.png", "2.png"]
SCENES = [Scene("/data/sea/scene.tif", "/data/sea/scene.tif"), Scene("/stac/a/B04.tif", "S2A_1/B04")]


def of_table(tmp_path, rows, separator=","):
    (tmp_path / "labels.csv").write_text(f"path{separator}label\n{rows}")
    return image_labels(tmp_path / "labels.csv", SCENES, FILES)


def test_labels_are_the_names_of_folders():
    assert image_labels("folder", SCENES, FILES) == {
        "/data/sea/scene.tif": "sea",
        "S2A_1/B04": "a",
        "/data/north/1.png": "north",
        "/data/south/1.png": "south",
    }


def test_a_folder_of_images_without_label_is_no_label():
    files = ["/data/unlabelled/1.png", "/data/unlabelled/north/1.png", "unlabelled/2.png"]
    scenes = [Scene("/data/unlabelled/scene.tif", "/data/unlabelled/scene.tif")]
    assert image_labels("folder", scenes, files) == {"/data/unlabelled/north/1.png": "north"}


def test_scenes_at_addresses_are_called_by_these_in_tables(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\ns3://bucket/in/a.tif,x\n")
    assert image_labels(tmp_path / "labels.csv", [Scene.of("s3://bucket/in/a.tif")], []) == {
        "s3://bucket/in/a.tif": "x"
    }


def test_labels_of_a_table_are_found_by_the_ends_of_paths(tmp_path):
    found = of_table(tmp_path, "south/1.png,x\n2,y|z\nscene.tif,sea\nS2A_1,field\n/data/north/1.png,\n")
    assert found == {"/data/south/1.png": "x", "2.png": "y|z", "/data/sea/scene.tif": "sea", "S2A_1/B04": "field"}


SEA, STAC = "/data/sea/scene.tif#256/000000/000256", "S2A_1/B04#64/000000/000000"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (f"{SEA},ship\nscene.tif,sea\n2.png,y\n", {SEA: "ship", "/data/sea/scene.tif": "sea", "2.png": "y"}),
        (f'"{STAC}","x|y"\n', {STAC: "x|y"}),
        ("/stac/a/B04.tif,x\n/data/sea/scene.tif,y\n", {"S2A_1/B04": "x", "/data/sea/scene.tif": "y"}),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_name_tiles_by_their_ids_and_scenes_by_their_paths(tmp_path, rows, expected, separator):
    assert of_table(tmp_path, rows.replace(",", separator), separator) == expected


def test_tables_of_parquet_name_tiles_too(tmp_path):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table({"id": [SEA, "2.png"], "label": ["ship", "y"]}), tmp_path / "labels.parquet")
    assert image_labels(tmp_path / "labels.parquet", SCENES, FILES) == {SEA: "ship", "2.png": "y"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("other.tif#256/000256/000000,x\n2.png,y\n", "1 of 2 rows name no image.*\n.*line 2: 'other.tif#"),
        ("scene.tif#256/000000/000256,x\n", "1 of 1 rows name no image"),  # not the whole id
        ("1.png,x\n", "line 2: several images have the name '1.png'"),
        ("2.png,x\n3.png,y\n", "1 of 2 rows name no image.*\n.*line 3: '3.png'"),
        ("2.png\n", "line 2: expected 2 cells"),
    ],
)
def test_rows_that_are_no_images_are_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        of_table(tmp_path, rows)


def test_no_labels_and_labels_that_were_read_already():
    assert image_labels(None, SCENES, FILES) is None
    assert image_labels({"2.png": "x"}, SCENES, FILES) == {"2.png": "x"}
