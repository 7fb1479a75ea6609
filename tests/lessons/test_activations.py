"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.exercises import check
from helpers.exercises.activations import BUDGET
from helpers.network import checkpoints, running
from helpers.network.hooks import activations, hooked
from tests.lessons.common import endless, printing


def network():
    """The network of the lesson."""
    return checkpoints.load("mnist")


def six():
    """The image of the lesson, still a batch."""
    return data.load("mnist").test.torch().images[22:23]


@functools.cache
def costliest():
    """All channels of the second layer, those first whose silence costs the 6 most."""
    model, image = network(), six()

    def score(channel):
        def silence(module, inputs, output):
            output = output.clone()
            output[:, channel] = 0
            return output

        with hooked([(model.features.relu2, silence)]), torch.no_grad():
            return model(image)[0, 6].item()

    return sorted(range(64), key=score)


@functools.cache
def loudest():
    """All channels of the second layer, the loudest first."""
    maps = activations(network(), six(), "features.relu2")["features.relu2"][0]
    return maps.amax((1, 2)).argsort(descending=True).tolist()


def painted(kernel):
    """The patch, painted over the filter."""
    kernel[kernel > 0] = 1
    kernel[kernel < 0] = 0
    return kernel


def looped_patch(kernel):
    """The patch, pixel by pixel."""
    return [[1 if weight > 0 else 0 for weight in row] for row in kernel.tolist()]


def by_receptive_field(image, row, column):
    """The pixels by the gradient of a sum of all on the way."""
    probe = torch.zeros(1, 1, 28, 28, requires_grad=True)
    maps = nn.functional.avg_pool2d(nn.functional.conv2d(probe, torch.ones(1, 1, 3, 3)), 2)
    nn.functional.conv2d(maps, torch.ones(1, 1, 3, 3))[0, 0, row, column].backward()
    rows, columns = probe.grad[0, 0].nonzero().T
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def window(size=8, step=2, start=0, swap=False):
    """The pixels of a unit, with mistakes to choose."""

    def patch_of(image, row, column):
        row, column = (column, row) if swap else (row, column)
        top, left = step * row + start, step * column + start
        return image[top : top + size, left : left + size]

    return patch_of


RIGHT = {
    "activations/best-patch": [
        lambda: (lambda kernel: (kernel > 0).float(),),
        lambda: (lambda kernel: (kernel >= 0).float(),),  # a weight of exactly zero does not care
        lambda: (lambda kernel: np.where(kernel.numpy() > 0, 1.0, 0.0),),
        lambda: (lambda kernel: (kernel > 0).int(),),
        lambda: (lambda kernel: kernel > 0,),
        lambda: (looped_patch,),
        lambda: (lambda kernel: kernel.sign().relu().double(),),
        lambda: (lambda kernel: (kernel.sign() + 1) / 2,),
        lambda: (lambda kernel: torch.heaviside(kernel, torch.tensor(0.5)),),
    ],
    "activations/window": [
        lambda: (window(),),
        lambda: (lambda image, r, c: image.numpy()[None, 2 * r : 2 * r + 8, 2 * c : 2 * c + 8],),
        lambda: (lambda image, r, c: image[2 * r :][:8, 2 * c :][:, :8].tolist(),),
        lambda: (lambda image, r, c: image.double().unfold(0, 8, 2).unfold(1, 8, 2)[r, c],),
        lambda: (by_receptive_field,),
    ],
    "activations/blind": [
        lambda: (network(), six(), costliest()[:22]),
        lambda: (network(), six(), set(costliest()[:22])),
        lambda: (network(), six(), torch.tensor(costliest()[:22])),
        lambda: (network(), six(), np.array(costliest()[:22])),
        lambda: (network(), six(), tuple(costliest()[:BUDGET])),
        lambda: (network(), six(), costliest()[:22] * 2),
        lambda: (network().train(), six(), costliest()[:22]),
    ],
}

WRONG = {
    "activations/best-patch": [
        (lambda: (lambda kernel: kernel,), "pixels go from 0 to 1"),
        (lambda: (lambda kernel: kernel.sign(),), "pixels go from 0 to 1"),
        (lambda: (lambda kernel: torch.ones_like(kernel),), "for every pixel alone"),
        (lambda: (lambda kernel: torch.zeros_like(kernel),), "for every pixel alone"),
        (lambda: (lambda kernel: kernel.clamp(0, 1),), "for every pixel alone"),
        (lambda: (lambda kernel: kernel.sigmoid(),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel - kernel.min()) / (kernel.max() - kernel.min()),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel > kernel.mean()).float(),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel == kernel.max()).float(),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel > 0.02).float(),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel > 1).float(),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel.abs() > 0).float(),), "for every pixel alone"),
        (lambda: (lambda kernel: kernel.relu() / kernel.relu(),), "NaN"),
        (lambda: (lambda kernel: (kernel < 0).float(),), "as bad as can be"),
        (lambda: (lambda kernel: (kernel > 0).float().flatten(),), "lies under the filter"),
        (lambda: (lambda kernel: (kernel > 0).float()[None],), "lies under the filter"),
        (lambda: (lambda kernel: 255 * (kernel > 0),), "pixels go from 0 to 1"),
        (lambda: (lambda kernel: torch.ones(3, 7),), "lies under the filter"),
        (lambda: (painted,), "changed its argument `kernel`"),
        (lambda: ("white",), "should be a function"),
        (lambda: (lambda kernel: "white",), "it asks for a patch"),
        (lambda: (lambda kernel: kernel.best(),), "AttributeError"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "activations/window": [
        (lambda: (window(3, 1),), "sees of the pooled maps"),
        (lambda: (window(8, 1),), "two pixels apart"),
        (lambda: (window(6, 2),), "one pixel on either side"),
        (lambda: (window(9, 2),), "it should have 8×8"),
        (lambda: (window(7, 2),), "it should have 8×8"),
        (lambda: (window(swap=True),), "swapped row and column"),
        (lambda: (lambda image, r, c: window()(image, r, c).T,), "transposed"),
        (lambda: (lambda image, r, c: window(swap=True)(image, r, c).T,), "swapped row and column, and"),
        (lambda: (lambda image, r, c: window(start=1 - (r == 10 or c == 10))(image, r, c),), "pixels are not those"),
        (lambda: (window(step=3),), "unit ("),
        (lambda: (lambda image, r, c: window()(image, min(r, 5), min(c, 5)),), "pixels are not those"),
        (lambda: (lambda image, r, c: image[4:12, 6:14],), "pixels are not those"),
        (lambda: (lambda image, r, c: window()(image, r, c).flip(0),), "pixels are not those"),
        (lambda: (lambda image, r, c: window()(image, r, c) * torch.nan,), "NaN"),
        (lambda: (lambda image, r, c: window()(image, r, c).relu_().mul_(2),), "changed its argument `image`"),
        (lambda: (lambda image, r, c: (2 * r, 2 * c, 2 * r + 8, 2 * c + 8),), "it should have 8×8"),
        (lambda: (lambda image, r, c: image,), "Go down from the unit"),
        (lambda: (lambda image, r, c: image[r, c],), "Go down from the unit"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running after"),
    ],
    "activations/blind": [
        (lambda: (network(), six(), [0]), "with 1 channel silenced"),
        (lambda: (network(), six(), loudest()[:20]), "and silence more of them"),
        (lambda: (network(), six(), loudest()[:BUDGET]), "not by how loud they are."),
        (lambda: (network(), six(), costliest()[-BUDGET:]), "It still says 6"),
        (lambda: (network(), six(), list(range(64))), f"more than {BUDGET}"),
        (lambda: (network(), six(), costliest()[: BUDGET + 1]), f"25 channels are more than {BUDGET}"),
        (lambda: (network(), six(), [64, 3]), "from 0 to 63"),
        (lambda: (network(), six(), [c - 64 for c in costliest()[:22]]), "from 0 to 63"),
        (lambda: (network(), six(), []), "from 0 to 63"),
        (lambda: (network(), six(), torch.ones(64, dtype=torch.bool)), "not a mask"),
        (lambda: (network(), six(), [True, False] * 32), "not a mask"),
        (lambda: (network(), six(), [1, 0] * 32), "not a 0 or a 1 for each"),
        (lambda: (network(), six(), (torch.arange(64) % 3 == 0).int()), "not a 0 or a 1 for each"),
        (lambda: (network(), six(), [c + 0.5 for c in costliest()[:22]]), "whole numbers"),
        (lambda: (network(), six(), [float("nan")]), "NaN"),
        (lambda: (network(), six(), ["loud"]), "a list of channels"),
        (lambda: (network(), six(), lambda: [1]), "a list of channels"),
    ],
}


def test_the_window_is_the_one_that_a_gradient_finds():
    model = network()
    image = torch.rand(1, 1, 28, 28, requires_grad=True)
    # Weights and biases become positive, so that no ReLU hides a pixel; the pooling picks one of four, hence 40 images.
    with torch.no_grad():
        for parameter in model.features.parameters():
            parameter.copy_(parameter.abs() + 0.01)
    seen = torch.zeros(28, 28, dtype=torch.bool)
    for _ in range(40):
        image = torch.rand(1, 1, 28, 28, requires_grad=True)
        (gradient,) = torch.autograd.grad(model.features[:5](image)[0, 0, 3, 7], image)
        seen |= gradient[0, 0] != 0
    rows, columns = (seen.any(axis).nonzero().ravel() for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (6, 13, 14, 21)


def test_blind_leaves_the_network_as_it_was():
    model, image = network(), six()
    before = model(image)
    check("activations/blind", model, image, [1, 2, 3])
    assert torch.equal(model(image), before)
    assert not model.features.relu2._forward_hooks


# -- what the prose says of the shipped checkpoint, whatever the images ----------------------------------------------


def test_the_fourth_filter_fires_on_nothing():
    layer = network().features.conv1
    assert (layer.weight[3] < 0).all()
    assert layer.bias.argmax() == 3
    blank = activations(network(), torch.zeros(1, 1, 28, 28), "features.relu1")["features.relu1"][0]
    assert int((blank > 0).any(dim=2).any(dim=1).sum()) == int((layer.bias > 0).sum()) == 14


def test_the_filters_that_the_prose_points_at():
    filters = network().features.conv1.weight.detach()[:, 0]
    left, right = filters[:, :, 0].sum(1), filters[:, :, 2].sum(1)
    assert (left > right)[[9, 12]].all()
    assert (right > left)[[2, 24]].all()
    assert filters[4, 0].min() > 0 > filters[4, 2].max(), "bright above, dark below: the lower edge of a stroke"
    vectors = filters.flatten(1) / filters.flatten(1).norm(dim=1, keepdim=True)
    assert vectors[9] @ vectors[24] == pytest.approx(-0.83, abs=0.01), "9 and 24 are near opposites"


@pytest.mark.parametrize("channel", [10, 50, 61])
def test_three_second_layer_channels_are_silent_on_the_six(channel):
    assert activations(network(), six(), "features.relu2")["features.relu2"][0, channel].max() == 0


# -- what the options of its predictions say -------------------------------------------------------------------------


def test_the_loudest_channel_is_not_the_costliest_and_one_loss_is_not_enough():
    assert loudest()[0] != costliest()[0]
    assert check("activations/blind", network(), six(), costliest()[:1]).status == "wrong"


@functools.cache
def ranks():
    """For 500 digits: the rank of the loudest channel among the channels by cost, from 1."""
    images, labels = (part[:500] for part in running.tensors_of(data.load("mnist").test))
    model = network()
    maps = activations(model, images, "features.relu2")["features.relu2"]
    behind = nn.Sequential(model.features.pool2, model.classifier)
    with torch.no_grad():
        full = behind(maps)[range(500), labels]
        costs = []
        for channel in range(64):
            silenced = maps.clone()
            silenced[:, channel] = 0
            costs.append(full - behind(silenced)[range(500), labels])
    cost = torch.stack(costs, 1)
    return 1 + (cost > cost.gather(1, maps.amax((2, 3)).argmax(1)[:, None])).sum(1)


def test_loudness_is_a_good_hint_and_no_more():
    if not data.load("mnist").real:
        pytest.skip("a sentence about the real digits")
    assert (ranks() == 1).float().mean() == pytest.approx(0.35, abs=0.01), "in about a third"
    assert (ranks() <= 3).float().mean() > 0.5, "among the three costliest in more than half"


def test_shuffling_filters_and_slices_leaves_the_logits():
    model, order = network(), torch.randperm(32)
    wanted = model(six())
    with torch.no_grad():
        model.features.conv1.weight.copy_(model.features.conv1.weight[order].clone())
        model.features.conv1.bias.copy_(model.features.conv1.bias[order].clone())
        model.features.conv2.weight.copy_(model.features.conv2.weight[:, order].clone())
    torch.testing.assert_close(model(six()), wanted, atol=1e-4, rtol=1e-4)
