"""The attack explorer: its bars are what the network says of the image with the noise."""

import numpy as np
import pytest
import torch

from helpers.explorers.attack import AttackExplorer
from helpers.inside import maximize
from helpers.network.models import ConvNet


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ConvNet().eval()


def test_the_attack_explorer_shows_what_the_network_says(network):
    chance = np.random.default_rng(0)
    images, labels = chance.random((3, 1, 28, 28), dtype=np.float32), np.array([1, 2, 3])
    tool = AttackExplorer(network, images, labels, range(10), epsilon=0.0)
    clean = network(torch.from_numpy(images[:1])).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(clean.tolist(), abs=1e-6)
    tool.set(epsilon=0.3)
    attacked = network(maximize.fgsm(network, images[:1], labels[:1], 0.3)).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(attacked.tolist(), abs=1e-5)
    assert attacked[1] < clean[1]
    tool.set(noise="steps")
    moved = torch.from_numpy(images[:1])
    for _ in range(10):
        moved = maximize.fgsm(network, moved, 1, 0.03)
    small = network(moved).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(small.tolist(), abs=1e-5)
    assert small[1] < attacked[1] + 1e-6
    before = tool.image.value
    tool.set(noise="random")
    assert tool.image.value != before


def test_the_attack_explorer_shows_the_change_that_really_happened(network):
    images, labels = np.zeros((1, 1, 28, 28), dtype=np.float32), np.array([1])  # paper: no ink to take away
    tool = AttackExplorer(network, images, labels, range(10), epsilon=0.3, noise="random")
    change = np.asarray(tool._panels[1][0].get_array())
    assert change.min() == 0
    assert change.max() == pytest.approx(0.3)
