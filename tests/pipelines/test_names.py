import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.names import ImageNames

NAMES = ImageNames(["x.tif", "a/x.tif", "/data/b/y.tif", "/data/c/y.tif", "c/y.tif", "z.1.png", "z.1.tif"])


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("x.tif", 0),
        ("x", 0),
        ("a/x", 1),
        ("C:\\tiles\\a\\x.tif", 1),
        ("b/y.tif", 2),
        ("/data/b/y.tif", 2),
        ("/host/data/b/y.tif", 2),
        ("C:/q/b/y.tif", None),
        ("q/b/y.tif", None),
        ("q/a/x.tif", 1),
        ("data/c/y.tif", 3),
        ("c/y", 4),
        ("q/c/y.tif", 4),
        ("z.1.png", 5),
        ("w.tif", None),
        ("/", None),
    ],
)
def test_all_of_one_path_is_the_end_of_the_other(name, number):
    assert NAMES.find(name) == number


@pytest.mark.parametrize("name", ["y.tif", "q/x.tif", "z.1"])
def test_a_name_of_several_images_is_refused(name):
    with pytest.raises(DataError, match="several images have the name"):
        NAMES.find(name)


def test_an_example_for_messages():
    assert (NAMES.example, ImageNames([]).example) == ("x.tif", "")
