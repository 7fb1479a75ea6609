"""The promise explorer: its line is the gradient's, its curve what the network says of images with another pixel."""

import numpy as np
import pytest
import torch

from helpers.explorers.promise import PromiseExplorer
from helpers.inside import attribution
from helpers.network.models import ConvNet


@pytest.fixture
def tool():
    torch.manual_seed(0)
    return PromiseExplorer(ConvNet().eval(), torch.rand(3, 1, 28, 28), torch.tensor([1, 2, 3]), range(10))


def test_every_control_of_the_explorer_changes_the_picture(tool):
    for name, value in {"image": 1, "target": 4, "row": 3, "column": 25, "value": 0.25}.items():
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.error.value == ""
        assert tool.image.value != before, name


def test_the_curve_is_measured_and_the_line_is_the_gradient(tool):
    tool.set(image=2, target=4, row=10, column=12, value=0.5)
    x = tool.images[2:3]
    old = x[0, 0, 10, 12].item()
    slope = attribution.saliency(tool.model, x, 4, signed=True)[0, 0, 10, 12].item()
    changed = x.clone()
    changed[0, 0, 10, 12] = 0.5
    with torch.no_grad():
        happens = (tool.model(changed) - tool.model(x))[0, 4].item()
    assert tool._dot.get_ydata()[0] == pytest.approx(happens, abs=1e-5)
    assert tool._end.get_ydata()[0] == pytest.approx(slope * (0.5 - old), abs=1e-6)
    assert np.interp(old, [0, 1], tool._line.get_ydata()) == pytest.approx(0, abs=1e-6)
    assert np.interp(old, *tool._truth.get_data()) == pytest.approx(0, abs=1e-3)
    assert tool._shown.get_array()[10, 12] == pytest.approx(0.5)
    assert f"happens {happens:+.2f}".replace("-", "−") in tool._titles[2].get_text()
    assert all(frame.get_xy() == (11.5, 9.5) for frame in tool._frames)
