"""Lists of names in the forms that are published, and what is wrong with others."""

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.split_file import read_split_file

IDS = np.array(["beach/a00.tif", "beach/a01.tif", "forest/b00.tif", "forest/b01.tif", "forest/b02.tif"])


def read(tmp_path, text, ids=IDS):
    path = tmp_path / "list.txt"
    path.write_text(text)
    return {part: numbers.tolist() for part, numbers in read_split_file(path, ids).items()}


@pytest.mark.parametrize("names", ["a01.tif\nb02.tif\n", "# test\n\nbeach/a01\nforest/b02.tif\n", "a01\r\nb02.jpg\r\n"])
def test_names_alone_are_the_queries(tmp_path, names):
    assert read(tmp_path, names) == {"queries": [1, 4], "database": [0, 2, 3]}


def test_parts_leave_out_what_is_not_named_and_validation_is_in_the_database(tmp_path):
    parts = read(tmp_path, "a00,test\nb00, train\nb01,Val\na01,database\n")
    assert parts == {"queries": [0], "database": [1, 2, 3], "validation": [3]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c00\n", "line 1: no image has the name 'c00'.*such as"),
        ("west/b00.tif\n", "line 1: no image has the name 'west/b00.tif'"),
        ("a00\na00.tif\n", "line 2: 'a00.tif' is also named in line 1"),
        ("a00,spam\n", "expected NAME or NAME,PART"),
        ("a00,test,x\n", "expected NAME or NAME,PART"),
        ("a00,test\nb00\n", "a part in all lines or in none"),
        ("a00,test\n", "no images that are database"),
        ("# nothing\n", "no images that are queries"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_a_name_in_several_folders_needs_its_folder(tmp_path):
    ids = np.array(["beach/00.tif", "forest/00.tif", "forest/01.tif"])
    with pytest.raises(DataError, match="several images have the name '00'"):
        read(tmp_path, "00\n", ids)
    assert read(tmp_path, "forest/00\n", ids)["queries"] == [1]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no list of names"):
        read_split_file(tmp_path / "none.txt", IDS)
