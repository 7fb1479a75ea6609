"""Images as points of a map."""

import numpy as np
import pytest

from helpers import plots
from helpers.plots.clouds import canvas, spread

POINTS = np.array([[0.0, 0.0], [1.0, 1.0]])


def test_a_map_of_pictures_puts_each_in_its_place_and_color():
    sheet = canvas(POINTS, np.ones((2, 4, 4)), np.array([6, 6]), side=20)
    assert (sheet[16:, :4] == 0).all()  # lower left, class 6 is black
    assert (sheet[:4, 16:] == 0).all()
    assert sheet[4:16].min() == 255


def test_an_image_that_would_overlap_an_earlier_one_is_left_out():
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.02, 0.0], [1.0, 0.0]])
    images = np.full((4, 4, 4), 0.5)
    sheet, middles = spread(points, images, np.array([6, 6, 6, 0]), (30, 60), rim=1)
    assert (sheet[24:, :6] == sheet[:6, 54:]).all()  # lower left and upper right
    assert (sheet[25:29, 1:5] == 128).all()
    assert (sheet[24, :6] == 0).all()  # a black frame
    assert tuple(sheet[24, 54]) == (0, 114, 178)  # a blue one
    assert np.isnan(middles).tolist() == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert middles[1].tolist() == [57, 3]


def test_an_album_marks_what_is_misread_and_is_on_it():
    points, images = np.array([[0.0, 0.0], [1.0, 1.0], [0.001, 0.0]]), np.ones((3, 28, 28))
    drawn = plots.album(points, images, [0, 1, 0], "ab", wrong=[False, True, True], width=4, height=2).figure
    (crosses,) = drawn.axes[0].get_lines()
    assert len(crosses.get_xdata()) == 2
    assert np.isfinite(crosses.get_xdata()).sum() == 1  # the other one is left out
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["a", "b", "misread"]
    bare = plots.album(points, images, [0, 1, 0], "ab", width=4, height=2).figure
    assert not bare.axes[0].get_lines()
    assert len(bare.legends[0].get_texts()) == 2


def test_dots_stand_at_their_points_on_equal_axes():
    drawn = plots.dots([POINTS, 3 * POINTS], [0, 1], "ab", ["one", "three"]).figure
    first, second = (axes.collections[0].get_offsets() for axes in drawn.axes)
    assert (np.asarray(first) == POINTS).all()
    assert (np.asarray(second) == 3 * POINTS).all()
    assert all(np.ptp(axes.get_xlim()) == np.ptp(axes.get_ylim()) for axes in drawn.axes)


def test_a_map_with_a_missing_point_is_named():
    with pytest.raises(ValueError, match="one point"):
        plots.cloud([np.zeros((3, 2))], np.zeros((4, 8, 8)), np.zeros(4, int), "ab")
    with pytest.raises(ValueError, match="one point"):
        plots.album(np.zeros((3, 2)), np.zeros((4, 8, 8)), np.zeros(4, int), "ab")
    with pytest.raises(ValueError, match="one point"):
        plots.dots([np.zeros((3, 2))], np.zeros(4, int), "ab", ["one"])
