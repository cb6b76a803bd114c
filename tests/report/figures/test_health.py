import numpy as np
import pytest

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.metrics.code_health import code_health
from keras_dhnn.metrics.counting import rank
from keras_dhnn.report.figures.health import health_figure
from keras_dhnn.report.figures.raster import figure_to_array

BITS = 16
LABELS = np.arange(60) % 3
OUTPUTS = np.random.default_rng(0).normal(size=(3, BITS))[LABELS] + np.random.default_rng(1).normal(0, 0.7, (60, BITS))
CODES = pack(OUTPUTS)


@pytest.fixture(scope="module")
def figure():
    counts = rank(CODES[:20], CODES[20:], LABELS[:20], LABELS[20:])
    return health_figure(code_health(CODES, LABELS, OUTPUTS), counts=counts, outputs=OUTPUTS, title="UCMD")


def panel(figure, label):
    (axes,) = [axes for axes in figure.axes if axes.get_label() == label]
    return axes


def labels(figure):
    return {axes.get_label() for axes in figure.axes} - {"<colorbar>"}


def test_bars_are_the_share_of_ones_of_every_bit(figure):
    axes = panel(figure, "balance")
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], (OUTPUTS >= 0).mean(0))
    assert axes.get_ylim() == (0, 1)
    assert axes.get_xlim() == (-0.5, BITS - 0.5)


def test_correlation_image_is_that_of_the_signs(figure):
    (image,) = panel(figure, "correlation").images
    expected = np.corrcoef(np.where(OUTPUTS >= 0, 1, -1), rowvar=False)
    np.testing.assert_allclose(image.get_array(), expected, atol=1e-6)
    assert image.get_clim() == (-1, 1)


def test_outputs_histogram_counts_every_output_once(figure):
    axes = panel(figure, "outputs")
    values, edges, _ = axes.patches[0].get_data()
    assert values.sum() == pytest.approx(1)
    below = np.searchsorted(np.sort(OUTPUTS, axis=None), edges)
    below[-1] = OUTPUTS.size  # the last bin has its right edge too
    np.testing.assert_allclose(values, np.diff(below) / OUTPUTS.size)
    assert axes.get_xlim() == pytest.approx((-np.abs(OUTPUTS).max(), np.abs(OUTPUTS).max()))


def test_distance_histograms_are_those_of_the_pairs(figure):
    distances, same = hamming_distances(CODES[:20], CODES[20:]), LABELS[:20, None] == LABELS[20:]
    for drawn, pairs in zip(panel(figure, "distances").patches, (distances[same], distances[~same]), strict=True):
        values, edges, _ = drawn.get_data()
        np.testing.assert_allclose(values, np.bincount(pairs, minlength=BITS + 1) / pairs.size)
        np.testing.assert_array_equal(edges, np.arange(BITS + 2) - 0.5)


def test_mean_distances_are_marked(figure):
    distances, same = hamming_distances(CODES, CODES), LABELS[:, None] == LABELS
    expected = [distances[same & ~np.eye(60, dtype=bool)].mean(), distances[~same].mean()]
    drawn = [line.get_xdata()[0] for line in panel(figure, "distances").lines]
    np.testing.assert_allclose(drawn, expected)
    legend = [text.get_text() for text in panel(figure, "distances").get_legend().get_texts()]
    assert legend == ["same class", f"mean {expected[0]:.1f}", "other classes", f"mean {expected[1]:.1f}"]
    alone = panel(health_figure(code_health(CODES, LABELS)), "distances").get_legend().get_texts()
    assert [text.get_text() for text in alone] == [
        f"same class, {expected[0]:.1f}",
        f"other classes, {expected[1]:.1f}",
    ]


def test_title_says_how_many_codes(figure):
    distinct = len(np.unique(CODES, axis=0))
    assert figure.get_suptitle().startswith(f"UCMD\n60 codes, {distinct} distinct, entropy ")
    assert health_figure(code_health(CODES)).get_suptitle().startswith("60 codes")


def test_panels_without_anything_to_show_are_left_out():
    assert labels(health_figure(code_health(CODES))) == {"balance", "correlation"}
    assert labels(health_figure(code_health(CODES), outputs=OUTPUTS)) == {"balance", "correlation", "outputs"}
    assert labels(health_figure(code_health(CODES, LABELS))) == {"balance", "correlation", "distances"}


def test_one_class_has_no_distances_between():
    counts = rank(CODES[:20], CODES[20:], LABELS[:20] * 0, LABELS[20:] * 0)
    figure = health_figure(code_health(CODES, LABELS * 0), counts=counts)
    same, other = (drawn.get_data()[0] for drawn in panel(figure, "distances").patches)
    assert same.sum() == pytest.approx(1)
    assert other.sum() == 0


def test_a_collapsed_code_can_be_drawn():
    collapsed = np.ones((10, BITS), np.float32)
    figure = health_figure(code_health(pack(collapsed), np.arange(10) % 2, collapsed), outputs=collapsed)
    assert "10 codes, 1 distinct, entropy 0.0 bits" in figure.get_suptitle()
    assert panel(figure, "outputs").get_xlim() == (-1.5, 1.5)
    assert figure_to_array(figure).std() > 10
