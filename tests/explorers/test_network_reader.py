"""Reading a network: the counts are those of the network itself, and every layer can be read aloud."""

import pytest
import torch
import torchvision
from torch import nn

from helpers.explorers.network_reader import NetworkReader, explain
from helpers.network.costs import layer_costs
from helpers.network.models import ConvNet, DenseNet


@pytest.fixture(scope="module")
def vgg():
    with torch.device("meta"):
        return torchvision.models.vgg16(weights=None)


def test_vgg_has_its_138_million_parameters_in_the_first_dense_layer(vgg):
    rows = layer_costs(vgg, (3, 224, 224))
    assert [row.kind for row in rows] == ["conv"] * 13 + ["dense"] * 3
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in vgg.parameters()) == 138_357_544
    assert max(rows, key=lambda row: row.parameters).name == "classifier.0"
    assert sum(row.multiplications for row in rows[:13]) > 0.99 * sum(row.multiplications for row in rows)
    assert sum(row.multiplications for row in rows) == 15_470_264_320  # the 15.5 G that are quoted for it


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 5, 3), nn.Conv2d(4, 6, (2, 3), stride=2, padding=1, groups=2, bias=False)]
)
def test_multiplications_are_those_that_the_profiler_of_pytorch_counts(layer):
    from torch.utils.flop_counter import FlopCounterMode

    shape = (layer.in_channels, 9, 8)
    (row,) = layer_costs(nn.Sequential(layer), shape)
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, *shape))
    assert 2 * row.multiplications == counter.get_total_flops()  # it counts an addition with each of them
    assert row.parameters == sum(p.numel() for p in layer.parameters())


def test_the_network_of_the_series_reads_as_the_lesson_says():
    rows = layer_costs(ConvNet(), (1, 28, 28))
    assert [row.parameters for row in rows] == [320, 18_496, 204_928, 1_290]
    sentences = " ".join(explain(rows, 1))
    assert "(32·3·3+1)·64 = 18,496 parameters" in sentences
    assert "32·3·3·64·11·11 = 2,230,272 multiplications" in sentences
    assert "(1,600+1)·128 = 204,928" in explain(rows, 2)[0]


def test_every_layer_of_every_network_can_be_shown(vgg):
    tool = NetworkReader({"VGG-16": (vgg, (3, 224, 224)), "ours": (ConvNet(), (1, 28, 28))}, layer=16)
    tool.set(network="ours")
    assert tool.values["layer"] == 4
    for scale in ("linear", "logarithmic"):
        seen = set()
        for layer in range(1, 5):
            tool.set(layer=layer, scale=scale)
            assert tool.error.value == ""
            seen.add(tool.image.value)
        assert len(seen) == 4


def test_dense_networks_can_be_read_and_empty_ones_are_named():
    assert NetworkReader({"dense": (DenseNet(), (1, 28, 28))}).error.value == ""
    with pytest.raises(ValueError, match="at least one network"):
        NetworkReader({"nothing": (nn.Sequential(nn.ReLU()), (1, 4, 4))})
    with pytest.raises(ValueError, match="does not accept"):
        NetworkReader({"wrong": (ConvNet(), (3, 28, 28))})
