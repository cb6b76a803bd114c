"""Tables of labels in the forms that people have them, and what is wrong with others."""

import csv
import json

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.label_file import parquet_rows, read_labels

IDS = np.array(["north/a 1.tif", "north/b.tif", "south/b.tif", "süd/c,d.png", "e.jpg"])


def read(tmp_path, content, ids=IDS, name="labels.csv"):
    """`(classes, {id: labels})` of a table."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    labels = read_labels(path, ids)
    found = {
        str(name): [one for one, has in zip(labels.classes, row, strict=True) if has]
        for name, row in zip(ids, labels.sets, strict=True)
        if row.any()
    }
    return labels.classes, found


@pytest.mark.parametrize(
    "table",
    [
        "path,label\nnorth/a 1.tif,sea\nsouth/b.tif,beach\n",
        "\ufeffpath,label\r\nnorth/a 1.tif,sea\r\nsouth/b.tif,beach\r\n",
        "north/a 1.tif,sea\nsouth/b.tif,beach\n",
        "label;file\nsea;a 1\nbeach;south\\b\n",
        "path\tlabel\nC:\\tiles\\north\\a 1.tif\tsea\nD:\\south\\b.tif\tbeach\n",
        '# mine\n"path","label"\n"./north/a 1.tif"," sea "\n\n/data/south/b.tif,beach\n',
        "path,label\nnorth/a 1.tif,sea\nsouth/b.tif,beach\nnorth/b.tif,\n",
        "path,label\nnorth/a 1.tif,sea\nsouth/b.tif,beach\nnorth/a 1.tif,sea\n",
        "id,area,label\nnorth/a 1.tif,7,sea\nsouth/b.tif,8,beach\n",
        "path,label\nnorth/a 1.tif,sea\nsouth/b.tif,beach\ne.jpg,unlabelled\n",
        ",image,scene\n0,north/a 1.tif,sea\n1,south/b.tif,beach\n",
        ",scene\nnorth/a 1.tif,sea\nsouth/b.tif,beach\n",
        "tile,class\nnorth/a 1.tif,sea\nsouth/b.tif,beach\n",
    ],
)
def test_one_label_an_image(tmp_path, table):
    assert read(tmp_path, table) == (("sea", "beach"), {"north/a 1.tif": ["sea"], "south/b.tif": ["beach"]})


@pytest.mark.parametrize(
    "table",
    [
        "path,labels\ne.jpg,sea|ship\nsouth/b.tif,sea\n",
        "path,labels\ne.jpg,sea;ship\nsouth/b.tif,sea\n",
        "path;label;label\ne.jpg;sea;ship\nsouth/b.tif;sea;\n",
        "path,label_1,label_2\ne.jpg,ship,sea\nsouth/b.tif,sea,\n",
        "image,sea,cloud,ship\ne.jpg,1,0,1\nsouth/b.tif,1,0,0\nnorth/b.tif,0,0,0\n",
        "image,sea,ship\ne.jpg,1.0,1.0\nsouth/b.tif,1.0,0.0\n",
        ",image,sea,ship\n7,e.jpg,1,1\n8,south/b.tif,1,\n",
        "IMAGE\\LABEL,sea,cloud,ship\ne.jpg,1,0,1\nsouth/b.tif,1,0,0\n",
        "path,labels\ne.jpg,\"['sea', 'ship']\"\nsouth/b.tif,['sea']\n",
        'path,labels\ne.jpg,"[""sea"", ""ship""]"\nsouth/b.tif,"[""sea"", null]"\n',
        "path,labels\ne.jpg,['sea' 'ship']\nsouth/b.tif,['sea']\nnorth/b.tif,[]\n",
    ],
)
def test_several_labels_an_image(tmp_path, table):
    assert read(tmp_path, table) == (("sea", "ship"), {"e.jpg": ["sea", "ship"], "south/b.tif": ["sea"]})


def test_names_and_labels_in_other_scripts_and_with_commas(tmp_path):
    # The name's ü is written as u and two dots, as macOS has it.
    table = 'path,label\n"su\u0308d/c,d.png","pasture, moor"\ne.jpg,море\n'
    assert read(tmp_path, table) == (
        ("pasture, moor", "море"),
        {"süd/c,d.png": ["pasture, moor"], "e.jpg": ["море"]},
    )


def test_lists_hold_labels_with_commas_and_quotes(tmp_path):
    names = ["Transitional woodland, shrub", "mariner's\nquay; \u00fc", 'a "b" |', "c\\d"]
    rows = [["e.jpg", str(names)], ["south/b.tif", json.dumps(names)], ["a 1", np.array_str(np.array(names))]]
    with open(tmp_path / "lists.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "labels"], *rows])
    found = read(tmp_path, (tmp_path / "lists.csv").read_bytes())[1]
    assert found == dict.fromkeys(["e.jpg", "south/b.tif", "north/a 1.tif"], sorted(names))


def test_numbers_are_labels_like_others(tmp_path):
    assert read(tmp_path, "path,label\ne.jpg,10\nsouth/b.tif,2\n")[0] == ("10", "2")


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {"patch_id": ["e", "south/b"], "labels": [["sea", "ship"], ["sea"]], "country": ["Finland", "Portugal"]}
    parquet.write_table(pyarrow.table(table), tmp_path / "metadata.parquet")
    found = read_labels(tmp_path / "metadata.parquet", IDS)
    assert found.classes == ("sea", "ship")
    assert found.sets.astype(int).tolist() == [[0, 0], [0, 0], [1, 0], [0, 0], [1, 1]]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_labels(tmp_path / "broken.parquet", IDS)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("path,label\nnorth/x.tif,sea\ne.jpg,sea\n", r"1 of 2 rows name no image.*\n.*line 2: 'north/x.tif'\nExpected"),
        ("path,label\nb.tif,sea\n", "line 2: several images have the name 'b.tif'"),
        ("path,label\ne.jpg,sea\ne.jpg,ship\n", "line 3: 'e.jpg' also stands in line 2.*sea there, ship here"),
        ("path,labels\ne.jpg,sea|ship\nsouth/b.tif,sea;beach\n", r"by \| and by ;. Expected one"),
        ("path,label\ne.jpg,sea\nsouth/b.tif;beach\n", "line 3: expected 2 cells.*Found 1"),
        ("path,label\ne.jpg,pasture, moor\n", "line 2: expected 2 cells.*lack its quotes"),
        ("path,label\ne.jpg,\n", "has no label"),
        ("north/x,sea\ne.jpg,sea\n", r"1 of 2 rows name no image.*\n.*line 1: 'north/x'\n.*path,label as the header"),
        ("x,sea\ne.jpg,ship\nsouth/b,sea\n", "line 1: 'x'"),
        ("west/b.tif,sea\ne.jpg,sea\n", "line 1: 'west/b.tif'"),
        ("image,split,sea,ship\ne.jpg,test,1,0\n", "neither called label nor 0 or 1 in each row: column 'split'. Exp"),
        ("image,sea,ship,lat,id\ne.jpg,1,0,1.5,7\n", "in each row: column 'lat', column 'id'. Expected a column label"),
        ("image,label_name,class_id\ne.jpg,a,0\nsouth/b.tif,b,1\n", "in each row: column 'label_name'. Expected"),
        ("image,label,class\ne.jpg,a,0\n", "which has the labels: column 'label', column 'class'"),
        ("image,sea,sea\ne.jpg,1,0\n", "of 0 and 1 have no name, or one name"),
        ("e.jpg,1,0\nsouth/b.tif,0,1\n", "of 0 and 1 have no name, or one name"),
        ("image,sea,ship\ne.jpg,1,nan\n", "in each row: column 'ship'"),
        (
            'path,labels\ne.jpg,sea\nsouth/b.tif,"[sea, ship]"\n',
            r"line 3: Expected several labels as a list.*\[sea, sh",
        ),
        ("path,labels\ne.jpg,['king''s']\n", r"line 2: Expected .* each in quotes. Found: \['king''s'\]"),
        ("path,labels\ne.jpg,['\\U00110000']\n", "line 2: Expected .* each in quotes"),
        ('path,labels\ne.jpg,"[[""sea""]]"\n', "line 2: Expected .* each in quotes"),
        (f"path,labels\ne.jpg,{'[' * 100_000}]\n", r"line 2: Expected .* Found: \[{80}$"),
        ("path\ne.jpg\n", "has one column"),
        ("", "has no row"),
        (b"path,label\ne.jpg,\xff\n", "cannot be read as UTF-8"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, table, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, table)


def test_a_first_line_without_end_is_no_table(tmp_path):
    with pytest.raises(DataError, match=r"labels.csv, line 1: field larger than field limit"):
        read(tmp_path, "x" * 200_000 + ",label\ne.jpg,sea\n")


def write_parquet(tmp_path, table):
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(table, tmp_path / "labels.parquet")
    return tmp_path / "labels.parquet"


def test_parquet_with_lists_texts_and_other_columns(tmp_path):
    pa = pytest.importorskip("pyarrow")
    columns = {
        "path": ["e.jpg", "south/b.tif", "a 1"],
        "label": [["sea", "sand"], None, ["sea"]],
        "box": [{"x": 1.5, "name": "a"}, None, {"x": 2.0, "name": "a"}],
    }
    path = write_parquet(tmp_path, pa.table(columns))
    names, rows = parquet_rows(path)
    assert names == ["path", "label", "box"]
    assert [row[:2] for _, row in rows] == [["e.jpg", ["sea", "sand"]], ["south/b.tif", None], ["a 1", ["sea"]]]
    assert rows[2][1][2] == {"x": 2.0, "name": "a"}
    assert read(tmp_path, path.read_bytes(), name="labels.parquet")[1] == {
        "e.jpg": ["sand", "sea"],
        "north/a 1.tif": ["sea"],
    }


def test_nan_in_parquet_is_an_empty_cell(tmp_path):
    pa, nan = pytest.importorskip("pyarrow"), float("nan")
    images, index = ["e.jpg", "south/b.tif", "a 1"], [3, 5, 8]
    columns = {"image": images, "sea": [1.0, nan, 0.0], "ship": [True, True, None], "__index_level_0__": index}
    path = write_parquet(tmp_path, pa.table(columns))
    assert read(tmp_path, path.read_bytes(), name="labels.parquet") == (
        ("sea", "ship"),
        {"e.jpg": ["sea", "ship"], "south/b.tif": ["ship"]},
    )
    for label in ([2.0, nan, 4.0], [[2.0, nan], [nan], [4.0]]):
        path = write_parquet(tmp_path, pa.table({"image": images, "label": label}))
        found = read(tmp_path, path.read_bytes(), name="labels.parquet")
        assert found == (("2.0", "4.0"), {"e.jpg": ["2.0"], "north/a 1.tif": ["4.0"]})


def test_parquet_without_columns(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path, pa.table({}))
    with pytest.raises(DataError, match="labels.parquet has no column"):
        read_labels(path, IDS)


def test_parquet_whose_values_python_cannot_hold(tmp_path):
    pa = pytest.importorskip("pyarrow")
    text = pa.array([b"\xff\xfe"]).view(pa.string())
    time = pa.array([2**62], pa.int64()).view(pa.timestamp("us"))
    for column in (text, time):
        path = write_parquet(tmp_path, pa.table({"path": ["e.jpg"], "label": column}))
        with pytest.raises(DataError, match="labels.parquet cannot be read as Parquet"):
            read_labels(path, IDS)


@pytest.mark.parametrize(("column", "message"), [("label", "5,000,001 rows"), ("list", "50,000,001 values")])
def test_parquet_that_unpacks_without_end(tmp_path, column, message):
    pa = pytest.importorskip("pyarrow")
    if column == "label":
        table = pa.table({"label": pa.DictionaryArray.from_arrays(np.zeros(5_000_001, np.int8), ["sea"])})
    else:
        table = pa.table({"list": pa.ListArray.from_arrays([0, 50_000_001], np.zeros(50_000_001, np.int8))})
    with pytest.raises(DataError, match=f"labels.parquet has {message}"):
        read_labels(write_parquet(tmp_path, table), IDS)


def test_a_text_of_many_rows_is_in_memory_once(tmp_path):
    pa = pytest.importorskip("pyarrow")
    label = pa.DictionaryArray.from_arrays(np.zeros(1000, np.int8), ["s" * 1_000_000])
    path = write_parquet(tmp_path, pa.table({"path": ["e.jpg"] * 1000, "label": label}))
    assert path.stat().st_size < 2_000_000
    _, rows = parquet_rows(path)
    assert len({id(row[1]) for _, row in rows}) == 1


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", IDS)
