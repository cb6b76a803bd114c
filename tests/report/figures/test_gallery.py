import numpy as np
import pytest
from matplotlib.colors import to_rgba

from keras_dhnn.report.figures.gallery import RANKS, GalleryRow, Retrieved, gallery_figure
from keras_dhnn.report.figures.raster import figure_to_array


def picture(seed=0, shape=(8, 8, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def row(wrong=(), ranks=RANKS, name="river", shape=(8, 8, 3)):
    results = {
        rank: Retrieved(picture(rank, shape), "lake" if rank in wrong else name, rank // 5, rank not in wrong)
        for rank in ranks
    }
    return GalleryRow(picture(0, shape), name, results)


def framed_in_red(axes):
    red = [spine.get_visible() and spine.get_edgecolor() == to_rgba("red") for spine in axes.spines.values()]
    assert len(set(red)) == 1  # all four sides or none
    return red[0]


def grid(figure, columns):
    return np.array(figure.axes).reshape(-1, columns)


# --- layout


def test_ranks_are_those_of_the_paper():
    assert RANKS == (1, 5, 10, 15, 20, 30, 40, 50)


def test_a_row_is_the_query_then_its_results_by_rank():
    rows = [row(), row(name="beach")]
    axes = grid(gallery_figure(rows), 9)
    assert axes.shape == (2, 9)
    assert [a.get_title() for a in axes[0]] == ["query", *(f"rank {rank}" for rank in RANKS)]
    for gallery_row, (first, *others) in zip(rows, axes, strict=True):
        np.testing.assert_array_equal(first.images[0].get_array(), gallery_row.image)
        assert first.get_xlabel() == gallery_row.name
        for rank, other in zip(RANKS, others, strict=True):
            np.testing.assert_array_equal(other.images[0].get_array(), gallery_row.results[rank].image)
            assert other.get_xlabel() == f"{gallery_row.name}, {rank // 5}"


def test_exactly_the_wrong_results_are_framed_in_red():
    first, second = grid(gallery_figure([row(wrong=(5, 50)), row(wrong=(1,))]), 9)
    assert [framed_in_red(axes) for axes in first] == [False, False, True, *[False] * 5, True]
    assert [framed_in_red(axes) for axes in second] == [False, True, *[False] * 7]


def test_results_of_unknown_class_are_not_framed():
    results = {1: Retrieved(picture(), "river", 0), 2: Retrieved(picture(), "beach", 3)}
    axes = gallery_figure([GalleryRow(picture(), "photo.png", results)], ranks=(1, 2)).axes
    assert not any(framed_in_red(a) for a in axes)


def test_ranks_beyond_a_small_database_get_no_column():
    figure = gallery_figure([row(ranks=(1, 5, 10)), row(ranks=(1, 5, 10))])
    axes = grid(figure, 4)
    assert [a.get_title() for a in axes[0]] == ["query", "rank 1", "rank 5", "rank 10"]


def test_a_rank_that_one_row_lacks_is_blank_there():
    axes = grid(gallery_figure([row(), row(ranks=(1, 5))]), 9)
    assert all(a.axison and a.images for a in axes[0])
    assert [bool(a.images) for a in axes[1]] == [True] * 3 + [False] * 6
    assert [a.axison for a in axes[1]] == [True] * 3 + [False] * 6


def test_title_is_shown():
    assert gallery_figure([row()], title="UCMD, grouped").get_suptitle() == "UCMD, grouped"


def test_long_names_lose_their_middle():
    name = "orthophoto-2021-06-14-tile-0001-0002.tif"
    text = gallery_figure([row()._replace(name=name)]).axes[0].get_xlabel()
    assert text == "orthophoto-2…0001-0002.tif"
    assert gallery_figure([row(name="x" * 21)]).axes[2].get_xlabel() == "x" * 21 + ", 1"


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (6, 9, 4), (8, 8)])
def test_it_can_be_drawn_for_any_bands_and_shape(shape):
    array = figure_to_array(gallery_figure([row(shape=shape)]))
    assert array.std() > 10


def test_the_red_frame_is_drawn():
    white = Retrieved(np.full((8, 8, 3), 255, np.uint8), "river", 0, False)
    red = [255, 0, 0]
    for correct, expected in ((False, True), (True, False)):
        figure = gallery_figure([GalleryRow(white.image, "river", {1: white._replace(correct=correct)})])
        assert (figure_to_array(figure) == red).all(-1).any() == expected


@pytest.mark.parametrize("rows", [[], [GalleryRow(picture(), "river", {})], [row(ranks=(2, 3))]])
def test_rejects_nothing_to_show(rows):
    with pytest.raises(ValueError, match=r"argument `rows`. Expected at least one query with a result"):
        gallery_figure(rows)
