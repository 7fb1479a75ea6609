"""The pooling explorer: what it says of a shift is what NumPy says."""

import numpy as np
import pytest

from helpers.explorers.pooling import REACH, PoolingExplorer
from helpers.filters.shifts import change


@pytest.fixture
def tool():
    return PoolingExplorer({"noise": np.random.default_rng(5).random((12, 16))})


def test_change_is_a_share():
    assert change(np.ones(4), np.ones(4)) == 0
    assert change(np.array([1.0, 0]), np.array([0.0, 1])) == 1
    assert change(np.array([2.0, 2]), np.array([2.0, 0])) == pytest.approx(1 / 3)
    assert change(np.zeros(3), np.zeros(3)) == 0


@pytest.mark.parametrize("activation", ["none", "ReLU", "tanh"])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_a_global_pool_does_not_notice_a_shift_and_a_map_does(tool, activation, pooling):
    for right, down in ((1, 0), (-REACH, REACH), (3, -2)):
        tool.set(activation=activation, pooling=pooling, right=right, down=down, size=4)
        assert tool.changes["map"] > 0.2
        assert tool.changes["global pool"] == pytest.approx(0, abs=1e-4)
        assert 0 < tool.changes["pooled map"] < 1
    tool.set(right=0, down=0)
    assert max(tool.changes.values()) == 0


def test_a_pooling_of_one_pixel_changes_as_the_map_does(tool):
    tool.set(size=1, right=2)
    assert tool.changes["pooled map"] == pytest.approx(tool.changes["map"])


def test_a_shift_by_the_pool_size_moves_the_pooled_map_by_one_cell(tool):
    tool.set(size=4)
    np.testing.assert_allclose(tool._looks(4, 0)[2], np.roll(tool._looks(0, 0)[2], 1, axis=1), atol=1e-6)


def test_dots_and_percentages_are_those_of_the_present_shift(tool):
    tool.set(right=-3, down=2, activation="tanh", size=3)
    for dot, text, (_, value) in zip(tool._dots, tool._shares, tool.changes.items(), strict=True):
        assert dot.get_xdata() == [-3]
        assert dot.get_ydata()[0] == pytest.approx(value, abs=1e-6)
        assert text.get_text() == f"{value:.0%}"


def test_a_map_that_is_no_gray_image_is_named():
    with pytest.raises(ValueError, match="'color' has shape"):
        PoolingExplorer({"color": np.zeros((3, 8, 8))})
