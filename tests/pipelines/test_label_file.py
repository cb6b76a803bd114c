"""Tables of labels in the forms that people have them, and what is wrong with others."""

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.label_file import read_labels

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
        "path,labels\ne.jpg,\"['sea', 'ship']\"\nsouth/b.tif,['sea']\n",
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
        ("path\ne.jpg\n", "has one column"),
        ("", "has no row"),
        (b"path,label\ne.jpg,\xff\n", "cannot be read as UTF-8"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, table, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, table)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(tmp_path / "none.csv", IDS)
