"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers import data
from helpers.inside import attribution, faithfulness
from helpers.inside.fields import unit_field
from helpers.network import checkpoints, hooks, running
from tests.lessons.common import printing, right, said


def one(formula):
    return lambda w, a, b: formula(w[a], w[b]).view(28, 28)


def one_by_autograd(weights, a, b):
    x = torch.zeros(1, 784, requires_grad=True)
    logits = x @ weights.T
    (gradient,) = torch.autograd.grad(logits[0, a] - logits[0, b], x)
    return gradient.reshape(28, 28)


def one_by_loop(weights, a, b):
    found = np.zeros((28, 28))
    for i in range(784):
        found[i // 28, i % 28] = float(weights[a, i]) - float(weights[b, i])
    return found


def one_in_place(weights, a, b):
    weights[a] -= weights[b]
    return weights[a].view(28, 28)


def rules(backprop=None, deconvnet=None, guided=None):
    """The right answer, with one rule or more replaced."""
    chosen = {
        "backprop": backprop or (lambda x, g: g * (x > 0)),
        "deconvnet": deconvnet or (lambda x, g: g * (g > 0)),
        "guided": guided or (lambda x, g: g * (x > 0) * (g > 0)),
    }
    return lambda x, g, rule: chosen[rule](x, g)


def rules_where(x, g, rule):
    g = torch.where(x > 0, g, 0.0) if rule != "deconvnet" else g
    return g.clamp(min=0) if rule != "backprop" else g


def rules_autograd(x, g, rule):
    if rule == "deconvnet":
        return F.relu(g)
    x = x.clone().requires_grad_()
    (back,) = torch.autograd.grad(F.relu(x), x, g)
    return back if rule == "backprop" else F.relu(back)


def rules_numpy(x, g, rule):
    x, g = x.numpy(), g.numpy().astype(float)
    gate = {"backprop": x > 0, "deconvnet": g > 0, "guided": np.logical_and(x > 0, g > 0)}[rule]
    return np.where(gate, g, 0)


def rules_in_place(x, g, rule):
    if rule != "deconvnet":
        g[x <= 0] = 0
    if rule != "backprop":
        g[g < 0] = 0
    return g


def rules_one_forgotten(x, g, rule):
    if rule == "backprop":
        return g * (x > 0)
    if rule == "deconvnet":
        return g * (g > 0)
    return None


def by_place(formula):
    return lambda maps, gradients: formula(maps, gradients, gradients.mean((1, 2), keepdim=True))


def place_loop(maps, gradients):
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for one_map, gradient in zip(maps, gradients, strict=True):
        total += gradient * one_map
    return torch.clamp(total, min=0)


def place_einsum(maps, gradients):
    return np.maximum(np.einsum("khw,khw->hw", gradients.numpy(), maps.numpy()), 0)


def pixelwise(maps, gradients):
    k, h, w = maps.shape
    return [
        [max(0.0, sum(gradients[i, r, c].item() * maps[i, r, c].item() for i in range(k))) for c in range(w)]
        for r in range(h)
    ]


def place_in_place(maps, gradients):
    maps *= gradients
    return maps.sum(0).relu()


def walk(points, finish=lambda mean, x, b, n: mean * (x - b)):
    def integrated(gradient_at, image, baseline, steps):
        found = [gradient_at(baseline + share * (image - baseline)) for share in points(steps)]
        return finish(torch.stack(found).mean(0), image, baseline, steps)

    return integrated


def middle(n):
    return (torch.arange(n) + 0.5) / n


def walk_loop(gradient_at, image, baseline, steps):
    total, step = torch.zeros_like(image), (image - baseline) / steps
    place = baseline + step / 2
    for _ in range(steps):
        total = total + gradient_at(place) * step
        place = place + step
    return total


def walk_precise(gradient_at, image, baseline, steps):
    image, baseline = image.double(), baseline.double()
    shares = np.arange(0.5, steps) / steps
    return sum(gradient_at((1 - s) * baseline + s * image) for s in shares) * (image - baseline) / steps


def walk_batch(gradient_at, image, baseline, steps):
    shares = middle(steps).view(-1, *[1] * image.ndim)
    return gradient_at(baseline + shares * (image - baseline)).mean(0) * (image - baseline)


def walk_numpy(gradient_at, image, baseline, steps):
    image, baseline = image.numpy(), baseline.numpy()
    slopes = [np.asarray(gradient_at(baseline + (i + 0.5) / steps * (image - baseline))) for i in range(steps)]
    return np.mean(slopes, axis=0) * (image - baseline)


def walk_in_place(gradient_at, image, baseline, steps):
    image -= baseline
    return sum(gradient_at(baseline + (i + 0.5) / steps * image) for i in range(steps)) / steps * image


def walk_trapezoid(gradient_at, image, baseline, steps):
    slopes = torch.stack([gradient_at(baseline + i / steps * (image - baseline)) for i in range(steps + 1)])
    return torch.trapezoid(slopes, dx=1 / steps, dim=0) * (image - baseline)


def walk_from_black(gradient_at, image, baseline, steps):
    return walk(middle)(gradient_at, image, 0 * baseline, steps)


def walk_astray(gradient_at, image, baseline, steps):
    found = [gradient_at(baseline + share * image) for share in middle(steps)]
    return torch.stack(found).mean(0) * (image - baseline)


def silent(function):
    def computes(*arguments):
        function(*arguments)

    return computes


def raises(*_):
    return undefined_name  # noqa: F821


RIGHT = {
    "saliency/one-against-another": [
        lambda: (one(torch.sub),),
        lambda: (one_by_autograd,),
        lambda: (one_by_loop,),
        lambda: (lambda w, a, b: np.reshape(w.numpy()[a] - w.numpy()[b], (28, 28)),),
        lambda: (lambda w, a, b: (w[a].double() - w[b].double()).unflatten(0, (28, 28)),),
    ],
    "saliency/three-rules": [
        lambda: (rules(),),
        lambda: (rules_where,),
        lambda: (rules_autograd,),
        lambda: (rules_numpy,),
        lambda: (rules(guided=lambda x, g: ((x > 0) & (g > 0)).double() * g),),
    ],
    "saliency/place-by-place": [
        lambda: (by_place(lambda a, g, w: (g * a).sum(0).relu()),),
        lambda: (place_loop,),
        lambda: (place_einsum,),
        lambda: (pixelwise,),
        lambda: (lambda a, g: torch.stack([m * n for m, n in zip(a, g, strict=True)]).sum(0).clamp(min=0),),
    ],
    "saliency/integrated-gradients": [
        lambda: (walk(middle),),
        lambda: (walk_loop,),
        lambda: (walk_precise,),
        lambda: (walk_batch,),
        lambda: (walk_numpy,),
    ],
}

WRONG = {
    "saliency/one-against-another": [
        (lambda: (one(lambda a, b: b - a),), "turned around"),
        (lambda: (one(lambda a, b: a),), "class `a` alone"),
        (lambda: (one(lambda a, b: b),), "class `b` alone"),
        (lambda: (one(lambda a, b: (a - b).abs()),), "Keep the sign"),
        (lambda: (one(lambda a, b: (a - b).relu()),), "negative part"),
        (lambda: (one(lambda a, b: (a - b).sign()),), "how much"),
        (lambda: (one(lambda a, b: a + b),), "subtract"),
        (lambda: (one(lambda a, b: a * b),), "product"),
        (lambda: (one(lambda a, b: (a - b) ** 2),), "derivative"),
        (lambda: (lambda w, a, b: (w[7] - w[2]).view(28, 28),), "derivative"),
        (lambda: (lambda w, a, b: (w[a] - w[b - 1]).view(28, 28),), "derivative"),
        (lambda: (lambda w, a, b: (w[a] - w[b]).view(28, 28).T,), "exchanged"),
        (lambda: (one(lambda a, b: (a - b) / (a - b).abs().max()),), "do not scale"),
        (lambda: (lambda w, a, b: w[a] - w[b],), "shape"),
        (lambda: (lambda w, a, b: (w[a] - w[b]).sum(),), "shape"),
        (lambda: (one(lambda a, b: (a - b) * torch.nan),), "NaN"),
        (lambda: (one_in_place,), "changed its argument `weights`"),
        (lambda: (silent(one(torch.sub)),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
        (lambda: (torch.zeros(28, 28),), "should be a function"),
    ],
    "saliency/three-rules": [
        (lambda: (lambda x, g, rule: g * (x > 0),), "look at `rule`"),
        (lambda: (rules(lambda x, g: g * (g > 0), lambda x, g: g * (x > 0)),), "exchanged"),
        (lambda: (rules(backprop=lambda x, g: x * (x > 0)),), "activation back"),
        (lambda: (rules(backprop=lambda x, g: (x > 0).float()),), "from above"),
        (lambda: (rules(backprop=lambda x, g: g * (x >= 0)),), "at x = 0"),
        (lambda: (rules(guided=lambda x, g: g * (x >= 0) * (g > 0)),), "at x = 0"),
        (lambda: (rules(deconvnet=lambda x, g: g),), "nothing was stopped"),
        (lambda: (rules(deconvnet=lambda x, g: g.abs()),), "absolute value"),
        (lambda: (rules(deconvnet=lambda x, g: g * (g < 0)),), "what is negative"),
        (lambda: (rules(deconvnet=lambda x, g: g * (x > 0)),), "the rule 'backprop'"),
        (lambda: (rules(backprop=lambda x, g: g * (x <= 0)),), "wrong way round"),
        (lambda: (rules(backprop=lambda x, g: g * (x > 1)),), "'backprop'"),
        (lambda: (rules(backprop=lambda x, g: g * x.relu()),), "do not multiply by x"),
        (lambda: (rules(guided=lambda x, g: g * ((x > 0) | (g > 0))),), "x > 0 or g > 0"),
        (lambda: (rules(guided=lambda x, g: g * (x > 0)),), "the rule 'backprop'"),
        (lambda: (rules(guided=lambda x, g: 0 * g),), "'guided'"),
        (lambda: (rules(guided=lambda x, g: (g * (x > 0)).abs()),), "absolute value"),
        (lambda: (rules(backprop=lambda x, g: g * (x > 0) / (x > 0)),), "NaN"),
        (lambda: (rules(backprop=lambda x, g: g[x > 0]),), "shape"),
        (lambda: (rules_in_place,), "changed its argument `g`"),
        (lambda: (rules_one_forgotten,), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
    "saliency/place-by-place": [
        (lambda: (by_place(lambda a, g, w: (w * a).sum(0).relu()),), "Grad-CAM again"),
        (lambda: (by_place(lambda a, g, w: (a * g.sum((1, 2), keepdim=True)).sum(0).relu()),), "Grad-CAM again"),
        (lambda: (by_place(lambda a, g, w: (g.mean(1, keepdim=True) * a).sum(0).relu()),), "its own gradient"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum(0)),), "positive part"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum(0).abs()),), "absolute value"),
        (lambda: (by_place(lambda a, g, w: (g * a).relu().sum(0)),), "Clamp at the end"),
        (lambda: (by_place(lambda a, g, w: (g.relu() * a).sum(0)),), "Clamp at the end"),
        (lambda: (by_place(lambda a, g, w: (g.abs() * a).sum(0).relu()),), "keeps its sign"),
        (lambda: (by_place(lambda a, g, w: (-g * a).sum(0).relu()),), "turned around"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum(0).clamp(max=0)),), "not the negative"),
        (lambda: (by_place(lambda a, g, w: (g * a).mean(0).relu()),), "no mean"),
        (lambda: (by_place(lambda a, g, w: (g * a).amax(0).relu()),), "took the largest"),
        (lambda: (by_place(lambda a, g, w: (g.sum(0) * a.sum(0)).relu()),), "its own gradient first"),
        (lambda: (by_place(lambda a, g, w: (g + a).sum(0).relu()),), "TIMES"),
        (lambda: (by_place(lambda a, g, w: a.sum(0)),), "gradient is missing"),
        (lambda: (by_place(lambda a, g, w: g.sum(0).relu()),), "maps are missing"),
        (lambda: (by_place(lambda a, g, w: (g * a.relu()).sum(0).relu()),), "as they are"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum(0).relu() / (g * a).sum(0).max()),), "do not scale"),
        (lambda: (by_place(lambda a, g, w: (g * a).relu()),), "shape"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum().relu()),), "shape"),
        (lambda: (by_place(lambda a, g, w: (g[0] * a[0]).relu()),), "added up"),
        (lambda: (by_place(lambda a, g, w: (g * a).sum(0).relu().sqrt().log() * 0),), "NaN"),
        (lambda: (place_in_place,), "changed its argument `maps`"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (raises,), "undefined_name"),
    ],
    "saliency/integrated-gradients": [
        (lambda: (walk(middle, lambda mean, x, b, n: mean),), "Times the way"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean * x),), "not times the image"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean * n * (x - b)),), "a sum"),
        (lambda: (walk(middle, lambda mean, x, b, n: (mean * (x - b)).abs()),), "Keep the sign"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean.abs() * (x - b)),), "Keep the sign"),
        (lambda: (walk(middle, lambda mean, x, b, n: (mean * (x - b)).relu()),), "Keep the sign"),
        (lambda: (walk(lambda n: torch.arange(n) / n),), "start of each step"),
        (lambda: (walk(lambda n: (torch.arange(n) + 1) / n),), "end of each step"),
        (lambda: (walk(lambda n: torch.linspace(0, 1, n)),), "Both ends"),
        (lambda: (walk_trapezoid,), "trapezoid"),
        (lambda: (walk(lambda n: torch.ones(1)),), "only at the image"),
        (lambda: (walk(lambda n: torch.ones(1), lambda mean, x, b, n: mean * x),), "gradient × input"),
        (lambda: (walk(lambda n: torch.tensor([0.5])),), "halfway"),
        (lambda: (walk(lambda n: middle(n)[:1]),), "only in the first step"),
        (lambda: (walk(lambda n: middle(n)[-1:]),), "only in the last step"),
        (lambda: (walk(lambda n: middle(50)),), "Ask there"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean * (b - x)),), "image − baseline"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean**2),), "Ask there"),
        (lambda: (walk_from_black,), "start from `baseline`"),
        (lambda: (walk_astray,), "Ask there"),
        (lambda: (walk(middle, lambda mean, x, b, n: mean * (x - b) * torch.inf),), "infinity"),
        (lambda: (walk(middle, lambda mean, x, b, n: (mean * (x - b)).sum()),), "shape"),
        (lambda: (walk_in_place,), "changed its argument `image`"),
        (lambda: (silent(walk_loop),), "returns nothing"),
        (lambda: (raises,), "undefined_name"),
    ],
}


# -- what the prose and the predictions say ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """The first 100 images and labels of the test set."""
    mnist = data.load("mnist").torch()
    if not mnist.real:
        pytest.skip("the figures are those of the real MNIST")
    return mnist.test.images[:100], mnist.test.labels[:100]


@pytest.fixture(scope="module")
def model():
    return checkpoints.load("mnist")


@pytest.fixture(scope="module")
def precise():
    return checkpoints.load("mnist").double()


FOURS = [4, 6, 24, 27, 42, 48]  # the first six among the test images
GAP = (slice(3, 9), slice(11, 18))


def slope(network, image, label):
    return attribution.saliency(network, image, label, signed=True)[0, 0]


def measured(network, image, label, step):
    each = step * torch.eye(784, dtype=torch.float64).view(784, 1, 28, 28)
    with torch.no_grad():
        after = torch.cat([network(image + some)[:, label] for some in each.split(98)])
        return ((after - network(image)[0, label]) / step).view(28, 28)


def alike(a, b):
    return F.cosine_similarity(a.flatten(1), b.flatten(1))


def test_the_second_pooling_never_reads_the_last_two_rows_and_columns(model, digits):
    slopes = attribution.saliency(model, *digits).mean(0)  # (28, 28)
    assert slopes[26:].max() == slopes[:, 26:].max() == 0
    assert slopes[:26, :26].amax(0).min() > 0
    assert slopes[:26, :26].amax(1).min() > 0
    with hooks.record(model, ["features.relu2", "features.pool2"]) as store:
        model(digits[0][:1])
    assert [store[name].shape[-1] for name in ("features.relu2", "features.pool2")] == [11, 5]
    outer = torch.ones(28, 28, dtype=torch.bool)
    outer[1:-1, 1:-1] = False
    assert slopes[outer].mean() < slopes[~outer].mean() / 10


@pytest.mark.parametrize("index", FOURS)
def test_dust_brings_the_measurement_down_to_the_promise(precise, digits, index):
    image, label = digits[0][[index]].double(), int(digits[1][index])
    assert label == 4
    dust = 0.001 * torch.rand(image.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(index))
    blank = image[0, 0][GAP] == 0
    kept, promised, tiny, half = [], [], [], []
    for one in (image, image + dust):
        promise, first = slope(precise, one, label), measured(precise, one, label, 1e-6)
        kept.append(((first - promise).abs() < 1e-3).double().mean().item())
        for found, values in ((promised, promise), (tiny, first), (half, measured(precise, one, label, 0.5))):
            found.append(values[GAP][blank].mean().item())
    assert kept[0] < 0.5 < 0.97 < kept[1]
    assert promised[1] == pytest.approx(promised[0], abs=0.05), "the promise hardly moves"
    assert tiny[1] == pytest.approx(promised[1], abs=0.005), "the measurement comes down to it"
    assert half[1] == pytest.approx(half[0], abs=0.01), "half a pixel of ink does what it did"
    assert half[0] < 2 * promised[0] < 0, "which is more than twice what was promised"


def test_what_the_prediction_about_dust_quotes(precise, digits):
    image = digits[0][[4]].double()
    blank = image[0, 0][GAP] == 0
    assert blank.sum() == 38
    quoted = [slope(precise, image, 4)[GAP][blank].mean(), measured(precise, image, 4, 1e-6)[GAP][blank].mean()]
    for value in quoted:
        assert f"{value:.2f}".replace("-", "−") in said("saliency/dust")


def test_the_path_buys_the_total_and_hardly_changes_the_map(model, digits):
    images, labels = digits
    middles = sum(attribution.saliency(model, images * ((i + 0.5) / 50), labels, signed=True) for i in range(50)) / 50
    paid = images * middles
    error = attribution.completeness(model, images, paid, labels).error.abs()
    assert error.max() < 0.1  # "right to a tenth of a logit"
    product = attribution.gradient_times_input(model, images, labels)
    assert attribution.completeness(model, images, product, labels).error.abs().mean() > 1.5
    assert alike(product, paid).mean() > 0.9  # "two maps that you could take for one"
    legendre = attribution.integrated_gradients(model, images, labels)
    assert attribution.completeness(model, images, legendre, labels).error.abs().mean() > error.mean()  # no better


def test_smoothgrad_is_steadier_than_the_gradient_on_every_image(model, digits):
    images, labels = digits
    twins = images + 0.02 * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    plain = alike(*(attribution.saliency(model, x, labels, signed=True) for x in (images, twins)))
    smooth = alike(*(attribution.smoothgrad(model, x, labels, seed=s) for s, x in enumerate((images, twins))))
    assert (smooth > plain).all()
    assert plain.mean() < 0.88 < 0.94 < smooth.mean()


def test_guided_backpropagation_keeps_closest_to_the_strokes(model, digits):
    near = F.max_pool2d((digits[0] > 0).float(), 3, 1, 1)[:, 0]
    shares = []
    for method in (attribution.saliency, attribution.deconvnet, attribution.guided_backprop):
        size = method(model, *digits).abs().view(100, 28, 28)
        shares.append(((size * near).sum((1, 2)) / size.sum((1, 2))).mean().item())
    assert shares[2] > max(shares[:2]) + 0.08


def test_a_placed_grad_cam_lies_on_the_ink_and_a_stretched_one_beside_it(model, digits):
    images, labels = digits
    cams, ink = attribution.grad_cam(model, images, labels, "features.relu2"), images[:, 0] > 0
    drawn = {
        "stretched": attribution.upscale(cams, (28, 28)),
        "placed": attribution.place(cams, model, images, "features.relu2"),
    }
    shares = {k: ((m * ink).sum((1, 2)) / m.sum((1, 2)).clamp(min=1e-9)).mean().item() for k, m in drawn.items()}
    assert shares["stretched"] == pytest.approx(0.37, abs=0.01)
    assert shares["placed"] == pytest.approx(0.51, abs=0.01)
    assert "3 and 4" in right("saliency/place")[0]
    assert unit_field(model, images, "features.relu2").interval(0, 28) == slice(0, 8)
    assert unit_field(model, images, "features.relu2").interval(10, 28) == slice(20, 28)


def test_what_the_answers_below_the_explorer_say_of_the_4(model, digits):
    four = digits[0][4:5]
    paper = four[0, 0] == 0
    gap = torch.zeros(28, 28, dtype=torch.bool)
    gap[GAP] = paper[GAP]
    on_paper, turns, left = {}, [], {}
    for name, method in attribution.METHODS.items():
        of_4, of_9 = (method(model, four, c)[0, 0] for c in (4, 9))
        on_paper[name] = float(of_4.abs()[paper].sum() / of_4.abs().sum())
        turns += [name] * bool(of_4[gap].mean() < 0 < of_9[gap].mean())
        gone = faithfulness.segment(of_4[None], 0.04)
        left[name] = float(running.predict(model, four.masked_fill(gone[:, None], 0))[0, 4])
    assert [name for name, share in on_paper.items() if share == 0] == ["gradient × input", "integrated gradients"]
    assert min(share for share in on_paper.values() if share > 0) > 0.5
    assert turns == ["gradient", "SmoothGrad"]
    quoted = {"integrated gradients": 1.2, "gradient × input": 1.6, "gradient": 2.0}
    assert sorted(left, key=left.__getitem__)[:3] == list(quoted)
    for name, logit in (quoted | {"Grad-CAM": 8.2}).items():
        assert left[name] == pytest.approx(logit, abs=0.1)
    assert max(left.values()) == left["Grad-CAM"]


def test_grad_cam_at_the_first_layer_is_fine_and_says_little(model, digits):
    images, labels = digits
    fine, coarse = (
        attribution.METHODS["Grad-CAM"](model, images, labels, layer=layer)[:, 0]
        for layer in ("features.relu1", "features.pool2")
    )
    ink = images[:, 0] > 0
    shares = [float((maps[4] * ink[4]).sum() / maps[4].sum()) for maps in (fine, coarse)]
    assert shares == pytest.approx([0.73, 0.38], abs=0.02)
    assert 20 <= (fine.amax((1, 2)) == 0).sum() <= 26  # empty maps
    gone = faithfulness.segment(fine[4:5], 0.04)
    assert running.predict(model, images[4:5].masked_fill(gone[:, None], 0))[0, 4] == pytest.approx(13.1, abs=0.2)
