"""Snapshots are the weights as they were, at the steps they say, and leave the training alone."""

import pytest
import torch

from helpers.network import training
from helpers.network.models import ConvNet
from helpers.network.snapshots import Snapshots, log_steps


def trained(watch=None, model=None):
    torch.manual_seed(0)
    images, labels = torch.rand(40, 1, 28, 28), torch.arange(40) % 10
    model = model or ConvNet(filters=(4, 6), hidden=8)
    snapshots = Snapshots(model, count=6) if watch else None
    training.fit(model, (images, labels), epochs=2, batch_size=4, bar=False, watch=snapshots)
    return model, snapshots


def test_steps_are_spaced_by_equal_factors():
    assert log_steps(16, 6) == [0, 1, 2, 4, 8, 16]
    assert log_steps(1, 5) == [0, 1]
    many = log_steps(9380)
    assert len(many) == len(set(many)) <= 49
    assert (many[0], many[-1]) == (0, 9380)
    with pytest.raises(ValueError, match="at least one step"):
        log_steps(0)


def test_the_first_and_the_last_are_the_network_before_and_after():
    torch.manual_seed(3)
    model = ConvNet(filters=(4, 6), hidden=8)
    before = model.features.conv1.weight.detach().clone()
    snapshots = trained(True, model)[1]
    assert (snapshots.steps[0], snapshots.steps[-1]) == (0, 20)
    weights = snapshots.parameter("features.conv1.weight")
    torch.testing.assert_close(weights[0], before, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(weights[-1], model.features.conv1.weight.detach(), atol=1e-3, rtol=1e-3)
    past = snapshots.network(len(snapshots) - 1)
    assert not past.training
    torch.testing.assert_close(past(torch.ones(1, 1, 28, 28)), model(torch.ones(1, 1, 28, 28)), atol=0.02, rtol=0.02)


def test_watching_changes_nothing():
    watched, alone = trained(True)[0], trained()[0]
    for a, b in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b)


def test_size_and_names():
    snapshots = Snapshots(ConvNet())
    assert snapshots.megabytes == pytest.approx(0.45, abs=0.01)
    with pytest.raises(ValueError, match="no parameter"):
        snapshots.parameter("conv9")
