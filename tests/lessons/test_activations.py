"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import numpy as np
import pytest
import torch

from helpers import data
from helpers.exercises import check
from helpers.exercises.activations import BUDGET
from helpers.filters import kernels
from helpers.network import checkpoints
from helpers.network.hooks import activations


def network():
    return checkpoints.load("mnist")


def six():
    return data.load("mnist").test.torch().images[22:23]


def peaks(maps):
    return maps.amax(dim=(0, 2, 3))


WRONG = {
    "activations/best-patch": [
        (lambda: (lambda kernel: kernel,), "pixels go from 0 to 1"),
        (lambda: (lambda kernel: torch.ones_like(kernel),), "for every pixel alone"),
        (lambda: (lambda kernel: torch.zeros_like(kernel),), "for every pixel alone"),
        (lambda: (lambda kernel: kernel.clamp(0, 1),), "for every pixel alone"),
        (lambda: (lambda kernel: (kernel < 0).float(),), "as bad as can be"),
        (lambda: (lambda kernel: (kernel > 0).float().flatten(),), "lies under the filter"),
        (lambda: (lambda kernel: 255 * (kernel > 0),), "pixels go from 0 to 1"),
        (lambda: (lambda kernel: torch.ones(3, 3),), "for every pixel alone"),
        (lambda: ("white",), "should be a function"),
        (lambda: (lambda kernel: "white",), "should hold numbers"),
        (lambda: (lambda kernel: kernel.best(),), "AttributeError"),
    ],
    "activations/dead": [
        (lambda: (lambda maps: (maps[0].amax(dim=(1, 2)) == 0).nonzero().ravel(),), "ALL images"),
        (lambda: (lambda maps: (peaks(maps) < 0.01).nonzero().ravel(),), "Faint is not dead"),
        (lambda: (lambda maps: (maps.amin(dim=(0, 2, 3)) == 0).nonzero().ravel(),), "zero at every place"),
        (lambda: (lambda maps: (peaks(maps) > 0).nonzero().ravel(),), "These are the living"),
        (lambda: (lambda maps: peaks(maps) == 0,), "not a mask"),
        (lambda: (lambda maps: int((peaks(maps) == 0).sum()),), "not how many"),
        (lambda: (lambda maps: [],), "Mind the axes"),
        (lambda: (lambda maps: (maps.amax(dim=(1, 2, 3)) == 0).nonzero().ravel(),), "Mind the axes"),
        (lambda: (lambda maps: (maps.amin(dim=(0, 2, 3)) == 0).nonzero().ravel()[::-1],), "ValueError"),
        (lambda: (3,), "should be a function"),
    ],
    "activations/window": [
        (lambda: (lambda image, r, c: image[r : r + 3, c : c + 3],), "sees of the pooled maps"),
        (lambda: (lambda image, r, c: image[r : r + 8, c : c + 8],), "two pixels apart"),
        (lambda: (lambda image, r, c: image[2 * r : 2 * r + 6, 2 * c : 2 * c + 6],), "one pixel on either side"),
        (lambda: (lambda image, r, c: image[2 * c : 2 * c + 8, 2 * r : 2 * r + 8],), "swapped row and column"),
        (lambda: (lambda image, r, c: image[2 * r : 2 * r + 8, 2 * c : 2 * c + 8].T,), "transposed"),
        (lambda: (lambda image, r, c: image[2 * r + 1 : 2 * r + 9, 2 * c + 1 : 2 * c + 9],), "place is not"),
        (lambda: (lambda image, r, c: image,), "Go down from the unit"),
        (lambda: (lambda image, r, c: image[r, c],), "Go down from the unit"),
    ],
    "activations/blind": [
        (lambda: (network(), six(), [0]), "It still says 6"),
        (lambda: (network(), six(), list(range(64))), f"more than {BUDGET}"),
        (lambda: (network(), six(), [64, 3]), "from 0 to 63"),
        (lambda: (network(), six(), []), "from 0 to 63"),
        (lambda: (network(), six(), torch.ones(64, dtype=torch.bool)), "not a mask"),
        (lambda: (network(), six(), ["loud"]), "should hold numbers"),
    ],
}
CASES = [(key, i) for key, answers in WRONG.items() for i in range(len(answers))]


@pytest.mark.parametrize(("key", "i"), CASES)
def test_a_mistake_gets_its_hint(key, i):
    answers, words = WRONG[key][i]
    verdict = check(key, *answers())
    assert verdict.status == "wrong", verdict
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    "answer",
    [
        lambda kernel: (kernel >= 0).float(),  # a weight of exactly zero does not care
        lambda kernel: np.where(kernel.numpy() > 0, 1.0, 0.0),
        lambda kernel: (kernel > 0).int(),
        lambda kernel: kernel > 0,
    ],
)
def test_every_best_patch_is_accepted(answer):
    assert check("activations/best-patch", answer).status == "right"


@pytest.mark.parametrize(
    "answer",
    [
        lambda maps: np.flatnonzero(maps.numpy().max(axis=(0, 2, 3)) == 0),
        lambda maps: [c for c in range(maps.shape[1]) if not maps[:, c].any()],
        lambda maps: {c for c in range(maps.shape[1]) if not maps[:, c].any()},
        lambda maps: list(reversed([c for c in range(maps.shape[1]) if maps[:, c].sum() == 0])),
    ],
)
def test_dead_channels_in_any_form_and_order(answer):
    assert check("activations/dead", answer).status == "right"


def test_patches_as_arrays_and_with_a_channel_axis():
    def patch_of(image, row, column):
        return image.numpy()[None, 2 * row : 2 * row + 8, 2 * column : 2 * column + 8]

    assert check("activations/window", patch_of).status == "right"


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
    assert vectors[9] @ vectors[24] < -0.7, "9 and 24 are near opposites"
    vertical = torch.as_tensor(kernels.get("vertical edges")).flatten()
    cosine = vectors @ (vertical / vertical.norm())
    assert cosine.argmax() == 9
    assert cosine.max() > 0.97


def test_nobody_listens_to_dead_maps():
    listened_to = network().features.conv2.weight.detach().norm(dim=(2, 3)).mean(0)
    assert sorted(listened_to.argsort()[:3].tolist()) == [22, 28, 29]


@pytest.mark.parametrize("channel", [10, 50, 61])
def test_three_second_layer_channels_are_silent_on_the_six(channel):
    assert activations(network(), six(), "features.relu2")["features.relu2"][0, channel].max() == 0
