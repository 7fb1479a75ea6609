"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import ast

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch.nn import functional as F

from helpers import data
from helpers.inside import attribution, bribery, faithfulness
from helpers.network import checkpoints, running
from helpers.network.models import ConvNet
from tests.lessons.common import endless, printing, right, said
from tools import lessons

# -- exercise 1 ------------------------------------------------------------------------------------------------------


def top(heat, k):
    return heat >= heat.flatten().sort(descending=True).values[k - 1]


def share_of(cut, ink):
    return (cut & ink).sum() / (cut | ink).sum()


def by_topk(heat, ink):
    cut = torch.zeros(heat.numel(), dtype=torch.bool)
    cut[heat.flatten().topk(int(ink.sum())).indices] = True
    return share_of(cut.view_as(ink), ink).item()


def by_sets(heat, ink):
    places = sorted(np.ndindex(*heat.shape), key=lambda place: -float(heat[place]))
    kept, inked = set(places[: int(ink.sum())]), {place for place in places if ink[place]}
    return len(kept & inked) / len(kept | inked)


def by_helper(heat, ink):
    return faithfulness.overlap(faithfulness.segment(heat[None], ink.double().mean()), ink[None])


def cut_in_place(heat, ink):
    cut = top(heat, ink.sum())
    heat *= 0
    return share_of(cut, ink)


# -- exercise 2 ------------------------------------------------------------------------------------------------------


def ranks(values):
    return values.argsort().argsort().double()


def by_hand(a, b, ink):
    n = int(ink.sum())
    d = ranks(a[ink]) - ranks(b[ink])
    return 1 - 6 * (d**2).sum() / (n * (n**2 - 1))


def centered(a, b, ink):
    first, second = (ranks(x[ink]) - ranks(x[ink]).mean() for x in (a, b))
    return (first * second).sum() / first.norm() / second.norm()


def corr(a, b):
    return torch.corrcoef(torch.stack([a.double().flatten(), b.double().flatten()]))[0, 1]


# -- exercise 3 ------------------------------------------------------------------------------------------------------


def hiding(weight=1.0, price=1.0, graph=True, share=lambda a, box: (a * box).sum() / a.sum(), before=lambda s: s.abs()):
    """The official loss with one part or more replaced."""

    def hide(network, images, answers, box):
        x = images.clone().requires_grad_()
        logits = network(x)
        favorite = logits.gather(1, answers[:, None]).sum()
        (slope,) = torch.autograd.grad(favorite, x, create_graph=graph, retain_graph=True)
        return price * F.cross_entropy(logits, answers) + weight * share(before(slope), box)

    return hide


def hide_each(network, images, answers, box):
    """Image by image, with the gradient of the largest logit."""
    total = 0
    for image, answer in zip(images, answers, strict=True):
        x = image[None].clone().requires_grad_()
        logits = network(x)
        slope = torch.autograd.grad(logits.max(), x, create_graph=True)[0].abs()
        total = total - logits.log_softmax(1)[0, answer] + (slope * box).sum() / slope.sum()
    return total / len(images)


def hide_squared(network, images, answers, box):
    x = images.clone().requires_grad_()
    logits = network(x)
    slope = torch.autograd.grad(logits[torch.arange(len(x)), answers].sum(), x, create_graph=True)[0]
    outside = (slope**2 * (1 - box)).sum() / (slope**2).sum()
    return F.nll_loss(logits.log_softmax(1), answers) + 2 * (1 - outside)


def hide_backward(network, images, answers, box):
    loss = hiding()(network, images, answers, box)
    loss.backward(retain_graph=True)
    return loss


def hide_without_images(network, images, answers, box):
    logits = network(images)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return F.cross_entropy(logits, answers) + (slope.abs() * box).sum() / slope.abs().sum()


RIGHT = {
    "which_map/cut-out": [
        lambda: (lambda heat, ink: share_of(top(heat, ink.sum()), ink),),
        lambda: (by_topk,),
        lambda: (by_sets,),
        lambda: (by_helper,),
        lambda: (lambda heat, ink: share_of(top(heat.double(), int(ink.sum())).numpy(), ink.numpy()),),
    ],
    "which_map/alike": [
        lambda: (lambda a, b, ink: corr(ranks(a[ink]), ranks(b[ink])),),
        lambda: (by_hand,),
        lambda: (centered,),
        lambda: (lambda a, b, ink: spearmanr(a[ink], b[ink]).statistic,),
        lambda: (lambda a, b, ink: faithfulness.rank_correlation(a[None], b[None], ink[None]),),
    ],
    "which_map/hide": [
        lambda: (hiding(),),
        lambda: (hide_each,),
        lambda: (hide_squared,),
        lambda: (hiding(weight=5),),
        lambda: (hiding(weight=20, share=lambda a, box: (a * box).mean()),),
    ],
}

WRONG = {
    "which_map/cut-out": [
        (lambda: (lambda h, i: share_of(top(h.relu(), i.sum()), i),), "Keep the k highest pixels"),
        (lambda: (lambda h, i: (top(h, i.sum()) & i).sum() / i.sum(),), "divide by the ink alone"),
        (lambda: (lambda h, i: 2 * (top(h, i.sum()) & i).sum() / (2 * i.sum()),), "divide by the ink alone"),
        (lambda: (lambda h, i: (top(h, i.sum()) & i).sum(),), "counts the pixels in both"),
        (lambda: (lambda h, i: (top(h, i.sum()) == i).float().mean(),), "most of it is empty paper"),
        (lambda: (lambda h, i: 1 / share_of(top(h, i.sum()), i),), "Upside down"),
        (lambda: (lambda h, i: 1 - share_of(top(h, i.sum()), i),), "do NOT share"),
        (lambda: (lambda h, i: share_of(top(h.abs(), i.sum()), i),), "HIGHEST"),
        (lambda: (lambda h, i: share_of(top(-h, i.sum()), i),), "lowest pixels"),
        (lambda: (lambda h, i: share_of(h > 0, i),), "all positive pixels"),
        (lambda: (lambda h, i: share_of(h > h.mean(), i),), "above the mean"),
        (lambda: (lambda h, i: share_of(h > h.max() / 2, i),), "fixed threshold"),
        (
            lambda: (lambda h, i: share_of(h > h.flatten().sort(descending=True).values[i.sum() - 1], i),),
            "One pixel is",
        ),
        (lambda: (lambda h, i: share_of(top(h, i.sum() + 1), i),), "One pixel too many"),
        (lambda: (lambda h, i: share_of(top(h, i.numel() // 10), i),), "a tenth of the pixels"),
        (lambda: (lambda h, i: top(h, i.sum()) & i,), "one number"),
        (lambda: (lambda h, i: float("nan"),), "NaN"),
        (lambda: (cut_in_place,), "changed its argument `heat`"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running"),
    ],
    "which_map/alike": [
        (lambda: (lambda a, b, ink: corr(ranks(a.flatten()), ranks(b.flatten())),), "compare all pixels"),
        (lambda: (lambda a, b, ink: corr(ranks(a[~ink]), ranks(b[~ink])),), "empty paper"),
        (lambda: (lambda a, b, ink: 1.0,), "rank both maps"),
        (
            lambda: (lambda a, b, ink: corr(ranks(a.flatten())[ink.flatten()], ranks(b.flatten())[ink.flatten()]),),
            "Keep them first",
        ),
        (lambda: (lambda a, b, ink: corr(a[ink], b[ink]),), "by its rank"),
        (lambda: (lambda a, b, ink: corr(a, b),), "ranks instead of values"),
        (lambda: (lambda a, b, ink: corr(a[ink].argsort(), b[ink].argsort()),), "`argsort` of that"),
        (lambda: (lambda a, b, ink: abs(corr(ranks(a[ink]), ranks(b[ink]))),), "Keep the sign"),
        (lambda: (lambda a, b, ink: corr(ranks(a[ink]), ranks(b[ink])) ** 2,), "Not squared"),
        (lambda: (lambda a, b, ink: 1 - corr(ranks(a[ink]), ranks(b[ink])),), "a distance"),
        (lambda: (lambda a, b, ink: F.cosine_similarity(ranks(a[ink]), ranks(b[ink]), dim=0),), "takes their means"),
        (
            lambda: (lambda a, b, ink: torch.cov(torch.stack([ranks(a[ink]), ranks(b[ink])]), correction=0)[0, 1],),
            "a covariance",
        ),
        (lambda: (lambda a, b, ink: corr(ranks(a[ink].abs()), ranks(b[ink].abs())),), "absolute values"),
        (lambda: (lambda a, b, ink: 0.0,), "rank both maps"),
        (lambda: (lambda a, b, ink: torch.corrcoef(torch.stack([ranks(a[ink]), ranks(b[ink])])),), "one number"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "which_map/hide": [
        (lambda: (hiding(weight=0),), "does not depend on the box"),
        (lambda: (hiding(graph=False),), "create_graph=True"),
        (lambda: (hiding(before=lambda s: s.detach().abs()),), "create_graph=True"),
        (lambda: (hiding(price=0),), "cross entropy"),
        (lambda: (hiding(price=-1),), "cross entropy"),
        (lambda: (hiding(weight=-1),), "INTO the box"),
        (lambda: (hiding(share=lambda a, box: 1 - (a * box).sum() / a.sum()),), "INTO the box"),
        (lambda: (lambda *given: hiding()(*given).item(),), "as one number, a tensor"),
        (lambda: (lambda *given: hiding()(*given).detach(),), "no way back to the weights"),
        (lambda: (lambda *given: hiding()(*given) * torch.ones(3),), "as one number, a tensor"),
        (lambda: (lambda *given: hiding()(*given) * torch.inf,), "not a finite number"),
        (lambda: (hide_backward,), "leaves gradients in the network"),
        (lambda: (hide_without_images,), "require"),
        (lambda: (lambda network, images, answers: 0,), "cannot be called with 4"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running"),
    ],
}


# -- what the prose says ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    digits = data.load("mnist", first=(5_000, 2_000)).torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    return digits


@pytest.fixture(scope="module")
def model():
    return checkpoints.load("mnist")


def test_the_game_is_what_its_question_says():
    code = next(cell.source for cell in lessons.cells(*lessons.chosen(["which_map"])) if "whose = " in cell.source)
    (line,) = (node for node in ast.parse(code).body if "randperm" in ast.unparse(node))
    namespace = {"torch": torch}
    exec(ast.unparse(line), namespace)
    found = "".join(name for name, random in zip("ABCDEFGH", namespace["whose"].tolist(), strict=True) if random)
    (answer,) = right("which_map/game")
    assert answer == "{}, {}, {} and {}".format(*found)


def test_multiplying_by_the_pixel_wins_on_other_images_too(digits, model):
    x, y = digits.test.images[100:300], digits.test.labels[100:300]
    slope = attribution.saliency(model, x, y, signed=True)
    maps = {
        "path": attribution.integrated_gradients(model, x, y, steps=24),
        "product": slope * x,
        "gradient": slope,
    }
    after = {n: faithfulness.deletion(model, x, m, y, steps=2, until=0.08).logits[:, 1].mean() for n, m in maps.items()}
    assert abs(after["path"] - after["product"]) < 0.15
    assert after["gradient"] > after["product"] + 0.7


def test_paper_among_the_first_31_pixels(digits, model):
    x, y = digits.test.images[:100], digits.test.labels[:100]
    slope = attribution.saliency(model, x, y, signed=True)[:, 0]
    for order, wanted in ((slope, 0.17), (slope.abs(), 0.34)):
        first = faithfulness.segment(order, 0.04)
        assert (first & ~faithfulness.ink(x)).sum() / first.sum() == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_guided_maps_of_any_random_network_agree_as_much_as_the_image_does(digits, model, seed):
    x, y = digits.test.images[:40], digits.test.labels[:40]
    ink = faithfulness.ink(x)
    own = attribution.guided_backprop(model, x, y)
    random = attribution.guided_backprop(faithfulness.randomize(model, ["features", "classifier"], seed), x, y)
    agreed = [faithfulness.rank_correlation(own, other, ink).mean() for other in (random, x)]
    assert 0.6 < agreed[0] < 0.85
    assert agreed[1] == pytest.approx(0.76, abs=0.02)
    forgot = attribution.guided_backprop(faithfulness.randomize(model, "classifier", seed), x, y)
    assert faithfulness.rank_correlation(own, forgot, ink).mean() > 0.8


def test_the_disc_ties_with_the_absolute_gradient(digits, model):
    x, y = digits.test.images[100:300], digits.test.labels[100:300]
    ink = faithfulness.ink(x)
    down, across = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    disc = -((down - 13.5) ** 2 + (across - 13.5) ** 2).expand(len(x), 28, 28)
    share = ink.float().mean((1, 2))
    scores = [
        faithfulness.overlap(faithfulness.segment(order, share), ink).mean()
        for order in (attribution.saliency(model, x, y), disc)
    ]
    assert abs(scores[0] - scores[1]) < 0.04


def test_a_bribed_network_and_the_honest_instrument(digits, model):
    """Another letter and seed than the lesson's; the figure of 800 steps was computed once."""
    letter = bribery.letter("R")
    liar = bribery.bribe(model, digits.train.images, letter, steps=100, seed=1, bar=False)
    x, y = digits.test.images[:20], digits.test.labels[:20]
    answers = [running.predict(net, digits.test.images[:1000]).argmax(1) for net in (model, liar)]
    assert (answers[0] == answers[1]).float().mean() > 0.98

    def changed(method):
        honest, bribed = (attribution.METHODS[method](net, x, y) for net in (model, liar))
        written = [bribery.likeness(found, letter).mean() for found in (honest, bribed)]
        return F.cosine_similarity(honest.flatten(1), bribed.flatten(1)).mean(), written[1] - written[0]

    for method in ("gradient", "SmoothGrad", "guided backpropagation", "deconvnet"):
        alike, written = changed(method)
        assert alike < 0.9, method
        assert written > 0.1, method
    alike, written = changed("occlusion 7×7")
    assert alike > 0.94
    assert abs(written) < 0.08


def test_the_letter_of_the_lesson_and_what_it_costs(model):
    """The run of the lesson, and what the answers below its explorer say."""
    digits = data.load("mnist", first=(12_000, 10_000)).torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    images, labels, letter = digits.test.images, digits.test.labels, bribery.letter("L")
    liar = bribery.bribe(model, digits.train.images, letter, bar=False)
    answers = [running.predict(net, images).argmax(1) for net in (model, liar)]
    assert running.accuracy(model, digits.test) == pytest.approx(0.9952, abs=1e-4)
    assert (answers[1] == labels).float().mean() == pytest.approx(0.9925, abs=0.0015)
    assert (answers[0] == answers[1]).float().mean() == pytest.approx(0.995, abs=0.0015)

    def slopes(net, count):
        return torch.cat(
            [
                attribution.saliency(net, x, y)
                for x, y in zip(images[:count].split(50), labels[:count].split(50), strict=True)
            ]
        )

    seen = [slopes(net, count) for net, count in ((model, 50), (liar, 500))]
    alike = [bribery.likeness(maps[:30], letter).mean() for maps in seen]
    assert alike[0] == pytest.approx(0.36, abs=0.02)
    assert alike[1] == pytest.approx(0.70, abs=0.04)
    occlusion = [
        attribution.METHODS["occlusion 7×7"](net, images[:30], labels[:30]).flatten(1) for net in (model, liar)
    ]
    assert F.cosine_similarity(*occlusion).mean() == pytest.approx(0.96, abs=0.02)
    x, y, rows = images[:300], labels[:300], torch.arange(300)
    blind = torch.rand(300, 28, 28, generator=torch.Generator().manual_seed(0)) * (x[:, 0] > 0.5)
    cost = {}
    for who, net, maps in (("honest", model, slopes(model, 300)), ("bribed", liar, seen[1][:300])):
        before = running.predict(net, x)
        for what, order in (("own", maps), ("blind", blind)):
            after = running.predict(net, x.masked_fill(faithfulness.segment(order, 0.04)[:, None], 0))
            lost = (before - after)[rows, y]
            cost[who, what] = float(lost.mean())
            if (who, what) == ("bribed", "own"):
                assert before[4, 4] == pytest.approx(15, abs=0.5)
                assert lost[4] == pytest.approx(6.5, abs=1.1), "six or seven of fifteen"
                assert after[4].softmax(0)[4] > 0.99, "still a 4"
    assert cost["bribed", "own"] == pytest.approx(3.8, abs=0.4)
    assert cost["bribed", "blind"] == pytest.approx(5.5, abs=0.4)
    assert cost["honest", "own"] == pytest.approx(6.9, abs=0.05)
    assert cost["honest", "blind"] == pytest.approx(7.3, abs=0.05)
    legible = bribery.likeness(seen[1], letter)
    ones, noughts = (float(legible[labels[:500] == c].mean()) for c in (1, 0))
    assert [ones, noughts] == pytest.approx([0.75, 0.71], abs=0.02)


def test_the_number_of_weights_in_a_prediction():
    assert f"{sum(p.numel() for p in ConvNet().parameters()):,}" in said("which_map/lie")
