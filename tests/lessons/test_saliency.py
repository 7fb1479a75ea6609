"""Wrong answers and the hints they earn, the saliency explorer, and the network that is not ours."""

import hashlib
import io

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.models import vgg16

from helpers import data
from helpers.inside import attribution, faithfulness
from helpers.network import checkpoints, hooks, pretrained


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


def weighed(formula):
    return lambda maps, gradients: formula(maps, gradients, gradients.mean((1, 2), keepdim=True))


def cam_loop(maps, gradients):
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    for one_map, gradient in zip(maps, gradients, strict=True):
        total += gradient.mean() * one_map
    return torch.clamp(total, min=0)


def cam_einsum(maps, gradients):
    weights = gradients.numpy().mean(axis=(1, 2))
    return np.maximum(np.einsum("k,khw->hw", weights, maps.numpy()), 0)


def cam_pixelwise(maps, gradients):
    k, h, w = maps.shape
    weights = [gradients[i].sum().item() / (h * w) for i in range(k)]
    return [[max(0.0, sum(weights[i] * maps[i, r, c].item() for i in range(k))) for c in range(w)] for r in range(h)]


def cam_in_place(maps, gradients):
    maps *= gradients.mean((1, 2), keepdim=True)
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
    "saliency/grad-cam": [
        lambda: (weighed(lambda a, g, w: (w * a).sum(0).relu()),),
        lambda: (cam_loop,),
        lambda: (cam_einsum,),
        lambda: (cam_pixelwise,),
        lambda: (lambda a, g: torch.tensordot(g.double().mean((1, 2)), a.double(), 1).clamp(min=0),),
        lambda: (lambda a, g: F.conv2d(a[None], g.mean((1, 2))[None, :, None, None])[0, 0].relu(),),
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
    "saliency/grad-cam": [
        (lambda: (weighed(lambda a, g, w: (w * a).sum(0)),), "positive part"),
        (lambda: (weighed(lambda a, g, w: (w * a).sum(0).abs()),), "absolute value"),
        (lambda: (weighed(lambda a, g, w: (g * a).sum(0).relu()),), "one weight"),
        (lambda: (weighed(lambda a, g, w: (a * g.sum((1, 2), keepdim=True)).sum(0).relu()),), "not the sum"),
        (lambda: (weighed(lambda a, g, w: (w * a).mean(0).relu()),), "no mean"),
        (lambda: (weighed(lambda a, g, w: (w * a).amax(0).relu()),), "took the largest"),
        (lambda: (weighed(lambda a, g, w: (g.amax((1, 2), keepdim=True) * a).sum(0).relu()),), "largest value"),
        (lambda: (weighed(lambda a, g, w: (g.mean(1, keepdim=True) * a).sum(0).relu()),), "both axes"),
        (lambda: (weighed(lambda a, g, w: (g.mean(0) * a).sum(0).relu()),), "not over the maps"),
        (lambda: (weighed(lambda a, g, w: (g.mean() * a).sum(0).relu()),), "one weight for all maps"),
        (lambda: (weighed(lambda a, g, w: (w.relu() * a).sum(0)),), "Clamp at the end"),
        (lambda: (weighed(lambda a, g, w: (w * a).relu().sum(0)),), "Clamp at the end"),
        (lambda: (weighed(lambda a, g, w: (w.abs() * a).sum(0).relu()),), "weights keep their sign"),
        (lambda: (weighed(lambda a, g, w: (-w * a).sum(0).relu()),), "turned around"),
        (lambda: (weighed(lambda a, g, w: a.sum(0)),), "gradient is missing"),
        (lambda: (weighed(lambda a, g, w: (w * a.relu()).sum(0).relu()),), "as they are"),
        (lambda: (weighed(lambda a, g, w: (w * a).sum(0).relu() / (w * a).sum(0).relu().max()),), "do not scale"),
        (lambda: (weighed(lambda a, g, w: (w * a).relu()),), "shape"),
        (lambda: (weighed(lambda a, g, w: (w * a).sum((0, 1)).relu()),), "shape"),
        (lambda: (weighed(lambda a, g, w: (w[0] * a[0]).relu()),), "Weigh, add up"),
        (lambda: (weighed(lambda a, g, w: (w * a).sum(0).relu().sqrt().log() * 0),), "NaN"),
        (lambda: (cam_in_place,), "changed its argument `maps`"),
        (lambda: (silent(cam_loop),), "returns nothing"),
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


# What the predictions say ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """Images and labels of the test set that the lesson uses."""
    mnist = data.load("mnist").torch()
    if not mnist.real:
        pytest.skip("the figures are those of the real MNIST")
    return mnist.test.images[:100], mnist.test.labels[:100]


@pytest.fixture(scope="module")
def model():
    return checkpoints.load("mnist")


def first_pixels(maps):
    return faithfulness.segment(maps, 0.04)  # 31 of 784


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


def test_what_the_losers_of_the_deletion_spend_their_first_pixels_on(model, digits):
    images, labels = digits
    inked, slope = faithfulness.ink(images), attribution.saliency(model, images, labels, signed=True)[:, 0]
    cam = attribution.upscale(attribution.grad_cam(model, images, labels, "features.relu2"), (28, 28))
    on_paper = (first_pixels(cam) & ~inked).sum() / first_pixels(cam).sum()
    assert on_paper.item() == pytest.approx(0.47, abs=0.03)  # "nearly half"
    chosen = first_pixels(slope.abs())
    assert ((chosen & ~inked).sum() / chosen.sum()).item() == pytest.approx(1 / 3, abs=0.03)  # "a third"
    assert (chosen & inked & (slope < 0)).sum() / chosen.sum() > 0.1  # ink that hurts


# The saliency explorer -----------------------------------------------------------------------------------------------


# The network that is not ours ----------------------------------------------------------------------------------------


class Answer(io.BytesIO):
    """What a server sends, with a length that it may lie about."""

    def __init__(self, content, length=None):
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content) if length is None else length)}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("CNN_OFFLINE", raising=False)
    return tmp_path / "hub" / "checkpoints"


def url_of(content):
    return f"https://example.com/models/net-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def test_weights_are_downloaded_once_and_then_found(cache):
    content, asked = b"weights" * 1000, []

    def opened(url, timeout):
        asked.append(url)
        return Answer(content)

    for _ in range(2):
        path = pretrained.weights_file(url_of(content), 5, opened)
        assert path.parent == cache
        assert path.read_bytes() == content
    assert len(asked) == 1


@pytest.mark.parametrize("trouble", ["refused", "cut off", "wrong file", "too slow"])
def test_weights_that_cannot_be_had_leave_nothing_behind(cache, trouble):
    content = b"weights" * 1000

    def opened(url, timeout):
        if trouble == "refused":
            raise OSError("no route")
        sent = {"cut off": content[:50], "wrong file": content[::-1]}.get(trouble, content)
        return Answer(sent, len(content))

    assert pretrained.weights_file(url_of(content), 0 if trouble == "too slow" else 5, opened) is None
    assert not list(cache.glob("*"))


def test_nothing_is_downloaded_offline(cache, monkeypatch):
    monkeypatch.setenv("CNN_OFFLINE", "1")
    assert pretrained.vgg16() is None


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    network = vgg16(weights=None, num_classes=4, init_weights=False)
    return pretrained.explained(network, list("abcd"))


def test_every_method_of_the_lesson_explains_an_untrained_vgg(untrained):
    model, classes, layer = untrained
    photo = pretrained.square(torch.rand(300, 400, 3, generator=torch.Generator().manual_seed(0)))
    assert photo.shape == (3, 224, 224)
    assert len(classes) == 4
    part = photo[:, :64, :64]  # its convolutions take any size, and a twelfth of the pixels a twelfth of the time
    x = part[None]
    plain = attribution.saliency(model, x, 2, signed=True)
    guided = attribution.guided_backprop(model, x, 2)
    assert plain.shape == guided.shape == (1, 3, 64, 64)
    assert not torch.allclose(plain, guided)
    assert attribution.integrated_gradients(model, x, 2, steps=2, chunk=1).isfinite().all()
    cam = attribution.grad_cam(model, x, 2, layer)
    assert cam.shape == (1, 4, 4)
    assert attribution.occlusion(model, part, 32, 32, 0.5).maps.shape == (4, 64, 64)
    assert not any(p.requires_grad for p in model.parameters())


def test_images_from_zero_to_one_reach_the_network_normalized(untrained):
    seen = []
    door = pretrained.Normalized(torch.nn.Identity())
    seen.append(door(torch.tensor(pretrained.MEAN).view(1, 3, 1, 1).expand(1, 3, 4, 4)))
    assert seen[0].abs().max() < 1e-6
    white = door(torch.ones(1, 3, 2, 2))[0, :, 0, 0]
    expected = (1 - np.array(pretrained.MEAN)) / np.array(pretrained.DEVIATION)
    assert white.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_middle_square_of_a_photograph_is_cut_out():
    photo = torch.zeros(100, 300, 3)
    photo[:, 100:200, 1] = 1.0  # the middle third is green
    cut = pretrained.square(photo, 50)
    assert cut.shape == (3, 50, 50)
    assert cut[1].min() > 0.99
    assert cut[0].max() < 0.01
    with pytest.raises(ValueError, match="color photograph"):
        pretrained.square(torch.rand(3, 30, 40))
