"""Color filters as pictures."""

import numpy as np
import pytest
import torch

from helpers import plots


def test_gray_is_zero_and_each_filter_has_its_own_scale():
    filters = torch.zeros(3, 3, 2, 2)
    filters[0, 0, 0, 0], filters[1, 2, 1, 0] = 4.0, -0.02
    colors = plots.colored(filters)
    assert colors.shape == (3, 2, 2, 3)
    assert colors[0, 0, 0].tolist() == [1.0, 0.5, 0.5]
    assert colors[1, 1, 0].tolist() == [0.5, 0.5, 0.0]
    assert (colors[2] == 0.5).all()


def test_a_sheet_sets_them_side_by_side_with_white_between():
    filters = np.random.default_rng(0).normal(size=(5, 3, 2, 4))
    sheet = plots.color_sheet(filters, 3)
    assert sheet.shape == (5, 14, 3)
    colors = plots.colored(filters)
    np.testing.assert_array_equal(sheet[:2, 5:9], colors[1])
    np.testing.assert_array_equal(sheet[3:, :4], colors[3])
    assert (sheet[2] == 1).all()
    assert (sheet[:, 4] == 1).all()
    assert (sheet[3:, 10:] == 1).all()


def test_what_is_no_color_filter_is_refused():
    with pytest.raises(ValueError, match=r"\(N, 3, h, w\)"):
        plots.colored(np.zeros((4, 1, 3, 3)))
    with pytest.raises(ValueError, match="at least one column"):
        plots.color_sheet(np.zeros((4, 3, 3, 3)), 0)
