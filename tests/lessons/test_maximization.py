"""Plausible wrong answers and the hints they earn, and its tools."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import data
from helpers.inside import maximize
from helpers.network import checkpoints, running


def gradient_of(score, *, turn=lambda g: g):
    def slope(model, x, c):
        x = x.clone().requires_grad_()
        return turn(torch.autograd.grad(score(model(x), c), x)[0])

    return slope


def logit(y, c):
    return y[0, c]


def backward(model, x, c):
    x = x.clone().requires_grad_()
    model(x)[0, c].backward()
    return x.grad


def backward_to_the_image(model, x, c):
    x.requires_grad_()
    model(x)[0, c].backward(inputs=[x])
    return x.grad.numpy()


def backward_and_clear(model, x, c):
    x = x.clone().requires_grad_()
    model(x).gather(1, torch.tensor([[c]])).sum().backward()
    model.zero_grad()
    return x.grad


def precise(model, x, c):
    model, x = copy.deepcopy(model).double(), x.double().requires_grad_()
    one_hot = F.one_hot(torch.tensor([c]), 10).double()
    return torch.autograd.grad(model(x), x, one_hot)[0]


def jacobian(model, x, c):
    return torch.func.jacrev(model)(x)[0, c]


def measured(model, x, c, dp=1e-5):
    model, x = copy.deepcopy(model).double(), x.double()
    steps = dp * torch.eye(784).double().view(784, 1, 28, 28)
    with torch.no_grad():
        return ((model(x + steps) - model(x - steps))[:, c] / (2 * dp)).view(1, 1, 28, 28)


def frozen(model, x, c):
    model.requires_grad_(False)
    x = x.clone().requires_grad_()
    model(x)[0, c].backward()
    return x.grad


def zeroed(function):
    def changes(model, *rest):
        answer = function(model, *rest)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        return answer

    return changes


def in_training_mode(function):
    def changes(model, *rest):
        model.train()
        return function(model, *rest)

    return changes


def climbed(w, lam):
    x = torch.zeros_like(w)
    for _ in range(200):
        x = x + 0.9 / (2 * lam) * (w - 2 * lam * x)
    return x


def top_in_place(w, lam):
    return w.div_(2 * lam)


def step(away=False, keep=(0, 1), sign=True, score=None, klass=None, size=None):
    def make_it_say(model, x, goal, epsilon):
        moving = x.clone().requires_grad_()
        goals = torch.full((len(x),), goal if klass is None else klass)
        loss = F.cross_entropy(model(moving), goals) if score is None else score(model(moving), goals)
        (gradient,) = torch.autograd.grad(loss, moving)
        move = (epsilon if size is None else size) * (gradient.sign() if sign else gradient)
        moved = x + move if away else x - move
        return moved if keep is None else moved.clamp(*keep)

    return make_it_say


def softmax_twice(z, goals):
    return F.cross_entropy(z.softmax(1), goals)


def logit_down(z, goals):
    return -z[range(len(z)), goals].sum()


def every_pixel_moves(model, x, goal, epsilon):
    leaf = x.double().requires_grad_()
    loss = F.cross_entropy(copy.deepcopy(model).double()(leaf), torch.full((len(x),), goal))
    (gradient,) = torch.autograd.grad(loss, leaf)
    return torch.clip(leaf - epsilon * torch.where(gradient > 0, 1.0, -1.0), 0, 1)  # requires grad


def one_image_at_a_time(model, x, goal, epsilon):
    found = []
    for image in x:
        leaf = image[None].clone().requires_grad_()
        chance = model(leaf).softmax(1)[0, goal]
        (gradient,) = torch.autograd.grad(chance, leaf)  # its signs are those of its logarithm, −loss
        found.append(np.clip(image.numpy() + epsilon * np.sign(gradient[0].numpy()), 0, 1))
    return np.stack(found)


def log_softmax_up(model, x, goal, epsilon):
    leaf = x.clone().requires_grad_()
    model(leaf).log_softmax(1)[:, goal].sum().backward(inputs=[leaf])
    return (leaf.detach() + epsilon * leaf.grad.sign()).clamp(0, 1).tolist()


def only_the_first(model, x, goal, epsilon):
    return torch.cat([step()(model, x[:1], goal, epsilon), x[1:]])


def ten_small_steps(model, x, goal, epsilon):
    for _ in range(10):
        x = step()(model, x, goal, epsilon / 10)
    return x


def unread_pixels_wander(model, x, goal, epsilon):
    moved = step()(model, x, goal, epsilon)
    moved[..., 26:, :] = 1 - x[..., 26:, :]
    return moved


def step_in_place(model, x, goal, epsilon):
    x -= x - step()(model, x, goal, epsilon)
    return x


def step_by_backward(model, x, goal, epsilon):
    leaf = x.clone().requires_grad_()
    F.cross_entropy(model(leaf), torch.full((len(x),), goal)).backward()
    return (x - epsilon * leaf.grad.sign()).clamp(0, 1)


def down(i):
    return i[1:] - i[:-1]


def right(i):
    return i[:, 1:] - i[:, :-1]


def variation_loop(image):
    height, width = image.shape
    total = 0.0
    for r in range(height):
        for c in range(width):
            if r + 1 < height:
                total += abs(image[r + 1, c].item() - image[r, c].item())
            if c + 1 < width:
                total += abs(image[r, c + 1].item() - image[r, c].item())
    return total


def variation_convolved(image):
    x, kernel = image[None, None], torch.tensor([-1.0, 1.0])
    return (F.conv2d(x, kernel.view(1, 1, 2, 1)).abs().sum() + F.conv2d(x, kernel.view(1, 1, 1, 2)).abs().sum())[None]


def variation_in_place(image):
    image -= image.mean()
    return down(image).abs().sum() + right(image).abs().sum()


def silent(function):
    def computes(*arguments):
        function(*arguments)

    return computes


def raises(*_):
    return undefined_name  # noqa: F821


RIGHT = {
    "maximization/slope": [
        lambda: (gradient_of(logit),),
        lambda: (backward_to_the_image,),
        lambda: (backward_and_clear,),
        lambda: (precise,),
        lambda: (jacobian,),
        lambda: (measured,),
    ],
    "maximization/top-of-the-hill": [
        lambda: (lambda w, lam: w / (2 * lam),),
        lambda: (lambda w, lam: 0.5 * w / lam,),
        lambda: (lambda w, lam: w.numpy().astype(float) / lam / 2,),
        lambda: (lambda w, lam: [[pixel / (lam + lam) for pixel in row] for row in w.tolist()],),
        lambda: (climbed,),
    ],
    "maximization/total-variation": [
        lambda: (lambda i: down(i).abs().sum() + right(i).abs().sum(),),
        lambda: (variation_loop,),
        lambda: (variation_convolved,),
        lambda: (lambda i: np.abs(np.diff(i, axis=0)).sum() + np.abs(np.diff(i, axis=1)).sum(),),
        lambda: (lambda i: i.double().diff(dim=0).norm(1) + i.double().diff(dim=1).norm(1),),
        lambda: (lambda i: maximize.total_variation(i[None, None]),),
    ],
    "maximization/make-it-say": [
        lambda: (step(),),
        lambda: (step(score=lambda z, goals: F.cross_entropy(z, goals, reduction="sum")),),
        lambda: (step(score=lambda z, goals: F.nll_loss(z.log_softmax(1), goals)),),
        lambda: (every_pixel_moves,),
        lambda: (one_image_at_a_time,),
        lambda: (log_softmax_up,),
    ],
}

WRONG = {
    "maximization/slope": [
        (lambda: (gradient_of(lambda y, c: y.softmax(1)[0, c]),), "gradient of the probability"),
        (lambda: (gradient_of(lambda y, c: y.log_softmax(1)[0, c]),), "logarithm"),
        (lambda: (gradient_of(lambda y, c: F.cross_entropy(y, torch.tensor([c]))),), "gradient of the loss"),
        (lambda: (gradient_of(lambda y, c: y.sum()),), "all ten logits"),
        (lambda: (gradient_of(lambda y, c: y.max()),), "largest logit"),
        (lambda: (gradient_of(lambda y, c: y[0, 3]),), "logit 3"),
        (lambda: (gradient_of(lambda y, c: y[0, c] ** 2),), "squared"),
        (lambda: (gradient_of(logit, turn=torch.abs),), "keep the sign"),
        (lambda: (gradient_of(logit, turn=torch.neg),), "uphill is plus"),
        (lambda: (gradient_of(logit, turn=torch.relu),), "negative part"),
        (lambda: (gradient_of(logit, turn=torch.sign),), "sign alone"),
        (lambda: (gradient_of(logit, turn=lambda g: g / g.norm()),), "Do not scale"),
        (lambda: (gradient_of(logit, turn=lambda g: 3 * g),), "Not the gradient"),
        (lambda: (gradient_of(logit, turn=lambda g: g.transpose(2, 3)),), "Not the gradient"),
        (lambda: (lambda m, x, c: x * gradient_of(logit)(m, x, c),), "gradient × input"),
        (lambda: (gradient_of(logit, turn=lambda g: (g,)),), "first element"),
        (lambda: (gradient_of(logit, turn=lambda g: g[0, 0]),), "shape"),
        (lambda: (gradient_of(logit, turn=lambda g: g / 0),), "NaN"),
        (lambda: (lambda m, x, c: m(x)[0, c],), "shape"),
        (lambda: (backward,), "leaves gradients in the network"),
        (lambda: (frozen,), "frozen"),
        (lambda: (zeroed(gradient_of(logit)),), "changed the weights"),
        (lambda: (in_training_mode(gradient_of(logit)),), "training mode"),
        (lambda: (silent(gradient_of(logit)),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "maximization/top-of-the-hill": [
        (lambda: (lambda w, lam: w / lam,), "a 2 missing"),
        (lambda: (lambda w, lam: w,), "Where does λ come in"),
        (lambda: (lambda w, lam: w / 2,), "Where does λ come in"),
        (lambda: (lambda w, lam: w / 0.6,), "Solve for x"),
        (lambda: (lambda w, lam: 2 * lam * w,), "Upside down"),
        (lambda: (lambda w, lam: w / 2 * lam,), "λ belongs below"),
        (lambda: (lambda w, lam: w - 2 * lam,), "do not subtract"),
        (lambda: (lambda w, lam: w - 2 * lam * w,), "slope at x = w"),
        (lambda: (lambda w, lam: -w / (2 * lam),), "turned around"),
        (lambda: (lambda w, lam: w.abs() / (2 * lam),), "Keep the sign"),
        (lambda: (lambda w, lam: (w / (2 * lam)).clamp(0, 1),), "No clamp"),
        (lambda: (lambda w, lam: w.sign(),), "clamped"),
        (lambda: (lambda w, lam: (w / (2 * lam)).int(),), "whole"),
        (lambda: (lambda w, lam: w // (2 * lam),), "whole"),
        (lambda: (lambda w, lam: w**2 / (2 * lam),), "Solve for x"),
        (lambda: (lambda w, lam: w.sum() / (2 * lam),), "shape"),
        (lambda: (lambda w, lam: w / (2 * lam) * torch.nan,), "NaN"),
        (lambda: (lambda w, lam: w / 0,), "infinity"),
        (lambda: (lambda w, lam: "w / (2 * lam)",), "a string"),
        (lambda: (top_in_place,), "changed its argument `w`"),
        (lambda: (silent(climbed),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "maximization/total-variation": [
        (lambda: (lambda i: (down(i) ** 2).sum() + (right(i) ** 2).sum(),), "use `abs`"),
        (lambda: (lambda i: down(i).abs().sum(),), "to the right are missing"),
        (lambda: (lambda i: right(i).abs().sum(),), "downward are missing"),
        (lambda: (lambda i: down(i).sum() + right(i).sum(),), "cancel"),
        (lambda: (lambda i: (down(i).sum() + right(i).sum()).abs(),), "cancel"),
        (lambda: (lambda i: down(i).relu().sum() + right(i).relu().sum(),), "rises alone"),
        (lambda: (lambda i: (i - i.roll(1, 0)).abs().sum() + (i - i.roll(1, 1)).abs().sum(),), "wraps around"),
        (lambda: (lambda i: down(i)[:, :-1].abs().sum() + right(i)[:-1].abs().sum(),), "do not cut both axes"),
        (lambda: (lambda i: (i[2:] - i[:-2]).abs().sum() + (i[:, 2:] - i[:, :-2]).abs().sum(),), "the next one"),
        (lambda: (lambda i: 2 * down(i).abs().sum() + 2 * right(i).abs().sum(),), "counts once"),
        (lambda: (lambda i: down(i).abs().sum() - right(i).abs().sum(),), "do not subtract"),
        (lambda: (lambda i: down(i).abs().sum() * right(i).abs().sum(),), "each pair of pixels once"),
        (lambda: (lambda i: down(i).abs().sum() + down(i).abs().sum(),), "each pair of pixels once"),
        (lambda: (lambda i: down(i).abs(),), "sum it up"),
        (lambda: (lambda i: (down(i).abs().sum(), right(i).abs().sum()),), "one number"),
        (lambda: (lambda i: down(i).abs().mean() + right(i).abs().mean(),), "not the mean"),
        (lambda: (lambda i: float("nan"),), "NaN"),
        (lambda: (lambda i: "12.5",), "quotation marks"),
        (lambda: (variation_in_place,), "changed its argument `image`"),
        (lambda: (silent(variation_loop),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "maximization/make-it-say": [
        (lambda: (step(away=True),), "moves away"),
        (lambda: (maximize.fgsm,), "moves away"),
        (lambda: (step(keep=None),), "clamp"),
        (lambda: (step(keep=(0, None)),), "above 1"),
        (lambda: (step(keep=(None, 1)),), "negative"),
        (lambda: (step(sign=False),), "take the sign"),
        (lambda: (step(klass=8),), "whatever the goal is"),
        (lambda: (step(klass=3),), "whatever the goal is"),
        (lambda: (step(score=softmax_twice),), "no softmax before it"),
        (lambda: (step(score=logit_down),), "climbs the logit"),
        (lambda: (step(score=lambda z, goals: z.logsumexp(1).sum()),), "Not x − ε"),
        (lambda: (step(size=0.1),), "always move by 0.1"),
        (lambda: (step(size=0.05),), "Not x − ε"),
        (lambda: (ten_small_steps,), "Not x − ε"),
        (lambda: (only_the_first,), "Only the first image"),
        (lambda: (unread_pixels_wander,), "no further"),
        (lambda: (lambda m, x, g, e: x.clone(),), "Nothing has moved"),
        (lambda: (lambda m, x, g, e: step()(m, x, g, e)[0],), "shape"),
        (lambda: (lambda m, x, g, e: step()(m, x, g, e) * torch.nan,), "NaN"),
        (lambda: (step_in_place,), "changed its argument `x`"),
        (lambda: (step_by_backward,), "leaves gradients"),
        (lambda: (zeroed(step()),), "changed the weights"),
        (lambda: (in_training_mode(step()),), "training mode"),
        (lambda: (lambda m, x, g, e: step()(m.requires_grad_(False), x, g, e),), "frozen"),
        (lambda: (silent(step()),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# What the predictions say ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """Images and labels of the test set that the lesson uses."""
    mnist = data.load("mnist").torch()
    if not mnist.real:
        pytest.skip("the figures are those of the real MNIST")
    return mnist.test


@pytest.fixture(scope="module")
def trained():
    return checkpoints.load("mnist")


def test_a_real_3_gets_about_15_a_climb_by_the_rules_about_30_and_the_plain_one_far_more(trained, digits):
    threes = digits.images[digits.labels == 3]
    assert running.predict(trained, threes)[:, 3].mean().item() == pytest.approx(15, abs=1)
    rules = {"l2": 0.02, "variation": 0.05, "jitter": 2, "blur": 0.1}
    assert maximize.class_images(trained, steps=150, **rules).scores[3].item() == pytest.approx(30, abs=3)
    torch.manual_seed(0)
    start = image = 0.1 * torch.rand(1, 1, 28, 28)
    for _ in range(200):
        image = image + 0.3 * gradient_of(logit)(trained, image, 3)
    assert trained(image)[0, 3] > 500  # "several hundred or more"
    assert image.max() > 50
    assert image.min() < -50
    changed = (image != start)[0, 0]
    assert changed[:26, :26].all()
    assert not changed[26:].any()
    assert not changed[:, 26:].any()


def test_random_signs_do_little_harm_and_chosen_ones_push_hundreds_of_pixels(trained, digits):
    images, labels = digits.images[:300], digits.labels[:300]
    toward = maximize.direction(trained, images, labels)
    chance = torch.randint(0, 2, toward.shape, generator=torch.Generator().manual_seed(0)) * 2.0 - 1
    chosen, random = (running.accuracy(trained, ((images + 0.3 * way).clamp(0, 1), labels)) for way in (toward, chance))
    assert random > 0.9
    assert chosen < 0.15
    assert 500 < (toward != 0).float().sum((1, 2, 3)).mean() < 784
