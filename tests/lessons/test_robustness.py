"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers import data
from helpers.data import distort, strokes
from helpers.inside.occlusion import occlusion
from helpers.network import checkpoints, running, training
from helpers.network.models import ConvNet, DenseNet, count_parameters
from tests.lessons.common import printing, right, said


def move(images, pixels):
    moved = torch.zeros_like(images)
    moved[:, :, :, pixels:] = images[:, :, :, : images.shape[3] - pixels]
    return moved


def move_by_loop(images, pixels):
    moved = np.zeros(images.shape)
    for i, image in enumerate(images.numpy()):
        for column in range(pixels, image.shape[2]):
            moved[i, 0, :, column] = image[0, :, column - pixels]
    return moved


def move_rolled(images, pixels):
    rolled = images.double().roll(pixels, 3)
    rolled[..., :pixels] = 0
    return rolled


def move_in_place(images, pixels):
    images[..., pixels:] = images[..., : images.shape[3] - pixels].clone()
    images[..., :pixels] = 0
    return images


def move_empty_at_zero(images, pixels):
    moved = torch.zeros_like(images)
    if pixels:
        moved[..., pixels:] = images[..., :-pixels]
    return moved


def points(read):
    """A curve whose points are read off the logits in this way."""

    def curve(model, images, labels, change, amounts):
        with torch.no_grad():
            return [read(model(change(images, a)), labels) for a in amounts]

    return curve


def share(logits, labels):
    return (logits.argmax(1) == labels).float().mean()


def curve_by_loop(model, images, labels, change, amounts):
    accuracies = np.zeros(len(amounts))
    for k, amount in enumerate(amounts):
        changed = change(images, amount)
        hits = [int(model(x[None])[0].argmax()) == int(y) for x, y in zip(changed, labels, strict=True)]
        accuracies[k] = sum(hits) / len(hits)
    return accuracies


def curve_as_tensor(model, images, labels, change, amounts):
    logits = torch.stack([model(change(images, a)) for a in amounts])  # requires grad
    return (logits.argmax(2) == labels).double().mean(1)


def curve_image_by_image(model, images, labels, change, amounts):
    accuracies = []
    for amount in amounts:
        hits = [model(change(x[None], amount)).argmax() == y for x, y in zip(images, labels, strict=True)]
        accuracies.append(sum(hits) / len(hits))
    return accuracies


def curve_changing_on(model, images, labels, change, amounts):
    accuracies = []
    for amount in amounts:
        images = change(images, amount)
        accuracies.append(share(model(images), labels))
    return accuracies


def curve_of_own_answers(model, images, labels, change, amounts):
    said = model(images).argmax(1)
    return [share(model(change(images, a)), said) for a in amounts]


def curve_in_training(model, *rest):
    model.train()
    return points(share)(model, *rest)


def head(maps, weights, biases):
    return maps.amax((2, 3)) @ weights.T + biases


def head_by_layers(maps, weights, biases):
    pooled = nn.AdaptiveMaxPool2d(1)(maps).flatten(1)
    return functional.linear(pooled, weights, biases)


def head_by_loop(maps, weights, biases):
    logits = []
    for image in maps:
        highest = [channel.max().item() for channel in image]
        rows = zip(weights.tolist(), biases.tolist(), strict=True)
        logits.append([sum(w * h for w, h in zip(row, highest, strict=True)) + b for row, b in rows])
    return logits


def head_numpy(maps, weights, biases):
    highest = maps.double().numpy().reshape(*maps.shape[:2], -1).max(-1)
    return np.einsum("nc,kc->nk", highest, weights.double().numpy()) + biases.numpy()


def dense(pooled):
    return lambda maps, weights, biases: pooled(maps) @ weights.T + biases


RIGHT = {
    "robustness/move": [
        lambda: (move,),
        lambda: (move_by_loop,),
        lambda: (move_rolled,),
        lambda: (lambda x, n: functional.pad(x, (n, 0))[..., : x.shape[3]],),
        lambda: (lambda x, n: torch.cat([0 * x[..., :n], x[..., : x.shape[3] - n]], 3).numpy(),),
    ],
    "robustness/curve": [
        lambda: (points(lambda z, y: share(z, y).item()),),
        lambda: (points(share),),
        lambda: (curve_by_loop,),
        lambda: (curve_as_tensor,),
        lambda: (curve_image_by_image,),
        lambda: (lambda m, x, y, change, amounts: [share(m(change(images=x, amount=a)), y) for a in amounts],),
        lambda: (lambda model, x, y, change, amounts: [share(model(change(x, a)), y) for a in amounts],),
    ],
    "robustness/head": [
        lambda: (head,),
        lambda: (head_by_layers,),
        lambda: (head_by_loop,),
        lambda: (head_numpy,),
        lambda: (lambda m, w, b: head(m.float(), w, b).double(),),
    ],
}

WRONG = {
    "robustness/move": [
        (lambda: (lambda x, n: x.roll(n, 3),), "wraps around"),
        (lambda: (lambda x, n: functional.pad(x, (0, n))[..., n:],), "to the left"),
        (lambda: (lambda x, n: x.roll(-n, 3),), "comes back"),
        (lambda: (lambda x, n: functional.pad(x, (0, 0, n, 0))[:, :, : x.shape[2]],), "move down"),
        (lambda: (lambda x, n: functional.pad(x, (0, 0, 0, n))[:, :, n:],), "move up"),
        (lambda: (lambda x, n: functional.pad(x, (n, 0, n, 0))[:, :, : x.shape[2], : x.shape[3]],), "down too"),
        (lambda: (lambda x, n: move(x, n + 1),), "too far"),
        (lambda: (lambda x, n: move(x, max(n - 1, 0)),), "too little"),
        (lambda: (lambda x, n: functional.pad(x, (n, 0), value=1.0)[..., : x.shape[3]],), "black is 0"),
        (lambda: (lambda x, n: functional.pad(x, (n, 0), mode="replicate")[..., : x.shape[3]],), "repeated"),
        (lambda: (lambda x, n: x * (torch.arange(x.shape[3]) >= n),), "nothing moved"),
        (lambda: (lambda x, n: x,), "Nothing moved"),
        (lambda: (move_empty_at_zero,), "With 0 pixels"),
        (lambda: (lambda x, n: functional.pad(x, (n, 0)),), "shape"),
        (lambda: (lambda x, n: move(x, n)[0],), "shape"),
        (lambda: (lambda x, n: move(x, n) * 0.5,), "Column c"),
        (lambda: (move_in_place,), "changed its argument `images`"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "robustness/curve": [
        (lambda: (curve_changing_on,), "changed already"),
        (lambda: (lambda m, x, y, change, amounts: [share(m(x), y) for _ in amounts],), "unchanged images"),
        (lambda: (points(lambda z, y: 1 - share(z, y)),), "shares of mistakes"),
        (lambda: (points(lambda z, y: 100 * share(z, y)),), "percentages"),
        (lambda: (points(lambda z, y: (z.argmax(1) == y).sum()),), "counts"),
        (lambda: (curve_of_own_answers,), "The labels decide"),
        (lambda: (points(lambda z, y: (z.argmax(0) == y[: z.shape[1]]).float().mean()),), "axis 1"),
        (lambda: (points(lambda z, y: share(-z, y)),), "LARGEST"),
        (lambda: (points(lambda z, y: z.softmax(1)[range(len(y)), y].mean()),), "mean probability"),
        (lambda: (points(lambda z, y: round(share(z, y).item(), 1)),), "round"),
        (lambda: (points(lambda z, y: (z.argmax(1) == y).float()),), "mean over the images"),
        (lambda: (lambda *a: sum(points(share)(*a)) / len(a[-1]),), "not one for all"),
        (lambda: (lambda *a: points(share)(*a)[1:],), "One number for each"),
        (lambda: (points(lambda z, y: 0.9),), "compare with the labels"),
        (lambda: (lambda m, x, y, change, amounts: points(share)(m, x, y, change, sorted(amounts)),), "by each amount"),
        (lambda: (points(lambda z, y: int((z.argmax(1) == y).sum()) // len(y)),), "not `//`"),
        (lambda: (curve_in_training,), "training mode"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "robustness/head": [
        (lambda: (lambda m, w, b: m.amax((2, 3)) @ w.T,), "biases are missing"),
        (lambda: (lambda m, w, b: m.amax((2, 3)) @ w.T - b,), "added, not subtracted"),
        (lambda: (dense(lambda m: m.mean((2, 3))),), "mean of each map"),
        (lambda: (dense(lambda m: m.sum((2, 3))),), "sum of each map"),
        (lambda: (dense(lambda m: m.amin((2, 3))),), "lowest"),
        (lambda: (dense(lambda m: m.abs().amax((2, 3))),), "leave `abs` out"),
        (lambda: (dense(lambda m: m.relu().amax((2, 3))),), "negative, not 0"),
        (lambda: (dense(lambda m: m[:, :, 0, 0]),), "first place"),
        (lambda: (dense(lambda m: m.amax((0, 2, 3)).expand(len(m), -1)),), "its own maximum"),
        (lambda: (dense(lambda m: m.amax(2).mean(2)),), "one axis only"),
        (lambda: (dense(lambda m: m.amax(3).mean(2)),), "one axis only"),
        (lambda: (lambda *a: head(*a).softmax(1),), "probabilities"),
        (lambda: (lambda *a: head(*a).relu(),), "may be negative"),
        (lambda: (lambda m, w, b: m.amax((2, 3)),), "shape"),
        (lambda: (lambda m, w, b: head(m, w, b)[0],), "shape"),
        (lambda: (lambda *a: 2 * head(*a),), "highest value of each map"),
        (lambda: (lambda m, w, b: m.amax((2, 3)) @ w + b,), "Your code stopped"),
        (lambda: (printing,), "is there a `return`"),
    ],
}


# What the lesson claims, with another seed than its own ---------------------------------------------------------------

SEED = 1


def pooled():
    network = ConvNet()
    layers = nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)
    network.classifier = nn.Sequential(*layers)
    return network


@pytest.fixture(scope="module")
def mnist():
    digits = data.load("mnist", first=10_000).torch()
    if not digits.real:
        pytest.skip("the figures are those of the real MNIST")
    return digits


@pytest.fixture(scope="module")
def networks(mnist):
    images, labels = mnist.train.images, mnist.train.labels

    def trained(make, degrees=0):
        with running.seeded(SEED):
            network = make()
        pictures = distort.random_turns(images, degrees, seed=SEED) if degrees else images
        training.fit(network, (pictures, labels), epochs=2, seed=SEED, bar=False)
        return network

    return {
        "convolutional": trained(ConvNet),
        "dense": trained(DenseNet),
        "with turns": trained(ConvNet, 60),
        "any angle": trained(ConvNet, 180),
        "global pool": trained(pooled),
    }


@pytest.fixture(scope="module")
def under(mnist, networks):
    digits, truth = mnist.test.images[:500], mnist.test.labels[:500]
    changes = {
        "turn": distort.rotate,
        "move": lambda x, n: distort.shift(x, right=n),
        "noise": distort.noise,
        "scale": distort.scale,
    }
    return lambda name, change, amount: running.accuracy(networks[name], (changes[change](digits, amount), truth))


def test_the_control_has_as_many_weights_and_the_pooled_network_an_eighth():
    assert count_parameters(ConvNet()) == 225_034
    assert count_parameters(DenseNet()) == 224_995
    assert count_parameters(pooled()) == 28_426


def test_a_quarter_turn_leaves_less_than_a_quarter_and_more_than_half_of_the_0s(mnist, networks, under):
    digits, truth = mnist.test.images[:500], mnist.test.labels[:500]
    for angle in (-90, 90):
        assert under("convolutional", "turn", angle) < 0.25
        answers = running.predict(networks["convolutional"], distort.rotate(digits, angle)).argmax(1)
        assert (answers[truth == 0] == 0).float().mean() > 0.5
        assert (answers[truth == 1] == 1).float().mean() < 0.02
    assert right("robustness/quarter") == ["Less than a quarter"]
    assert "Of the 0s more than half" in said("robustness/quarter")


def test_the_control_gives_in_sooner_under_each_change(under):
    for change, amount in (("turn", 30), ("turn", -30), ("move", 4), ("noise", 0.3), ("scale", 0.6), ("scale", 1.4)):
        assert under("convolutional", change, amount) > under("dense", change, amount) + 0.05


def test_turns_help_where_they_were_shown_and_cost_elsewhere(mnist, networks, under):
    for angle in (-60, 60):
        assert under("with turns", "turn", angle) > 0.85 > 0.5 > under("convolutional", "turn", angle)
    for change, amount in (("move", 4), ("noise", 0.4), ("scale", 0.6)):
        assert under("with turns", change, amount) < under("convolutional", change, amount)
    wrong = {name: 1 - running.accuracy(networks[name], mnist.test) for name in ("convolutional", "with turns")}
    assert 1.6 < wrong["with turns"] / wrong["convolutional"] < 2.5
    assert right("robustness/price") == ["It makes about twice as many mistakes"]


def test_trained_at_any_angle_a_6_becomes_a_9(mnist, networks):
    sixes = mnist.test.images[mnist.test.labels == 6]
    taken = {n: (running.predict(networks[n], sixes).argmax(1) == 9).float().mean() for n in networks}
    assert 0.04 < taken["any angle"] < 0.13
    assert taken["convolutional"] < 0.005


def test_a_global_pool_makes_position_nearly_irrelevant_at_a_price(mnist, networks, under):
    assert under("global pool", "move", 8) > 0.75 > 0.25 > under("convolutional", "move", 8)
    assert under("global pool", "noise", 0.3) < under("convolutional", "noise", 0.3) - 0.1
    upright = {name: running.accuracy(networks[name], mnist.test) for name in ("convolutional", "global pool")}
    assert upright["global pool"] < upright["convolutional"] - 0.015
    assert right("robustness/pool") == ["About three quarters or more"]


@pytest.mark.parametrize(
    ("digit", "extra", "turn", "becomes"),
    [
        ("7", [], 35, 7),
        ("7", [], 40, 1),
        ("7", [], -35, 7),
        ("7", [], -40, 2),
        ("7", [[(0.38, 0.52), (0.68, 0.52)]], 35, 7),
        ("7", [[(0.38, 0.52), (0.68, 0.52)]], 40, 2),
        ("7", [[(0.38, 0.52), (0.68, 0.52)]], -30, 2),
        ("4", [[(0.34, 0.17), (0.42, 0.1), (0.55, 0.09), (0.66, 0.16)]], 0, 9),  # a round roof
        ("4", [[(0.34, 0.17), (0.66, 0.16)]], 0, 7),  # a straight one
    ],
)
def test_what_became_of_our_drawings(digit, extra, turn, becomes):
    network = checkpoints.load("mnist")
    drawing = strokes.turned([*strokes.DIGITS[digit], *extra], turn)
    image = torch.from_numpy(strokes.digit(drawing, 0.08).image)[None]
    chances = running.predict(network, image[None]).softmax(1)[0]
    assert chances.argmax() == becomes
    if becomes == 9:  # "and the roof is red"
        roof = occlusion(network, image, 7).maps[9][5:9, 11:17]
        assert chances[9] == pytest.approx(0.93, abs=0.02)
        assert roof[image[0, 5:9, 11:17] > 0.5].min() > 0


def test_two_faces_are_read_as_a_0():
    network = checkpoints.load("mnist")
    angles = [2 * np.pi * t / 20 for t in range(21)]
    head = [(0.5 + 0.3 * np.cos(a), 0.5 + 0.3 * np.sin(a)) for a in angles]
    eyes = [[(0.4, 0.42), (0.4, 0.44)], [(0.6, 0.42), (0.6, 0.44)]]
    for corner, middle in ((0.6, 0.67), (0.67, 0.6)):  # happy and sad
        face = [head, *eyes, [(0.38, corner), (0.5, middle), (0.62, corner)]]
        assert running.predict(network, torch.from_numpy(strokes.digit(face, 0.08).image)[None, None]).argmax() == 0


def test_what_the_answers_below_the_turning_tool_say_of_the_run_of_the_lesson(mnist):
    def trained(pictures):
        with running.seeded(0):
            network = ConvNet()
        training.fit(network, (pictures, mnist.train.labels), epochs=2, bar=False)
        return network

    upright, with_turns = trained(mnist.train.images), trained(distort.random_turns(mnist.train.images, 60))
    four, six = mnist.test.images[4:5], mnist.test.images[11:12]
    sure = []
    for network in (upright, with_turns):
        chances = running.predict(network, torch.cat([distort.rotate(four, a) for a in range(-180, 181, 5)])).softmax(1)
        sure.append(float(chances[chances.argmax(1) != 4].amax()))
        of_six = running.predict(network, distort.rotate(six, 180)).softmax(1)[0]
        assert of_six[9] > 0.95
    assert sure[0] > 0.9 > sure[1]
    for angle, becomes in ((180, 7), (175, 7), (-90, 5)):
        chances = running.predict(upright, distort.rotate(four, angle)).softmax(1)[0]
        assert chances.argmax() == becomes
        assert chances[becomes] > 0.9
    small = distort.scale(four, 0.6)
    assert running.predict(upright, small).argmax() == 4
    assert running.predict(with_turns, small).argmax() == 9
