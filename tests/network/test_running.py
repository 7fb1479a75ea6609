"""Predictions and accuracy; that modes and random numbers are given back is in tests/inside/test_no_trace.py."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers.data import Split
from helpers.inside import attribution, features, maximize
from helpers.inside.occlusion import occlusion
from helpers.network import running, training
from helpers.network.models import ConvNet


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_predict_is_the_network_in_evaluation_mode(batch_size):
    model, images = ConvNet(size=12, dropout=0.5), torch.rand(23, 1, 12, 12)
    got = running.predict(model, images, batch_size=batch_size)
    assert not got.requires_grad
    model.eval()
    torch.testing.assert_close(got, model(images).detach(), atol=1e-5, rtol=1e-5)


def test_accuracy_is_the_share_of_right_answers():
    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return F.one_hot((x.flatten(1)[:, 0] * 10).round().long(), 10).float()

    labels = torch.tensor([0, 1, 2, 3, 9])
    images = torch.tensor([0, 1, 2, 4, 9]).div(10).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    assert running.accuracy(Says(), (images, labels)) == pytest.approx(0.8)
    assert running.accuracy(Says(), Split(images.numpy(), labels.numpy())) == pytest.approx(0.8)


class Flattened(nn.Module):
    """What most tutorials write: maps become a row of numbers by ``view``, which needs them in their usual order."""

    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, 4, 3), nn.Conv2d(4, 6, 3)
        self.output = nn.Linear(6 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.output(x.view(x.size(0), -1))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_that_flattens_with_view_is_read_trained_and_explained(channels):
    x = torch.rand(40, channels, 12, 12, generator=torch.Generator().manual_seed(channels))
    labels = torch.arange(40) % 10
    for do in (
        lambda net: running.predict(net, x),
        lambda net: training.fit(net, (x, labels), epochs=1, batch_size=8, shift=0, bar=False),
        lambda net: attribution.saliency(net, x, 3),
        lambda net: occlusion(net, x[0], 3),
        lambda net: features.vectors(net, x),
        lambda net: maximize.class_images(net, size=12, steps=3, channels=channels),
    ):
        do(Flattened(channels))
    network = Flattened(channels).eval()
    for _ in range(2):
        torch.testing.assert_close(running.predict(network, x), network(x).detach())


@pytest.mark.parametrize("channels", [1, 3])
def test_images_reach_a_network_with_the_channels_of_a_pixel_side_by_side(channels):
    seen = []
    network = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.LazyLinear(10))
    network(torch.zeros(1, channels, 12, 12))
    network[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].stride()[1:]))
    x, labels = torch.rand(40, channels, 12, 12), torch.arange(40) % 10
    running.predict(network, x)
    training.fit(network, (x, labels), epochs=1, shift=0, bar=False)
    assert set(seen) == {(1, 12 * channels, channels)}
