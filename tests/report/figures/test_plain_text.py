import io
import warnings

import numpy as np
import pytest
from matplotlib.text import Text

from keras_dhnn.report.figures import plain_text
from keras_dhnn.report.figures.embedding import embedding_figure
from keras_dhnn.report.figures.gallery import GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.heat_map import heat_map_figure
from keras_dhnn.report.figures.precision_recall import precision_recall_figure

NAMES = ["zone_$x_$y", "$\\frac{", "100 $", "港口", "\U000f0000 private", "Häfen & Co", "no\udcfftext"]


def save(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), dpi=40)
    return [text.get_text() for text in figure.findobj(Text)]


def figures():
    points, labels = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 6
    image = np.zeros((8, 8, 3), np.uint8)
    rows = [GalleryRow(image, name, {1: Retrieved(image, name, 3)}) for name in NAMES]
    yield embedding_figure(points, labels, NAMES, title=NAMES[0])
    yield gallery_figure(rows)
    yield precision_recall_figure({name: (np.array([0, 1.0]), np.array([1, 0.5])) for name in NAMES}, title=NAMES[1])
    yield heat_map_figure({NAMES[0]: np.ones((1, 1))}, ["a"], ["b"], axes=(NAMES[0], NAMES[1]), title=NAMES[2])


def test_names_with_dollar_signs_and_of_any_script_are_drawn_without_a_warning():
    for figure in figures():
        texts = save(figure)
        assert any("$" in text for text in texts)


def test_what_no_font_has_is_written_as_its_code(monkeypatch):
    monkeypatch.setattr(plain_text, "_fonts", lambda: ())
    (texts,) = [save(precision_recall_figure({name: (np.array([0, 1.0]), np.array([1, 0.5])) for name in NAMES}))]
    assert "\\u6e2f\\u53e3" in texts
    assert "\\U000f0000 private" in texts
    assert "Häfen & Co" in texts
    assert "zone_$x_$y" in texts


def test_a_font_of_the_system_is_taken_where_it_has_the_signs(monkeypatch):
    signs = plain_text._signs
    monkeypatch.setattr(plain_text, "_fonts", lambda: (("DejaVu Serif", "serif"),))
    monkeypatch.setattr(plain_text, "_signs", lambda path: frozenset("港口") if path == "serif" else signs(path))
    figure = precision_recall_figure({"港口": (np.array([0, 1.0]), np.array([1, 0.5]))})
    (text,) = [text for text in figure.findobj(Text) if text.get_text() == "港口"]
    assert text.get_fontfamily() == ["DejaVu Sans", "DejaVu Serif"]


@pytest.mark.parametrize("text", ["$x$", "a $ b $ c"])
def test_formulas_elsewhere_stay_formulas(text):
    from matplotlib.figure import Figure

    precision_recall_figure({"$": (np.array([0, 1.0]), np.array([1, 0.5]))})
    assert Figure().text(0, 0, text).get_parse_math()
