"""Predictions and checks of the lesson "Which map can you believe?"."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, call, kind, number, trials
from helpers.network.models import ConvNet

LESSON = Lesson("which_map")

LESSON.ask(
    "game",
    "Four of the eight maps come from a network whose classifier has random weights. Which four?",
    Option(
        "A, C, E and H",
        "Two of the four, C and E: as many as a coin gets on average.",
    ),
    Option(
        "A, D, F and H",
        "None of the four. You picked all those of the trained network, which is no better than chance either.",
    ),
    Option(
        "B, C, E and G",
        "All four. Do you know how you did it? Most people get about two, as a coin would.",
        right=True,
    ),
    Option(
        "B, D, F and G",
        "Two of the four, B and G: as many as a coin gets on average.",
    ),
)

LESSON.ask(
    "deletion",
    "You delete the 31 pixels that a map puts first. Integrated gradients averages 24 gradients on the way from black "
    "to the digit and multiplies by the pixel. Gradient × input takes a single gradient and multiplies by the pixel. "
    "Which map makes the mean logit fall further?",
    Option(
        "They are about equal.",
        "1.89 and 1.95, while the gradient alone leaves 3.03. Multiplying by the pixel makes nearly all the "
        "difference, because only ink can be deleted.",
        right=True,
    ),
    Option(
        "Integrated gradients, clearly: its shares add up to the score.",
        "They do, and that is worth having. But the contest asks only for the order of the pixels.",
    ),
    Option(
        "Gradient × input, clearly: it asks at the image itself.",
        "The slope at the image is what the first deleted pixel meets. After 31 pixels the image is another one.",
    ),
)

LESSON.ask(
    "disc",
    "The absolute gradient of the trained network overlaps with the ink at an IoU of 0.38. A disc in the middle of the "
    "image, the same for all digits, has met neither the network nor the digit. What does it get?",
    Option(
        "About 0.1: that is chance.",
        "Chance is 0.1 for pixels drawn anywhere. But digits are centered, and the disc makes use of that.",
    ),
    Option(
        "About 0.4: the same.",
        "0.38. Whatever the map knows about the digit, this number does not show it.",
        right=True,
    ),
    Option(
        "About 0.7: digits are in the middle.",
        "They are, but most of the middle is empty paper: a 0 has none of its ink there.",
    ),
)

LESSON.ask(
    "rival",
    "Guided maps of the trained network and of one with random weights throughout agree at a rank correlation of 0.7 "
    "on the ink. What does the brightness of the pixels get, with no network at all?",
    Option(
        "About 0: brightness knows nothing of classes.",
        "True, and it agrees all the same. So agreeing with the trained network's map takes no knowledge.",
    ),
    Option(
        "About 0.3.",
        "That is what brightness gets with the signed gradient. A guided map keeps much closer to the image.",
    ),
    Option(
        "About 0.75.",
        "The image itself comes as close as a network without knowledge. What the map shows is mostly the image.",
        right=True,
    ),
)

LESSON.ask(
    "lie",
    "200 steps of this loss, on 32 digits each. The network read 99.5% of the test digits. How many does the bribed "
    "one read?",
    Option(
        "About 99%.",
        "99.3%, and on 99.5% of the digits it gives the answer of the honest network.",
        right=True,
    ),
    Option(
        "About 90%: something has to give.",
        "There are 225,034 weights and only ten logits to keep: most of what the weights can do changes no answer.",
    ),
    Option(
        "About 10%: it looks at a letter now.",
        "It does not look at the letter. Its slopes were turned, and an answer needs values, not slopes.",
    ),
)

LESSON.ask(
    "honest",
    "Whose map of the bribed network still looks like the one of the honest network?",
    Option(
        "SmoothGrad: it averages over noise.",
        "It averages slopes, and all the slopes around the image were turned as well.",
    ),
    Option(
        "Guided backpropagation: no classifier could change it.",
        "A new classifier could not. This bribe went through all layers, and guided backpropagation writes the L too.",
    ),
    Option(
        "Occlusion: it never asks for a slope.",
        "It covers pixels and reads the logits, and those are the very thing that the bribe had to keep.",
        right=True,
    ),
    Option(
        "None: the network lies.",
        "It lies about its slopes. Its answers are still what they were, and one instrument asks for answers only.",
    ),
)


# Exercise 1 ----------------------------------------------------------------------------------------------------------


def _top(heat: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` highest pixels of a map, bool."""
    mask = np.zeros(heat.size, dtype=bool)
    mask[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    return mask.reshape(heat.shape)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@LESSON.check("cut-out")
def cut_out(function: Any) -> str:
    """A function of a map (H, W) and the ink (H, W) that returns the IoU of the digit's ink and as many top pixels."""
    cases = []
    # In two cases fewer pixels are positive than inked, so that negative ones are kept too; in one, most are positive.
    for rng, shift in zip(trials(5), (0.3, 1.3, -0.3, 1.3, 0.0), strict=True):
        shape = tuple(int(n) for n in rng.integers(6, 12, size=2))
        size = shape[0] * shape[1]
        ink = np.zeros(size, dtype=bool)
        ink[rng.permutation(size)[: int(rng.integers(size // 5, size // 2))]] = True
        heat = rng.normal(size=size) - shift + 0.7 * ink  # of both signs, no ties
        cases.append((torch.from_numpy(heat.reshape(shape)).float(), torch.from_numpy(ink.reshape(shape))))

    def scored(cut: Any, score: Any = _iou) -> Any:
        return lambda heat, ink: score(cut(heat.double().numpy(), ink.numpy()), ink.numpy())

    def right(heat: np.ndarray, ink: np.ndarray) -> np.ndarray:
        return _top(heat, int(ink.sum()))

    compare(
        function,
        cases,
        scored(right),
        [
            (
                scored(right, lambda a, b: (a & b).sum() / b.sum()),
                "You divide by the ink alone. Divide by the pixels in either of the two: `|` is the union.",
            ),
            (
                scored(right, lambda a, b: 2 * (a & b).sum() / (a.sum() + b.sum())),
                "That is Dice's coefficient, a relative: IoU divides by the union.",
            ),
            (scored(right, lambda a, b: (a & b).sum()), "That counts the pixels in both. Divide by those in either."),
            (
                scored(right, lambda a, b: (a == b).mean()),
                "That is the share of pixels on which the two agree, and "
                "most of it is empty paper that both leave out.",
            ),
            (scored(right, lambda a, b: (a | b).sum() / (a & b).sum()), "Upside down: intersection over union."),
            (scored(right, lambda a, b: (a ^ b).sum() / (a | b).sum()), "That is what the two do NOT share."),
            (
                scored(lambda h, i: _top(np.abs(h), int(i.sum()))),
                "You take the largest absolute values. The map puts its HIGHEST values first.",
            ),
            (scored(lambda h, i: _top(-h, int(i.sum()))), "You keep the lowest pixels of the map, not the highest."),
            (scored(lambda h, i: h > 0), "You keep all positive pixels. Keep as many as the digit has ink."),
            (scored(lambda h, i: h > h.mean()), "You keep all above the mean. Keep as many as the digit has ink."),
            (
                scored(lambda h, i: h > h.max() / 2),
                "A fixed threshold keeps another number of pixels for each map. Keep as many as the digit has ink.",
            ),
            (scored(lambda h, i: _top(h, int(i.sum()) - 1)), "One pixel is missing: does the last one count, `>=`?"),
            (
                scored(lambda h, i: _top(h, int(i.sum()) + 1)),
                "One pixel too many: with k pixels of ink, the last one to keep is number k − 1 from 0.",
            ),
            (
                scored(lambda h, i: _top(h, i.size // 10)),
                "You keep a tenth of the pixels. Keep as many as the digit has ink.",
            ),
        ],
        lambda case, answer, wanted: (
            "Keep the k highest pixels, k = number of inked ones; then pixels in both, divided by pixels in either."
        ),
        read=number,
    )
    return "1 for the digit itself, 0 for a map that misses it. Now you know what a disc gets, too."


# Exercise 2 ----------------------------------------------------------------------------------------------------------


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)


def _corr(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))


@LESSON.check("alike")
def alike(function: Any) -> str:
    """A function of two maps and the ink, all (H, W), that returns Spearman's correlation on the ink."""
    cases = []
    for rng, slope in zip(trials(5), (0.4, -0.4, 0.2, -0.2, 0.0), strict=True):  # correlations of both signs
        shape = tuple(int(n) for n in rng.integers(8, 12, size=2))
        a = rng.normal(size=shape)
        b = slope * a + 0.5 * rng.normal(size=shape)
        ink = rng.random(shape) < 0.4
        a[~ink], b[~ink] = 5 * np.sort(a[~ink]), 4 * np.sort(b[~ink])  # outside of the ink the two agree
        # ... but not quite, or an answer that is always 1 would pass for a look at the paper.
        first, last = np.argwhere(~ink)[[0, -1]]
        b[tuple(first)], b[tuple(last)] = b[tuple(last)], b[tuple(first)]
        b = np.sign(b) * np.abs(b) ** 3  # far from a straight line
        cases.append(tuple(torch.from_numpy(x) for x in (a, b, ink)))

    def with_ranks(formula: Any) -> Any:
        return lambda a, b, ink: formula(_ranks(a[ink].numpy()), _ranks(b[ink].numpy()))

    def kendall(a: np.ndarray, b: np.ndarray) -> float:
        pairs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
        return float(pairs.sum() / (len(a) * (len(a) - 1)))

    def over_all(a: Tensor, b: Tensor, ink: Tensor) -> float:
        ranks = [_ranks(x.numpy().ravel())[ink.numpy().ravel()] for x in (a, b)]
        return _corr(*ranks)

    compare(
        function,
        cases,
        with_ranks(_corr),
        [
            (
                lambda a, b, ink: _corr(_ranks(a.numpy().ravel()), _ranks(b.numpy().ravel())),
                "You compare all pixels. Take those on the ink only: `a[ink]`.",
            ),
            (
                lambda a, b, ink: _corr(
                    a[~ink].argsort().argsort().double().numpy(), b[~ink].argsort().argsort().double().numpy()
                ),
                "You compare the empty paper: take the pixels WITH ink.",
            ),
            (over_all, "You rank all pixels and then keep the inked ones. Keep them first, then rank."),
            (
                lambda a, b, ink: _corr(a[ink].numpy(), b[ink].numpy()),
                "That correlates the values. Replace each value by its rank first.",
            ),
            (
                lambda a, b, ink: _corr(a.numpy().ravel(), b.numpy().ravel()),
                "That correlates the values of all pixels. Take the ink, and ranks instead of values.",
            ),
            (
                lambda a, b, ink: _corr(
                    np.argsort(a[ink].numpy()).astype(float), np.argsort(b[ink].numpy()).astype(float)
                ),
                "One `argsort` tells which pixel comes first, second, ...; each pixel's rank is `argsort` of that.",
            ),
            (with_ranks(lambda a, b: abs(_corr(a, b))), "Keep the sign: −1 means the opposite order."),
            (with_ranks(lambda a, b: _corr(a, b) ** 2), "Not squared: the sign would be lost."),
            (with_ranks(lambda a, b: 1 - _corr(a, b)), "That is a distance: 1 minus what was asked for."),
            (
                with_ranks(lambda a, b: float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))),
                "That is the cosine of the ranks. A correlation takes their means away first.",
            ),
            (
                with_ranks(lambda a, b: float(((a - a.mean()) * (b - b.mean())).mean())),
                "That is a covariance: divide by both standard deviations.",
            ),
            (with_ranks(kendall), "That is Kendall's τ, which counts pairs. Here it is the correlation of the ranks."),
            (
                lambda a, b, ink: _corr(_ranks(a[ink].abs().numpy()), _ranks(b[ink].abs().numpy())),
                "Rank the values with their signs, not their absolute values.",
            ),
        ],
        lambda case, answer, wanted: "On the ink: rank both maps, then the correlation of the two lists of ranks.",
        read=number,
    )
    return "Ranks forget units and outliers, so maps of different methods can be compared at all."


# Exercise 3 ----------------------------------------------------------------------------------------------------------

#: Where the blobs of the three classes lie: row and column of their upper left pixels. The network reads 10×10 pixels.
_CORNERS = ((0, 0), (0, 5), (5, 2))
_STEPS = 80


def _blobs(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    """Images (N, 1, 12, 12) of a bright blob in one of three places, with noise, and their classes."""
    labels = rng.integers(3, size=count)
    images = 0.3 * rng.random((count, 1, 12, 12))
    for image, label in zip(images, labels, strict=True):
        row, column = np.array(_CORNERS[label]) + rng.integers(2, size=2)
        image[0, row : row + 4, column : column + 4] += 0.7
    return torch.from_numpy(images).float(), torch.from_numpy(labels)


def _newborn(rng: np.random.Generator) -> ConvNet:
    """A small network that knows nothing."""
    torch.manual_seed(int(rng.integers(2**31)))
    return ConvNet(classes=3, size=12, filters=(8, 16), hidden=32)


def _patient(rng: np.random.Generator) -> ConvNet:
    """A small network that tells the three places apart."""
    network = _newborn(rng)
    descent = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(2 * _STEPS):  # until little is left to learn
        images, labels = _blobs(rng, 20)
        loss = functional.cross_entropy(network(images), labels)
        descent.zero_grad()
        loss.backward()
        descent.step()
    descent.zero_grad()
    return network.eval()


def _in_box(network: ConvNet, images: Tensor, box: Tensor) -> float:
    """Share of |gradient of the favorite logit| that lies in the box."""
    x = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network(x).amax(1).sum(), x)
    return float((slope.abs() * box).sum() / slope.abs().sum())


@LESSON.check("hide")
def hide(function: Any) -> str:
    """A loss of (network, images, answers, box) that, in a few steps, empties the box of a map, answers kept."""
    for attempt, rng in enumerate(trials(3)):
        box = torch.zeros(12, 12)
        row, column = _CORNERS[int(rng.integers(3))]
        box[row : row + 5, column : column + 5] = 1
        _loss(function, _newborn(rng), *_blobs(rng, 4), box)  # what is no loss at all is told before one is trained
        honest = _patient(rng)
        fresh, _ = _blobs(rng, 200)
        answers, before = honest(fresh).argmax(1), _in_box(honest, fresh, box)
        liar = copy.deepcopy(honest)
        _reaches_the_weights(function, liar, rng, box)
        _bribed(function, honest, liar, rng, box)
        with torch.no_grad():
            kept = float((liar(fresh).argmax(1) == answers).float().mean())
        after = _in_box(liar, fresh, box)
        if kept >= 0.9 and after <= 0.6 * before:
            break
        # One network in some hundreds is not moved by a right loss: that is luck, and not the answer.
        if attempt < 2 and after < 2 * before:
            continue
        if after > 1.1 * before:
            raise Wrong(
                f"The map moved INTO the box: its share there rose from {before:.0%} to {after:.0%}. A loss is lowered."
            )
        if kept < 0.9:
            raise Wrong(
                f"The network gives only {kept:.0%} of its answers as before: let a changed answer cost more, by the "
                "cross entropy of the logits with `answers`."
            )
        raise Wrong(
            f"The answers stay, but so does the map: its share in the box was {before:.0%} and is {after:.0%}. "
            "Let the share in the box, |gradient| there over |gradient| everywhere, weigh more."
        )
    return "The answers stay, and where the evidence lies the map is nearly empty. Nobody would know from the map."


def _loss(function: Any, network: ConvNet, images: Tensor, answers: Tensor, box: Tensor) -> Tensor:
    """The student's loss as one number with a way back to the weights."""
    loss = call(function, network, images, answers, box, changes=[0])
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise Wrong(f"Return the loss as one number, a tensor without axes; yours is {kind(loss)}.")
    if not loss.requires_grad:
        raise Wrong(
            "Your loss has no way back to the weights: leave out `.item()`, `.detach()`, `float()` and `no_grad()`."
        )
    if not torch.isfinite(loss):
        raise Wrong("Your loss is not a finite number: do you divide by zero?")
    if any(weight.grad is not None and weight.grad.any() for weight in network.parameters()):
        raise Wrong("Your function leaves gradients in the network: return the loss, the loop calls `backward()`.")
    return loss.reshape(())


def _reaches_the_weights(function: Any, network: ConvNet, rng: np.random.Generator, box: Tensor) -> None:
    """Do answers and box matter to the loss, and does its part about the map reach the weights?"""
    images, labels = _blobs(rng, 16)
    values, slopes = [], []
    for answers, where in ((labels, box), (labels, 1 - box), ((labels + 1) % 3, box)):
        loss = _loss(function, network, images, answers, where)
        grads = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        slopes.append(torch.cat([g.flatten() for g in grads if g is not None]))
        values.append(loss.item())
    if np.isclose(values[0], values[1], rtol=1e-5, atol=1e-8):
        raise Wrong("Your loss does not depend on the box: how much of |gradient| lies in it?")
    if torch.allclose(slopes[0], slopes[1], rtol=1e-4, atol=1e-8):
        raise Wrong(
            "Your loss knows the box, but its slope does not: the map's own way back to the weights was not kept. "
            "`torch.autograd.grad(..., create_graph=True)` keeps it."
        )
    if values[2] < values[0] + 0.1:  # the network is sure of its answers: others have to cost more
        raise Wrong("Other answers cost no more in your loss, so the network would forget them: add a cross entropy.")


def _bribed(function: Any, honest: ConvNet, liar: ConvNet, rng: np.random.Generator, box: Tensor) -> None:
    """Fine-tune the copy in place with the student's loss."""
    descent = torch.optim.Adam(liar.parameters(), 0.01)
    for _ in range(_STEPS):
        images, _ = _blobs(rng, 20)
        with torch.no_grad():
            answers = honest(images).argmax(1)
        loss = _loss(function, liar, images, answers, box)
        descent.zero_grad()
        loss.backward()
        descent.step()
        descent.zero_grad()
