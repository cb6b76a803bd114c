import numpy as np
import pytest

from keras_dhnn.report.figures.heat_map import heat_map_figure

VALUES = np.array([[0.1, 0.2, np.nan], [0.4, 0.9, 0.3]])


def test_cells_show_their_scores_and_the_best_is_framed():
    figure = heat_map_figure(
        {"l1": VALUES, "l2": VALUES / 2}, ["a", "b"], list("xyz"), axes=("s", "eta"), best=("l1", 1, 1), title="UCMD"
    )
    plots = {plot.get_label(): plot for plot in figure.axes}
    first = plots["l1"]
    assert [text.get_text() for text in first.texts] == ["0.1000", "0.2000", "0.4000", "0.9000", "0.3000"]
    assert [label.get_text() for label in first.get_xticklabels()] == list("xyz")
    assert (first.get_ylabel(), first.get_xlabel()) == ("s", "eta")
    (frame,) = first.patches
    assert (round(frame.get_x() + frame.get_width() / 2), round(frame.get_y() + frame.get_height() / 2)) == (1, 1)
    assert not plots["l2"].patches


def test_tables_share_one_scale():
    figure = heat_map_figure({"l1": VALUES, "l2": VALUES / 2}, ["a", "b"], list("xyz"))
    limits = [plot.images[0].get_clim() for plot in figure.axes if plot.get_label() in ("l1", "l2")]
    assert limits == [(0.05, 0.9)] * 2


def test_a_table_without_any_score_is_drawn():
    assert heat_map_figure({"": np.full((1, 2), np.nan)}, [""], ["x", "y"]).axes


@pytest.mark.parametrize("tables", [{}, {"l1": VALUES.T}])
def test_tables_of_another_shape_are_refused(tables):
    with pytest.raises(ValueError, match=r"Expected at least one of shape \(2, 3\)"):
        heat_map_figure(tables, ["a", "b"], list("xyz"))
