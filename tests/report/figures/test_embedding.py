import numpy as np
import pytest

from keras_dhnn.report.figures.embedding import embedding_figure, embedding_panels
from keras_dhnn.report.figures.raster import figure_to_array


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


def test_groups_share_the_colour_of_their_class_and_have_a_marker_each():
    points, labels = np.arange(16.0).reshape(8, 2), np.tile([0, 1], 4)
    groups = np.repeat(["pan", "mul"], 4)
    drawn = embedding_figure(points, labels, ["beach", "forest"], groups=groups).axes[0].collections
    assert [one.get_label() for one in drawn] == ["beach, pan", "beach, mul", "forest, pan", "forest, mul"]
    for number, (label, group) in enumerate([(0, "pan"), (0, "mul"), (1, "pan"), (1, "mul")]):
        np.testing.assert_array_equal(drawn[number].get_offsets(), points[(labels == label) & (groups == group)])
    colours = [tuple(one.get_facecolor()[0]) for one in drawn]
    assert colours[0] == colours[1] != colours[2] == colours[3]
    assert looks(drawn[0])[1] != looks(drawn[1])[1]


def test_panels_stand_side_by_side():
    panels = {f"T = {t}": (np.random.default_rng(t).normal(size=(4, 2)), [0, 1, 0, 1], None) for t in (0, 10, 20)}
    figure = embedding_panels(panels, ["a", "b"], "title")
    assert [axes.get_title() for axes in figure.axes] == ["T = 0", "T = 10", "T = 20"]
    np.testing.assert_array_equal(figure.axes[1].collections[1].get_offsets(), panels["T = 10"][0][1::2])
