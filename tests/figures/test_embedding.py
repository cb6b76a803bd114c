import numpy as np
import pytest

from keras_dhnn.figures.embedding import embedding_figure
from keras_dhnn.figures.raster import figure_to_array


def looks(collection):
    """Colour and marker."""
    return tuple(collection.get_facecolor()[0]), collection.get_paths()[0].vertices.tobytes()


def test_each_class_has_its_points_its_name_and_a_look_of_its_own():
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(90, 2)), np.arange(90) % 45
    figure = embedding_figure(points, labels, [f"class {label}" for label in range(45)], "title")
    groups = figure.axes[0].collections
    assert [group.get_label() for group in groups] == [f"class {label}" for label in range(45)]
    for label, group in enumerate(groups):
        np.testing.assert_array_equal(group.get_offsets(), points[labels == label])
    assert len({looks(group) for group in groups}) == 45
    assert figure_to_array(figure).std() > 10


def test_classes_without_a_point_are_left_out():
    figure = embedding_figure(np.zeros((2, 2)), [0, 2], ["a", "b", "c"])
    assert [group.get_label() for group in figure.axes[0].collections] == ["a", "c"]


@pytest.mark.parametrize(("points", "labels"), [(np.zeros((3, 3)), [0, 0, 0]), (np.zeros((3, 2)), [0]), ([], [])])
def test_points_and_labels_that_do_not_fit_are_refused(points, labels):
    with pytest.raises(ValueError, match="shape"):
        embedding_figure(points, labels, ["a"])
