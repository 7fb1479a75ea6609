"""The ascent explorer: every control redraws, and climbs without kept frames are refused."""

import pytest
import torch

from helpers.explorers.ascent import AscentExplorer
from helpers.inside import maximize
from helpers.network.models import ConvNet


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ConvNet().eval()


def test_the_ascent_explorer_redraws_for_every_control(network):
    climbs = {name: maximize.class_images(network, steps=6, frames=4, seed=i) for i, name in enumerate("ab")}
    tool = AscentExplorer(climbs, tuple("0123456789"))
    for name, value in (("frame", 1), ("rule", "a"), ("shown", 7)):
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.image.value != before, name


def test_the_ascent_explorer_says_that_it_needs_frames(network):
    with pytest.raises(ValueError, match="frames"):
        AscentExplorer({"a": maximize.class_images(network, steps=1)}, tuple("0123456789"))
