"""Recovering a filter: the descent is that of autograd, and ends where the images let it."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.explorers.filter_recovery import PRESETS, lessons_material
from helpers.filters import kernels
from helpers.filters.recovery import recover


def digits():
    return lessons_material()["ten digits"]


@pytest.mark.parametrize("name", ["vertical edges", "laplacian", "box blur"])
def test_descent_takes_the_steps_that_autograd_takes(name):
    images, target = digits().astype(np.float64), kernels.get(name)
    steps = (0, 1, 2, 5, 20)
    filters, losses = recover(images, target, 0.7, steps=steps)
    layer = nn.Conv2d(1, 1, 3, bias=False).double()
    x = torch.from_numpy(images)[:, None]
    wanted = torch.nn.functional.conv2d(x, torch.from_numpy(target).double()[None, None])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(filters[0])[None, None])
    for step in range(steps[-1] + 1):
        loss = ((layer(x) - wanted) ** 2).mean()
        if step in steps:
            i = steps.index(step)
            np.testing.assert_allclose(filters[i], layer.weight.detach()[0, 0], atol=1e-9)
            assert losses[i] == pytest.approx(loss.item(), abs=1e-9)
        layer.zero_grad()
        loss.backward()
        with torch.no_grad():
            layer.weight -= 0.7 * layer.weight.grad


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_recovered_from_digits(name):
    target = kernels.get(name)
    filters, losses = recover(digits(), target)
    # The stand-in's digits are smooth: what only fine detail can tell is learned more slowly from them.
    near, share = (0.05, 1e-4) if data.load("mnist").real else (max(0.05, 0.08 * np.abs(target).max()), 1e-3)
    assert np.abs(filters[-1] - target).max() < near
    assert losses[-1] < share * losses[0]


def test_vertical_lines_leave_the_filter_undetermined_though_the_loss_vanishes():
    target = kernels.get("high-pass")
    filters, losses = recover(lessons_material()["vertical lines"], target)
    assert losses[-1] < 1e-10
    assert np.abs(filters[-1] - target).max() > 1
    np.testing.assert_allclose(filters[-1].sum(axis=0), target.sum(axis=0), atol=1e-5)  # the columns' sums are all


def test_a_blank_image_teaches_nothing():
    filters, losses = recover(lessons_material()["blank"], kernels.get("sobel x"))
    np.testing.assert_array_equal(filters[0], filters[-1])
    assert not losses.any()


def test_noise_stays_in_the_loss_and_a_large_rate_runs_away():
    target = kernels.get("sobel x")
    filters, losses = recover(digits(), target, noise=0.5)
    assert losses[-1] == pytest.approx(0.25, rel=0.2)
    assert np.abs(filters[-1] - target).max() < 0.5
    assert recover(digits(), target, rate=1.5)[1][-1] > 1e6


def test_what_cannot_be_recovered_is_named():
    with pytest.raises(ValueError, match="one square filter"):
        recover(digits(), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="does not fit"):
        recover(np.zeros((1, 4, 4)), np.zeros((5, 5)))
