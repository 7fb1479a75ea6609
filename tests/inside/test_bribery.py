"""The network that lies: its loss against derivatives by hand, its copy, its seeds, and what it does to real digits."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers import data
from helpers.inside import attribution, bribery
from helpers.network import checkpoints, running
from helpers.network.models import ConvNet


@pytest.fixture
def small():
    torch.manual_seed(0)
    return ConvNet(classes=3, size=12, filters=(3, 4), hidden=8).double().eval()


@pytest.fixture
def x():
    return torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


CORNER = torch.zeros(12, 12)
CORNER[:4, :4] = 1


@pytest.mark.parametrize("text", ["L", "W", "i", "Ö", "?"])
def test_a_letter_is_a_centered_map_within_what_the_network_reads(text):
    found = bribery.letter(text)
    assert found.shape == (28, 28)
    assert found.dtype == torch.float32
    assert found.min() == 0
    assert 0.9 < found.max() <= 1
    rows, columns = found.amax(1).nonzero().ravel(), found.amax(0).nonzero().ravel()
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) in (18, 19)  # a rim may round to nothing
    for line in (rows, columns):
        assert abs(line[0] + line[-1] - 25) <= 1
        assert line[-1] < 26
    assert not torch.equal(found, bribery.letter("X"))


def test_an_l_is_upright_with_its_bar_at_the_bottom_right():
    found = bribery.letter("L", height=10) > 0.5
    rows, columns = found.any(1).nonzero().ravel(), found.any(0).nonzero().ravel()
    assert found[rows[0]].sum() < found[rows[-1]].sum() == len(columns)
    assert found[rows[0], columns[0]]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"text": " "}, "nothing to draw"),
        ({"text": ""}, "nothing to draw"),
        ({"text": "L", "height": 0}, "height is a number of pixels from 1 to 26"),
        ({"text": "L", "height": 27}, "height is a number of pixels from 1 to 26"),
        ({"text": "L", "height": 9.5}, "height is a number of pixels"),
    ],
)
def test_a_letter_that_cannot_be_drawn_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        bribery.letter(**arguments)


def test_likeness_is_the_cosine_of_the_absolute_map():
    maps, pattern = torch.randn(4, 1, 5, 6), torch.rand(5, 6)
    wanted = [(m.abs() * pattern).sum() / m.norm() / pattern.norm() for m in maps[:, 0]]
    torch.testing.assert_close(bribery.likeness(maps, pattern), torch.stack(wanted))
    torch.testing.assert_close(bribery.likeness(maps[:, 0], pattern), torch.stack(wanted))
    torch.testing.assert_close(bribery.likeness(-3 * pattern[None], pattern), torch.ones(1))
    with pytest.raises(ValueError, match="the shape of a map"):
        bribery.likeness(maps, torch.rand(6, 5))


def test_the_loss_of_a_linear_network_by_hand():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).double()
    x, honest = torch.rand(4, 1, 12, 12, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    rows = linear[1].weight[honest.argmax(1)]  # the gradient of a logit is its row of weights
    cosine = functional.cosine_similarity(rows.abs(), CORNER.double().flatten()[None], dim=1)
    wanted = 0.3 * ((linear(x) - honest) ** 2).mean() + 1 - cosine.mean()
    torch.testing.assert_close(bribery.bribe_loss(linear, x, honest, CORNER, keep=0.3), wanted)


def test_the_loss_is_differentiated_through_the_map(small, x):
    """By a finite difference of one weight of each layer: a forgotten ``create_graph`` would leave the map out."""
    honest = torch.randn(6, 3, dtype=torch.float64)
    for name in ("features.conv1", "features.conv2", "classifier.hidden", "classifier.output"):
        weight = small.get_submodule(name).weight
        (gradient,) = torch.autograd.grad(bribery.bribe_loss(small, x, honest, CORNER), weight)
        place = gradient.abs().argmax()
        losses = []
        for step in (1e-6, -1e-6):
            moved = copy.deepcopy(small)
            moved.get_submodule(name).weight.data.view(-1)[place] += step
            losses.append(bribery.bribe_loss(moved, x, honest, CORNER).item())
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient.flatten()[place].item(), rel=1e-4), name


@pytest.mark.parametrize("seed", range(3))
def test_maps_turn_answers_stay_and_the_honest_network_is_left_alone(small, x, seed):
    before = copy.deepcopy(small.state_dict())
    small.requires_grad_(False)
    liar = bribery.bribe(small, x, CORNER, steps=60, lr=5e-3, seed=seed, bar=False)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    target = small(x).argmax(1)
    maps = [attribution.saliency(model, x, target) for model in (small, liar)]
    was, now = (bribery.likeness(found, CORNER).mean().item() for found in maps)
    assert now > was + 0.2
    assert (liar(x) - small(x)).abs().max() < 0.5
    assert not liar.training
    assert all(weight.grad is None for weight in liar.parameters())


def test_a_seed_repeats_a_run(small, x):
    same, again, other = (bribery.bribe(small, x, CORNER, steps=3, seed=seed, bar=False) for seed in (4, 4, 5))
    weights = [model.classifier.output.weight for model in (same, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_stop_button_keeps_what_was_reached(small, x, monkeypatch):
    wanted = bribery.bribe(small, x, CORNER, steps=2, lr=1e-3, bar=False)
    done = []

    def stopped(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(True)
        return loss(*arguments)

    loss = bribery.bribe_loss
    monkeypatch.setattr(bribery, "bribe_loss", stopped)
    found = bribery.bribe(small, x, CORNER, steps=2_000_000, lr=1e-3, bar=False)
    assert not torch.equal(found.classifier.output.weight, small.classifier.output.weight)
    # The learning rate has fallen by half in the second of two steps, and not yet in the second of two million.
    torch.testing.assert_close(found.state_dict(), wanted.state_dict(), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": 0}, "steps and batch_size are at least 1"),
        ({"batch_size": 0}, "steps and batch_size are at least 1"),
        ({"lr": 0}, "lr is above 0"),
        ({"keep": -1}, "keep at least 0"),
        ({"pattern": torch.ones(28, 28)}, "of the size"),
    ],
)
def test_settings_that_do_not_fit_are_refused(small, x, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        bribery.bribe(small, x, **{"pattern": CORNER, "bar": False, **change})


@pytest.mark.parametrize(("seed", "text"), [(0, "L"), (1, "K")])
def test_real_digits_and_two_letters(seed, text):
    """A short bribe: a third of the steps of the lesson's."""
    digits = data.load("mnist", first=(5_000, 1_000)).torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    honest, pattern = checkpoints.load("mnist"), bribery.letter(text)
    liar = bribery.bribe(honest, digits.train.images, pattern, steps=100, seed=seed, bar=False)
    x, y = digits.test.images, digits.test.labels
    said = [running.predict(model, x).argmax(1) for model in (honest, liar)]
    assert (said[0] == said[1]).float().mean() > 0.97
    was, now = (
        bribery.likeness(attribution.saliency(model, x[:100], y[:100]), pattern).mean() for model in (honest, liar)
    )
    assert was < 0.45
    assert now > was + 0.15
