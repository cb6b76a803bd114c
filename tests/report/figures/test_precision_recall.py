import subprocess
import sys

import numpy as np
import pytest

from keras_dhnn.report.figures.precision_recall import precision_recall_figure
from keras_dhnn.report.figures.raster import figure_to_array

CURVES = {"64 bits": ([0.0, 0.5, 1.0], [1.0, 0.9, 0.1]), "untrained": (np.linspace(0, 1, 101), np.full(101, 0.05))}


def test_lines_hold_the_curves():
    (axes,) = precision_recall_figure(CURVES).axes
    assert [line.get_label() for line in axes.lines] == list(CURVES)
    for line, (recall, precision) in zip(axes.lines, CURVES.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), recall)
        np.testing.assert_array_equal(line.get_ydata(), precision)


def test_axes_are_labelled_and_show_the_whole_range():
    (axes,) = precision_recall_figure(CURVES, "UCMD, grouped").axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("Recall", "Precision", "UCMD, grouped")
    assert axes.get_xlim() == (0, 1)
    assert axes.get_ylim()[0] == 0
    assert 1 < axes.get_ylim()[1] < 1.1  # so that a line at 1 is seen
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(CURVES)


def test_it_can_be_drawn_and_saved(tmp_path):
    figure = precision_recall_figure(CURVES)
    assert figure_to_array(figure).std() > 0
    figure.savefig(tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "curve",
    [([0, 1], [1]), ([], []), ([[0, 1]], [[1, 0]]), ([0, 1.1], [1, 0]), ([0, 1], [-0.1, 0]), ([0, np.nan], [1, 1])],
)
def test_rejects_what_is_no_curve(curve):
    with pytest.raises(ValueError, match=r"argument `curves`. Expected \(recall, precision\).*Received: 'bad'"):
        precision_recall_figure({"good": ([0, 1], [1, 0]), "bad": curve})


def test_rejects_no_curve():
    with pytest.raises(ValueError, match="at least one curve"):
        precision_recall_figure({})


def test_figures_do_not_import_pyplot():
    """pyplot keeps global state and looks for a screen."""
    code = (
        "import sys; from keras_dhnn.report.figures import gallery, health, precision_recall, raster; "
        "sys.exit('matplotlib.pyplot' in sys.modules or 'tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
