import numpy as np
import pytest

from keras_dhnn.report.figures.parallel_coordinates import parallel_coordinates_figure

AXES = {"eta": ([0.01, 0.1, 1.0], "log"), "s": ([0.0, 1.0, 0.25], "linear"), "norm": ([0, 1, 1], ("l1", "l2"))}


def lines(figure):
    """Heights of the trials, those drawn first first."""
    return [line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 4]


def test_a_trial_is_a_line_at_the_heights_of_its_values():
    figure = parallel_coordinates_figure(AXES, [0.5, 0.9, 0.7])
    np.testing.assert_allclose(lines(figure)[0], [0.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(lines(figure)[1], [1.0, 0.25, 1.0, 0.5])
    np.testing.assert_allclose(lines(figure)[2], [0.5, 1.0, 1.0, 1.0])  # the best is on top
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["eta", "s", "norm", "mAP"]


def test_axes_say_what_their_heights_are():
    texts = [text.get_text() for text in parallel_coordinates_figure(AXES, [0.5, 0.9, 0.7]).axes[0].texts]
    assert texts[:5] == ["0.01", "0.03162", "0.1", "0.3162", "1"]
    assert {"l1", "l2", "0.9"} <= set(texts)


def test_a_failed_trial_is_dotted_and_has_no_end():
    figure = parallel_coordinates_figure(AXES, [0.5, np.nan, 0.7])
    failed = next(line for line in figure.axes[0].lines if line.get_linestyle() == ":")
    assert np.isnan(failed.get_ydata()[-1])
    assert np.isfinite(failed.get_ydata()[:-1]).all()


def test_equal_values_and_one_trial_are_drawn():
    assert lines(parallel_coordinates_figure({"s": ([1.0], "log"), "n": ([0], ("a",)), "m": ([2], "linear")}, [0.5]))


@pytest.mark.parametrize(("axes", "scores"), [({}, [1]), (AXES, [0.5]), ({"s": ([], "linear")}, [])])
def test_axes_of_other_trials_are_refused(axes, scores):
    with pytest.raises(ValueError, match="Invalid value received for argument `axes`"):
        parallel_coordinates_figure(axes, scores)
