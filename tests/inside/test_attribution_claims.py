"""What the lessons say about the methods, on the shipped network: figures, not formulas.

A second network is trained here. Who finds a planted shortcut is in tests/lessons/test_shortcuts.py.
"""

import pytest
import torch

from helpers import data
from helpers.inside import attribution as at
from helpers.inside import faithfulness
from helpers.network import checkpoints, running, training
from helpers.network.models import ConvNet

METHODS = {
    "signed gradient": lambda model, x, y: at.saliency(model, x, y, signed=True),
    "guided backpropagation": at.guided_backprop,
    "input times gradient": lambda model, x, y: at.gradient_times_input(model, x, y).abs(),
    "integrated gradients": lambda model, x, y: at.integrated_gradients(model, x, y).abs(),
    "occlusion": lambda model, x, y: torch.stack(
        [at.occlusion(model, i, incremental=True).maps[c] for i, c in zip(x, y, strict=True)]
    ),
}


@pytest.fixture(scope="module")
def digits():
    digits = data.load("mnist").torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    return digits


@pytest.fixture(scope="module")
def model(digits):
    return checkpoints.load("mnist")


@pytest.fixture(scope="module")
def maps(digits, model):
    """Mean rank correlation with the trained network's maps, on the ink and everywhere, for each method.

    "random": the same network with a new classifier; "second": another one, trained on its own.
    """
    x, y = digits.test.images[:30], digits.test.labels[:30]
    torch.manual_seed(7)
    second = ConvNet()
    training.fit(second, digits.train[:12000], epochs=2, bar=False, seed=7)
    assert running.accuracy(second, digits.test[:1000]) > 0.97
    ink, result = faithfulness.ink(x), {}
    for name, method in METHODS.items():
        trained = method(model, x, y)
        others = {f"random {s}": faithfulness.randomize(model, "classifier", seed=s) for s in range(2)}
        for other, network in {**others, "second": second}.items():
            again = method(network, x, y)
            for where, mask in (("ink", ink), ("all", None)):
                result[name, other, where] = faithfulness.rank_correlation(trained, again, mask).nanmean().item()
        for where in ("ink", "all"):
            result[name, "random", where] = sum(result[name, f"random {s}", where] for s in range(2)) / 2
    return result


@pytest.mark.parametrize("name", ["signed gradient", "occlusion"])
def test_maps_of_a_network_without_knowledge_share_little_with_the_trained_ones(maps, name):
    assert abs(maps[name, "random", "ink"]) < 0.25
    assert maps[name, "second", "ink"] > maps[name, "random", "ink"] + 0.3


def test_guided_backpropagation_hardly_notices_that_the_classifier_is_gone(maps):
    assert maps["guided backpropagation", "random", "ink"] > 0.7
    assert maps["guided backpropagation", "random", "ink"] > maps["guided backpropagation", "second", "ink"] - 0.05


def test_two_networks_trained_independently_agree_about_what_a_mask_costs(maps):
    assert 0.65 < maps["occlusion", "second", "ink"] < 0.9


@pytest.mark.parametrize("name", ["input times gradient", "integrated gradients"])
def test_on_all_pixels_the_black_background_fakes_agreement(maps, name):
    assert maps[name, "random", "all"] > 0.95
    assert maps[name, "random", "ink"] < 0.6


def test_integrated_gradients_account_for_the_score_within_one_percent(digits, model):
    x, y = digits.test.images[:30], digits.test.labels[:30]
    found = at.completeness(model, x, at.integrated_gradients(model, x, y), y)
    assert (found.error.abs() / found.difference.abs()).max() < 0.01
    plain = at.completeness(model, x, at.gradient_times_input(model, x, y), y)
    assert (plain.error.abs() / plain.difference.abs()).median() > 0.02, "the biases are missing there"


def test_a_map_of_probabilities_is_blank_where_the_logits_speak(digits, model):
    small = []
    for x, y in zip(digits.test.images[:40], digits.test.labels[:40], strict=True):
        seen = at.occlusion(model, x, incremental=True)
        small.append(((seen.probabilities[..., y] - seen.base.softmax(0)[y]).abs() < 0.01).float().mean())
    assert 0.6 < torch.stack(small).mean() < 0.9


def test_occlusion_equals_captum_on_the_trained_network(digits, model):
    from captum.attr import Occlusion

    for (size, stride), x in zip(
        [(7, 1), (7, 3), (7, 4), (7, 7), (6, 5), (5, 2), (8, 8)], digits.test.images, strict=False
    ):
        theirs = Occlusion(model).attribute(
            x[None], (1, size, size), (1, stride, stride), target=None, perturbations_per_eval=64
        )[:, 0]
        for incremental in (False, True):
            ours = at.occlusion(model, x, size, stride, incremental=incremental).maps
            torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_deleting_what_a_map_calls_important_lowers_the_score_first(digits, model):
    x, y = digits.test.images[:60], digits.test.labels[:60]
    noise = torch.rand(60, 28, 28, generator=torch.Generator().manual_seed(0)) * faithfulness.ink(x)
    area = {}
    for name, ranking in {
        "integrated": at.integrated_gradients(model, x, y),
        "absolute gradient": at.saliency(model, x, y),
        "random ink": noise,
    }.items():
        area[name] = faithfulness.deletion(model, x, ranking, y, until=0.1, steps=10).logits.mean().item()
    assert area["integrated"] < area["absolute gradient"]
    assert area["integrated"] < area["random ink"] - 1
