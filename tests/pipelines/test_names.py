import numpy as np
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


def test_any_name_finds_what_it_is_the_end_of_or_what_is_its_end():
    random = np.random.default_rng(0)

    def draw():
        folders = random.choice(["a", "b"], random.integers(3)).tolist()
        return (*folders, random.choice(["x", "y"]) + random.choice(["", ".tif", ".png"]))

    def forms(parts):
        return [(*parts[:-1], name) for name in (parts[-1], parts[-1].split(".")[0])]

    def are_one(one, other):
        shorter = min(len(one), len(other))
        return any(a[-shorter:] == b[-shorter:] for a in forms(one) for b in forms(other))

    for _ in range(1000):
        ids, name = list(dict.fromkeys(draw() for _ in range(3))), draw()
        meant = [number for number, path in enumerate(ids) if are_one(name, path)]
        try:
            found = ImageNames(map("/".join, ids)).find("/".join(name))
        except DataError:
            assert sum(are_one(name[-1:], path) for path in ids) > 1
        else:
            assert found in meant if meant else found is None


@pytest.mark.parametrize("name", ["y.tif", "q/x.tif", "z.1"])
def test_a_name_of_several_images_is_refused(name):
    with pytest.raises(DataError, match="several images have the name"):
        NAMES.find(name)


def test_an_example_for_messages():
    assert (NAMES.example, ImageNames([]).example) == ("x.tif", "")
