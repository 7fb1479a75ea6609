"""Images as points of a map."""

import numpy as np
import pytest

from helpers import plots
from helpers.plots.clouds import canvas


def test_a_map_of_pictures_puts_each_in_its_place_and_color():
    points, images = np.array([[0.0, 0.0], [1.0, 1.0]]), np.ones((2, 4, 4))
    sheet = canvas(points, images, np.array([6, 6]), side=20)
    assert (sheet[16:, :4] == 0).all()  # lower left, class 6 is black
    assert (sheet[:4, 16:] == 0).all()
    assert sheet[4:16].min() == 1


def test_a_map_with_a_missing_point_is_named():
    with pytest.raises(ValueError, match="one point"):
        plots.cloud([np.zeros((3, 2))], np.zeros((4, 8, 8)), np.zeros(4, int), "ab")
