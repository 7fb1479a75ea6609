"""Gradient ascent on pixels: closed forms of a linear network, Captum's FGSM, and the network left as it was."""

import pytest
import torch
from captum.robust import FGSM
from torch import nn
from torch.nn import functional as F

from helpers.inside import maximize
from helpers.network.models import ConvNet


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 4)).double()


@pytest.fixture
def network():
    torch.manual_seed(1)
    return ConvNet().eval()


def test_a_linear_class_with_a_norm_penalty_ends_at_its_closed_form(linear):
    found = maximize.class_images(linear, size=6, steps=2000, lr=0.005, l2=0.5, clamp=None)
    assert torch.allclose(found.images.flatten(1), linear[1].weight, atol=1e-3)  # max of w·x − λ‖x‖² is w / 2λ


def test_clamped_to_the_data_range_every_pixel_is_black_or_white_where_the_weight_says_so(linear):
    found = maximize.class_images(linear, [2], size=6, steps=300, lr=0.05)
    assert torch.equal(found.images.flatten(), (linear[1].weight[2] > 0).double())


def test_a_batch_climbs_as_its_images_do_alone(network):
    options = {"steps": 5, "l2": 0.02, "variation": 0.05, "jitter": 2, "blur": 0.1}
    together = maximize.class_images(network, [3, 8], start=maximize.faint_noise(2), **options)
    for i, one in enumerate([3, 8]):
        alone = maximize.class_images(network, [one], start=maximize.faint_noise(2)[i : i + 1], **options)
        assert torch.allclose(together.images[i], alone.images[0], atol=1e-5)


def test_the_record_of_the_climb(network):
    seen = []
    found = maximize.class_images(network, steps=12, frames=4, watch=lambda step, images: seen.append(step))
    assert seen == list(range(1, 13))
    assert found.steps == [0, 4, 8, 12]
    assert found.frames.shape == (4, 10, 1, 28, 28)
    assert torch.equal(found.frames[-1], found.images)
    assert found.history.shape == (13, 10)
    assert torch.equal(found.history[-1], found.scores)
    assert (found.scores > found.history[0]).all()
    assert torch.allclose(found.scores, network(found.images).diagonal(), atol=1e-5)


def test_with_jitter_the_record_is_of_the_images_as_they_lie(network):
    found = maximize.class_images(network, steps=6, frames=7, jitter=2)
    for step, images in zip(found.steps, found.frames, strict=True):
        with torch.no_grad():
            assert torch.allclose(found.history[step], network(images).diagonal(), atol=1e-5)


def test_a_filter_of_the_first_layer_wants_its_own_weights_as_a_pattern():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Conv2d(1, 3, 3, bias=False), nn.Flatten(), nn.LazyLinear(2))
    layer(torch.zeros(1, 1, 3, 3))
    found = maximize.filter_images(
        layer, "0", size=3, steps=200
    )  # one window: the best image is where the weight is > 0
    assert torch.equal(found.images[:, 0], (layer[0].weight[:, 0] > 0).float())


def test_total_variation_of_a_step_is_its_length():
    image = torch.zeros(1, 1, 4, 5)
    image[..., 2:] = 1.0
    assert maximize.total_variation(image).item() == 4


def test_dream_raises_the_activations_of_a_picture_of_any_size(network):
    picture = torch.rand(1, 1, 40, 52)
    found = maximize.dream(network.features, picture, "conv2", steps=5)
    assert found.images.shape == picture.shape
    assert found.history[-1] > found.history[0]
    assert (found.images - picture).abs().max() < 5 * 0.02 * 10  # Adam's steps are about as long as `strength`


def test_fgsm_is_captums(network):
    network.double()
    x, y = torch.rand(6, 1, 28, 28, dtype=torch.double), torch.arange(6)
    attack = FGSM(network, lambda out, t: F.cross_entropy(out, t, reduction="none"), lower_bound=0, upper_bound=1)
    attack.zero_thresh = 0.0  # Captum takes gradients below 1e-6 for zero, the paper does not
    theirs = attack.perturb(x.clone().requires_grad_(), 0.1, target=y)
    assert torch.allclose(maximize.fgsm(network, x, y, 0.1), theirs, atol=1e-6)


def test_smallest_epsilon_of_a_linear_network_is_margin_over_the_norm_of_the_difference(linear):
    weights = linear[1].weight[:2].detach()
    two = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, bias=False)).double()
    two[1].weight.data = weights
    x = torch.full((1, 1, 6, 6), 0.5, dtype=torch.double)
    margin, truth = (two(x)[0, 0] - two(x)[0, 1]).abs(), two(x).argmax(1)
    wanted = margin / (weights[0] - weights[1]).abs().sum()
    found = maximize.smallest_epsilon(two, x, truth, limit=0.4, steps=4000)
    assert found.item() == pytest.approx(wanted.item(), abs=1.1e-4)


def test_smallest_epsilon_flips_and_the_step_below_does_not(network):
    x = torch.rand(20, 1, 28, 28)
    truth = network(x).argmax(1)
    found = maximize.smallest_epsilon(network, x, truth, limit=0.2, steps=64)
    flips = found.isfinite()
    assert flips.any()
    for i in flips.nonzero().flatten().tolist():
        e = found[i].item()
        assert network(maximize.fgsm(network, x[i : i + 1], truth[i : i + 1], e)).argmax() != truth[i]
        assert network(maximize.fgsm(network, x[i : i + 1], truth[i : i + 1], e - 0.2 / 64)).argmax() == truth[i]
    wrong = maximize.smallest_epsilon(network, x, (truth + 1) % 10)
    assert (wrong == 0).all()


def test_many_images_are_attacked_as_few_are(network, monkeypatch):
    x, truth = torch.rand(7, 1, 28, 28), torch.arange(7)
    whole = maximize.direction(network, x, truth), maximize.smallest_epsilon(network, x, None, steps=16)
    monkeypatch.setattr(maximize, "FEW", 3)
    parts = maximize.direction(network, x, truth), maximize.smallest_epsilon(network, x, None, steps=16)
    assert (whole[0] == parts[0]).float().mean() > 0.999  # the sign of a rounding error may differ
    assert torch.equal(whole[1], parts[1])
    assert (whole[1] > 0).all()  # without a target it is the predicted class that has to change


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: maximize.class_images(m, [10]), "classes 0 to 9"),
        (lambda m: maximize.class_images(m, size=30), "does not accept"),
        (lambda m: maximize.filter_images(m, "features.conv1", [32]), "filters 0 to 31"),
        (lambda m: maximize.filter_images(m, "features.conv9"), "conv1"),
        (lambda m: maximize.class_images(m, steps=0), "at least 1"),
        (lambda m: maximize.class_images(m, blur=2), "from 0 to 1"),
        (lambda m: maximize.fgsm(m, torch.rand(1, 1, 28, 28), 3, 7), "from 0 to 1"),
    ],
)
def test_bad_input_is_named(network, call, words):
    with pytest.raises(ValueError, match=words):
        call(network)


def test_inference_mode_is_named(network):
    with torch.inference_mode(), pytest.raises(RuntimeError, match="inference_mode"):
        maximize.class_images(network)
