"""Plausible wrong answers and the hints they earn, and its tools."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers.exercises import check
from helpers.explorers.ascent import AscentExplorer
from helpers.explorers.attack import AttackExplorer
from helpers.inside import maximize
from helpers.network.models import ConvNet


def gradient_of(score, *, turn=lambda g: g):
    def slope(model, x, c):
        x = x.clone().requires_grad_()
        return turn(torch.autograd.grad(score(model(x), c), x)[0])

    return slope


def backward(model, x, c):
    x = x.clone().requires_grad_()
    model(x)[0, c].backward()
    return x.grad


def step(away=False, keep=True, sign=True, klass=None):
    def make_it_say(model, x, goal, epsilon):
        x = x.clone().requires_grad_()
        loss = F.cross_entropy(model(x), torch.full((len(x),), goal if klass is None else klass), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
        move = epsilon * (gradient.sign() if sign else gradient)
        moved = x + move if away else x - move
        return (moved.clamp(0, 1) if keep else moved).detach()

    return make_it_say


def down(i):
    return i[1:] - i[:-1]


def right(i):
    return i[:, 1:] - i[:, :-1]


WRONG = {
    "maximization/slope": [
        (lambda: (gradient_of(lambda y, c: y.softmax(1)[0, c]),), "gradient of the probability"),
        (lambda: (gradient_of(lambda y, c: F.cross_entropy(y, torch.tensor([c]))),), "gradient of the loss"),
        (lambda: (gradient_of(lambda y, c: y.sum()),), "all ten logits"),
        (lambda: (gradient_of(lambda y, c: y[0, c], turn=torch.abs),), "keep the sign"),
        (lambda: (gradient_of(lambda y, c: y[0, c], turn=torch.neg),), "uphill is plus"),
        (lambda: (gradient_of(lambda y, c: y[0, c], turn=lambda g: (g,)),), "first element"),
        (lambda: (gradient_of(lambda y, c: y[0, c], turn=lambda g: g[0, 0]),), "shape of the image"),
        (lambda: (backward,), "every weight"),
        (lambda: (lambda m, x, c: m(x)[0, c],), "shape of the image"),
    ],
    "maximization/top-of-the-hill": [
        (lambda: (lambda w, lam: w / lam,), "a 2 missing"),
        (lambda: (lambda w, lam: w,), "Where does λ come in"),
        (lambda: (lambda w, lam: 2 * lam * w,), "Upside down"),
        (lambda: (lambda w, lam: -w / (2 * lam),), "bottom of the valley"),
        (lambda: (lambda w, lam: w.sign(),), "clamped"),
        (lambda: (lambda w, lam: w.sum() / (2 * lam),), "as many pixels as weights"),
    ],
    "maximization/total-variation": [
        (lambda: (lambda i: (down(i) ** 2).sum() + (right(i) ** 2).sum(),), "use `abs`"),
        (lambda: (lambda i: down(i).abs().sum(),), "to the right are missing"),
        (lambda: (lambda i: right(i).abs().sum(),), "downward are missing"),
        (lambda: (lambda i: down(i).sum() + right(i).sum(),), "cancel"),
        (lambda: (lambda i: (i - i.roll(1, 0)).abs().sum() + (i - i.roll(1, 1)).abs().sum(),), "wraps around"),
        (lambda: (lambda i: down(i).abs(),), "one number"),
        (lambda: (lambda i: down(i).abs().mean() + right(i).abs().mean(),), "not the mean"),
    ],
    "maximization/make-it-say": [
        (lambda: (step(away=True),), "moves away"),
        (lambda: (step(keep=False),), "clamp"),
        (lambda: (step(sign=False),), "take the sign"),
        (lambda: (step(klass=3),), "Not x − ε"),
        (lambda: (lambda m, x, g, e: x[0],), "shape of the image"),
    ],
}


def test_the_library_step_away_from_the_truth_is_not_the_step_toward_a_goal():
    verdict = check("maximization/make-it-say", lambda m, x, g, e: maximize.fgsm(m, x, g, e))
    assert verdict.status == "wrong"
    assert "moves away" in verdict.message


@pytest.fixture
def network():
    torch.manual_seed(0)
    return ConvNet().eval()


def pixels(explorer):
    return explorer.image.value


def test_the_ascent_explorer_redraws_for_every_control(network):
    climbs = {name: maximize.class_images(network, steps=6, frames=4, seed=i) for i, name in enumerate("ab")}
    tool = AscentExplorer(climbs, tuple("0123456789"))
    for name, value in (("frame", 1), ("rule", "a"), ("shown", 7)):
        before = pixels(tool)
        tool.set(**{name: value})
        assert pixels(tool) != before, name


def test_the_ascent_explorer_says_that_it_needs_frames(network):
    with pytest.raises(ValueError, match="frames"):
        AscentExplorer({"a": maximize.class_images(network, steps=1)}, tuple("0123456789"))


def test_the_attack_explorer_shows_what_the_network_says(network):
    chance = np.random.default_rng(0)
    images, labels = chance.random((3, 1, 28, 28), dtype=np.float32), np.array([1, 2, 3])
    tool = AttackExplorer(network, images, labels, range(10), epsilon=0.0)
    clean = network(torch.from_numpy(images[:1])).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars] == pytest.approx(clean.tolist(), abs=1e-6)
    tool.set(epsilon=0.3)
    attacked = network(maximize.fgsm(network, images[:1], labels[:1], 0.3)).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars] == pytest.approx(attacked.tolist(), abs=1e-5)
    assert attacked[1] < clean[1]
    before = pixels(tool)
    tool.set(noise="random")
    assert pixels(tool) != before
