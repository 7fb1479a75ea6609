"""Growing filters: the sheet, the filter and its relative are those of the step."""

import numpy as np
import pytest
import torch

from helpers import plots
from helpers.explorers.filter_growth import FilterGrowth

RNG = torch.Generator().manual_seed(0)
SNAPSHOTS = [(step, torch.randn(20, 3, 5, 5, generator=RNG)) for step in (0, 100, 200)]
NETWORK = torch.randn(6, 3, 4, 4, generator=RNG)


@pytest.fixture
def tool():
    return FilterGrowth(SNAPSHOTS, NETWORK)


def test_it_starts_at_the_last_step_and_shows_the_filters_of_each(tool):
    assert tool.values == {"step": 200, "filter": 0}
    tool.set(step=100, filter=13)
    patterns = dict(SNAPSHOTS)[100]
    np.testing.assert_allclose(tool._sheet.get_array(), plots.color_sheet(patterns, 12))
    np.testing.assert_allclose(tool._one.get_array(), plots.colored(patterns)[13])
    assert tool._frame.get_xy() == (5, 5)  # second column, second row of panels of five pixels and a line
    assert "step 100" in tool._title.get_text()


def test_the_relative_is_found_upside_down_too():
    hidden = SNAPSHOTS[1][1].clone()
    hidden[7] = 0
    hidden[7, :, 1:, :4] = -2 * NETWORK[4]
    tool = FilterGrowth([(0, hidden)], NETWORK, filter=7)
    assert tool._likeness.get_text() == "the network's 4\n|cosine| 1.00"
    np.testing.assert_allclose(tool._other.get_array(), plots.colored(-NETWORK[4:5])[0])


def test_without_a_snapshot_it_says_so():
    with pytest.raises(ValueError, match="at least one snapshot"):
        FilterGrowth([], NETWORK)
