"""Questions and checks of the lesson "Saliency: the slope and its promise"."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, call, expect, same, tensor, trials
from helpers.exercises.occlusion import or_shape

LESSON = Lesson("saliency")

LESSON.ask(
    "linear",
    "A linear network: logit = sum of weight × pixel, plus a bias. You take its gradient with respect to the pixels of "
    "two different images. What do you get?",
    Option("Two different maps: each shows the strokes of its image", "The image drops out: the derivative of w·x with "
           "respect to x is w, and nothing of x is left in it."),
    Option("The same map twice: the weights", "Each pixel counts with its weight, whatever the image shows. So the "
           "gradient cannot tell two images apart.", right=True),
    Option("Zero: a straight line has no slope", "It has the same slope everywhere. Its second derivative is zero."),
)  # fmt: skip

LESSON.ask(
    "paper",
    "The gradient for an image of a 4. Can it be large where the paper is empty?",
    Option("Yes: ink added there could change the score", "A stroke that closes the top of a 4 makes it a 9. The "
           "gradient knows that, although nothing is drawn there.", right=True),
    Option("No: there is nothing there to look at", "The gradient does not ask what is there. It asks what a little "
           "ink would do, and on empty paper a little ink can do a lot."),
    Option("Yes, but only at the border of the image", "The border is the quietest part. The last two rows and "
           "columns are never read at all: the second pooling makes 5×5 places of 11×11 and drops the last ones."),
)  # fmt: skip

LESSON.ask(
    "dust",
    "With dust on the paper, promise and measurement agree in nearly all of the pixels. In the gap at the top of the "
    "4 they were far apart, −0.14 promised and −0.31 measured. Which of the two moved?",
    Option("The promise: without ties the gradient sees the gap", "The winner of a window still takes all. Dust only "
           "decides who that is."),
    Option("The measurement: it came down to the promise", "A millionth more ink no longer makes a loser win, so the "
           "three losers of each window count for nothing, as the gradient said. A real stroke would still win.",
           right=True),
    Option("Both, and they met halfway", "One stays where it was: dust of a thousandth hardly changes the slopes of "
           "the network."),
)  # fmt: skip

LESSON.ask(
    "rules",
    "In guided backpropagation every ReLU stops what is negative on the way back. Compared with the plain gradient, "
    "the picture will be",
    Option("cleaner: only what raises the score all the way gets through", "Nothing negative can cancel it on its "
           "way. Whether cleaner is also truer is another question.", right=True),
    Option("the same, only without the blue", "Clamping the finished map would do that. Here the clamp acts in every "
           "layer, before positive and negative parts can cancel."),
    Option("noisier, since information is thrown away", "What is thrown away is what made the plain gradient look "
           "noisy."),
)  # fmt: skip

LESSON.ask(
    "place",
    "A unit in the first row of the 11×11 map looks at the image rows 0 to 7, one in the last row at 20 to 27. You lay "
    "the map over the 28 rows of the image. Where does the value of the first row belong?",
    Option("At row 1, so that 11 values fill all 28 rows", "That is what stretching does. But the unit looked at rows "
           "0 to 7, and row 1 is near their edge."),
    Option("At rows 3 and 4", "The middle of what the unit looked at is 3.5. The map has to stop short of the rim.",
           right=True),
    Option("Anywhere: the unit saw all of these rows alike", "Most ways from the pixels to the unit pass through the "
           "middle of its field, and a map has to be drawn somewhere."),
)  # fmt: skip


def _lead(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda weights, a, b: change(weights[a], weights[b]).view(28, 28)


@LESSON.check("one-against-another")
def one_against_another(answer: Any) -> str:
    """Row a minus row b as an image, for any two classes, the first and the last among them."""
    pairs = [rng.permutation(10)[:2].tolist() for rng in trials(4)] + [[0, 9], [9, 4]]
    scale = "Right up to a factor: do not scale the map."
    compare(
        answer,
        [(torch.randn(10, 784), a, b) for a, b in pairs],
        _lead(torch.sub),
        (
            (_lead(lambda a, b: b - a), "The sign is turned around: red is evidence for the first class."),
            (_lead(lambda a, b: a), "That is the map of class `a` alone. What does a pixel do to the rival?"),
            (_lead(lambda a, b: b), "That is the map of class `b` alone, the rival."),
            (_lead(lambda a, b: (a - b).abs()), "Keep the sign: it says which of the two classes the pixel is "
             "evidence for."),
            (_lead(lambda a, b: a.abs() - b.abs()), "Keep the signs of the weights: a negative one is no evidence for "
             "its class."),
            (_lead(lambda a, b: (a - b).relu()), "Keep the negative part: there a pixel is evidence for the rival."),
            (_lead(lambda a, b: (a - b).sign()), "The sign alone does not say how much: keep the amount too."),
            (lambda w, a, b: (w[a] - w[b]).view(28, 28).T, "Rows and columns are exchanged: `view(28, 28)` restores "
             "the image."),
            (_lead(torch.add), "A pixel that raises both logits decides nothing: subtract."),
            (_lead(torch.mul), "That is a product. The derivative of a difference is the difference of derivatives."),
            (_lead(torch.div), "That is a ratio. The derivative of a difference is the difference of derivatives."),
            (lambda w, a, b: (w[a] - w.mean(0)).view(28, 28), "That is class `a` against the mean of all; the rival "
             "is `b`."),
            (lambda w, a, b: (w.softmax(0)[a] - w.softmax(0)[b]).view(28, 28), "The scores are logits: no softmax."),
            (_lead(lambda a, b: (a - b) / 2), scale),
            (_lead(lambda a, b: (a - b) / (a - b).abs().max()), scale),
            (_lead(lambda a, b: (a - b) / (a - b).norm()), scale),
        ),
        or_shape("The score is logit a − logit b. What is its derivative with respect to each pixel?"),
    )  # fmt: skip
    return "The weights that both classes share cancel: what is left is what tells them apart."


_RULES = {
    "backprop": lambda x, g: g * (x > 0),
    "deconvnet": lambda x, g: g * (g > 0),
    "guided": lambda x, g: g * (x > 0) * (g > 0),
}


@LESSON.check("three-rules")
def three_rules(back: Any) -> str:
    """All three rules, in any order, on other shapes; some inputs are exactly 0, some nearly."""
    found: dict[str, list[Tensor]] = {rule: [] for rule in _RULES}
    xs, gs = [], []
    for case, rng in enumerate(trials()):
        shape = ((6, 7), (2, 3, 4, 5), (40,), (9, 4))[case]
        x, g = torch.randn(shape), torch.randn(shape)
        x[torch.rand(shape) < 0.15] = 0  # a ReLU passes nothing on at 0
        x[torch.rand(shape) < 0.1] *= 0.01
        xs.append(x), gs.append(g)
        for rule in rng.permutation([*_RULES]).tolist():
            found[rule].append(tensor(call(back, x, g, rule), shape))
    x, g = (torch.cat([part.flatten() for part in parts]).double() for parts in (xs, gs))
    answers = {rule: torch.cat([part.flatten() for part in parts]) for rule, parts in found.items()}
    on, up = (x > 0).double(), (g > 0).double()
    right = {rule: formula(x, g) for rule, formula in _RULES.items()}
    if same(answers["backprop"], answers["deconvnet"]) and same(answers["backprop"], answers["guided"]):
        raise Wrong("All three rules give the same: look at `rule`.")
    for a, b in combinations(_RULES, 2):
        if same(answers[a], right[b]) and same(answers[b], right[a]):
            raise Wrong(f"{a} and {b} are exchanged: backprop looks at x, the deconvnet at g, guided at both.")
    for rule, answer in answers.items():
        others = [(right[b], f"{rule}: that is what the rule {b!r} passes on.") for b in _RULES if b != rule]
        expect(
            answer,
            right[rule],
            (
                *others,
                (g * (x >= 0), f"{rule}: at x = 0 the ReLU is off and passes nothing on: x > 0, not x ≥ 0."),
                (g * (x >= 0) * up, f"{rule}: at x = 0 the ReLU is off and passes nothing on: x > 0, not x ≥ 0."),
                (x * on, f"{rule}: you sent the activation back. What comes back is g, or 0."),
                (x * on * up, f"{rule}: you sent the activation back. What comes back is g, or 0."),
                (g * x, f"{rule}: do not multiply by x: what comes back is g, or 0."),
                (g * x * on, f"{rule}: do not multiply by x: what comes back is g, or 0."),
                (g * x * on * up, f"{rule}: do not multiply by x: what comes back is g, or 0."),
                (on, f"{rule}: that is the slope of the ReLU, 0 or 1. Multiply it by what comes from above, g."),
                (up, f"{rule}: that is 1 where g is positive. Multiply it by g."),
                (on * up, f"{rule}: these are the open gates, 0 or 1. Multiply them by what comes from above, g."),
                (x, f"{rule}: that is the input of the ReLU. What comes back is g, or 0."),
                (g, f"{rule}: nothing was stopped."),
                (g * (1 - on), f"{rule}: the gates are the wrong way round: open where x is positive."),
                (g * (1 - up), f"{rule}: what is negative has to be stopped, not what is positive."),
                (-right[rule], f"{rule}: the sign is turned around."),
                (g.abs(), f"{rule}: stopping what is negative is not taking its absolute value."),
                (g.abs() * on, f"{rule}: stopping what is negative is not taking its absolute value."),
                (torch.maximum(on, up) * g, f"{rule}: that passes where x > 0 or g > 0."),
                (on * (1 - up) * g, f"{rule}: what is negative has to be stopped, not what is positive."),
            ),
            f"The rule {rule!r} is not right yet: where x > 0, where g > 0, or where both hold?",
        )
    return "Guided backpropagation passes only what both of the others pass."


def _by_place(formula: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A map (h, w) by a formula of maps a and gradients g (K, h, w), and of the mean gradient w (K, 1, 1)."""
    return lambda maps, gradients: formula(maps, gradients, gradients.mean((1, 2), keepdim=True))


@LESSON.check("place-by-place")
def place_by_place(hires_cam: Any) -> str:
    """Any number of maps and any sides; the sum has both signs, so that the clamp shows."""
    cases: list[tuple[Tensor, Tensor]] = []
    for case, rng in enumerate(trials(6)):
        k, (h, w) = int(rng.integers(3, 7)), rng.permutation(range(4, 9))[:2].tolist()
        positive = torch.zeros(1)
        while not 0.25 < positive.float().mean() < 0.75:
            maps = torch.randn(k, h, w) + 0.3
            maps = maps if case == 4 else maps.relu()  # once a layer without a ReLU
            gradients = torch.randn(k, h, w) + torch.randn(k, 1, 1)
            positive = (gradients * maps).sum(0) > 0
        cases.append((maps, gradients))
    own = "Each place keeps its own gradient: no mean over the places, or it is Grad-CAM again."
    at_end = "Clamp at the end, after the sum: at each place what lowers the score counts against what raises it."
    scale = "Right up to a factor: do not scale the map."
    compare(
        hires_cam,
        cases,
        _by_place(lambda a, g, w: (g * a).sum(0).relu()),
        (
            (_by_place(lambda a, g, w: (w * a).sum(0).relu()), own),
            (_by_place(lambda a, g, w: (w * a).sum(0)), own),
            (_by_place(lambda a, g, w: (a * g.mean(1, keepdim=True)).sum(0).relu()), own),
            (_by_place(lambda a, g, w: (a * g.mean(2, keepdim=True)).sum(0).relu()), own),
            (_by_place(lambda a, g, w: (a * g.sum((1, 2), keepdim=True)).sum(0).relu()), own),
            (_by_place(lambda a, g, w: (g * a).sum(0)), "Only the positive part: a place that is evidence against the "
             "class gets zero."),
            (_by_place(lambda a, g, w: (g * a).sum(0).abs()), "Not the absolute value: what is evidence against the "
             "class becomes zero."),
            (_by_place(lambda a, g, w: (-g * a).sum(0).relu()), "The sign is turned around: keep what is positive."),
            (_by_place(lambda a, g, w: (g * a).sum(0).clamp(max=0)), "Keep the positive part, not the negative one."),
            (_by_place(lambda a, g, w: (g * a).relu().sum(0)), at_end),
            (_by_place(lambda a, g, w: (g.relu() * a).sum(0)), at_end),
            (_by_place(lambda a, g, w: (g.relu() * a).sum(0).relu()), at_end),
            (_by_place(lambda a, g, w: (g.abs() * a).sum(0).relu()), "The gradient keeps its sign."),
            (_by_place(lambda a, g, w: (g * a).mean(0).relu()), "Add the maps up: no mean over them."),
            (_by_place(lambda a, g, w: (g * a).amax(0).relu()), "Add the maps up; you took the largest."),
            (_by_place(lambda a, g, w: (g.sum(0) * a.sum(0)).relu()), "Multiply each map by its own gradient first, "
             "then add up."),
            (_by_place(lambda a, g, w: (g + a).sum(0).relu()), "Map TIMES gradient."),
            (_by_place(lambda a, g, w: a.sum(0)), "The gradient is missing: multiply each map by its own."),
            (_by_place(lambda a, g, w: a.sum(0).relu()), "The gradient is missing: multiply each map by its own."),
            (_by_place(lambda a, g, w: g.sum(0)), "The maps are missing: multiply each gradient by its map."),
            (_by_place(lambda a, g, w: g.sum(0).relu()), "The maps are missing: multiply each gradient by its map."),
            (_by_place(lambda a, g, w: (g * a).sum(0).relu() / (g * a).sum(0).max()), scale),
        ),
        or_shape("At every place: map times gradient, added up over the maps, then the positive part."),
        [(lambda maps, _: bool(maps.min() < 0), "Right while the maps are positive. Without a ReLU before them some "
          "values are negative: use the maps as they are, and clamp at the end.")],
    )  # fmt: skip
    return "Every place with its own slope: where a map counts, and not only how much."


def _walk(points: Callable[[int], Tensor], finish: Callable[..., Tensor] | None = None) -> Callable[..., Tensor]:
    """Mean slope at these shares of the way (or a weighted one), times the way, or finished in another way."""

    def answer(gradient_at: Callable[[Tensor], Tensor], image: Tensor, baseline: Tensor, steps: int) -> Tensor:
        found = points(steps)
        shares, weights = found if isinstance(found, tuple) else (found, torch.full_like(found, 1 / len(found)))
        slopes = torch.stack([gradient_at(baseline + share * (image - baseline)) for share in shares])
        mean = torch.tensordot(weights, slopes, 1)
        return mean * (image - baseline) if finish is None else finish(mean, image, baseline, steps)

    return answer


def _middle(steps: int) -> Tensor:
    return (torch.arange(steps) + 0.5) / steps


def _trapezoid(steps: int) -> tuple[Tensor, Tensor]:
    weights = torch.full((steps + 1,), 1 / steps)
    weights[[0, -1]] /= 2
    return torch.linspace(0, 1, steps + 1), weights


def _legendre(steps: int) -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return torch.tensor((nodes + 1) / 2).float(), torch.tensor(weights / 2).float()


@LESSON.check("integrated-gradients")
def integrated_gradients(integrated: Any) -> str:
    """A score that bends, pixels that depend on each other, shares of both signs, a baseline of its own."""

    def score_gradient() -> Callable[[Any], Tensor]:
        slope, bend, rival = torch.randn(5), 2 * torch.randn(5), torch.randn(5)

        def gradient_at(image: Any) -> Tensor:
            image = torch.as_tensor(image)
            return slope + bend * image**2 + rival * torch.sin(4 * image.roll(1, -1))

        return gradient_at

    shapes, steps = ((3, 5), (4, 5), (1, 6, 5), (5, 5), (2, 5)), (4, 3, 7, 1, 5)
    cases = [
        (score_gradient(), torch.rand(shape) * 2 - 0.5, torch.rand(shape) * (case != 1), steps[case])
        for case, (shape, _) in enumerate(zip(shapes, trials(5), strict=True))
    ]
    way = "The way leads from the baseline to the image: image − baseline."
    sign = "Keep the sign: a share can be evidence against the class."
    compare(
        integrated,
        cases,
        _walk(_middle),
        (
            (_walk(_middle, lambda mean, x, b, n: mean), "That is the mean slope. Times the way, image − baseline, it "
             "becomes a share of the score."),
            (_walk(_middle, lambda mean, x, b, n: mean * x), "Times the way from the baseline, not times the image: "
             "the two differ unless the baseline is black."),
            (_walk(_middle, lambda mean, x, b, n: mean * (x - b) * n), "That is a sum. Take the mean over the steps."),
            (_walk(_middle, lambda mean, x, b, n: mean * (x - b) / n), "The way is divided by the steps twice: take "
             "the mean once."),
            (_walk(_middle, lambda mean, x, b, n: mean * (b - x)), way),
            (_walk(_middle, lambda mean, x, b, n: mean * (x + b)), way),
            (_walk(_middle, lambda mean, x, b, n: (mean * (x - b)).abs()), sign),
            (_walk(_middle, lambda mean, x, b, n: mean.abs() * (x - b)), sign),
            (_walk(_middle, lambda mean, x, b, n: mean * (x - b).abs()), sign),
            (_walk(_middle, lambda mean, x, b, n: (mean * (x - b)).relu()), sign),
            (_walk(lambda n: torch.arange(n) / n), "You took the start of each step; take its middle."),
            (_walk(lambda n: torch.arange(1, n + 1) / n), "You took the end of each step; take its middle."),
            (_walk(lambda n: torch.linspace(0, 1, n)), "Both ends are in, each with full weight: take the middle of "
             "each step, (i + 0.5) / steps."),
            (_walk(lambda n: torch.linspace(0, 1, n + 1)), "Both ends are in, each with full weight: take the middle "
             "of each step, (i + 0.5) / steps."),
            (_walk(_trapezoid), "That is the trapezoid rule, from the ends of each step; here it is the middles."),
            (_walk(_legendre), "These are the points of Gauss and Legendre, a better rule; here it is the middles."),
            (_walk(lambda n: torch.ones(1)), "You asked only at the image itself: that is one slope times the way, "
             "not the whole way."),
            (_walk(lambda n: torch.ones(1), lambda mean, x, b, n: mean * x), "You asked only at the image itself: "
             "that is gradient × input."),
            (_walk(lambda n: torch.zeros(1)), "You asked only at the baseline: ask at every step of the way."),
            (_walk(lambda n: torch.tensor([0.5])), "One point halfway is not enough: ask at every step of the way."),
            (_walk(lambda n: _middle(n)[:1]), "You asked only in the first step: ask in every one."),
            (_walk(lambda n: _middle(n)[-1:]), "You asked only in the last step: ask in every one."),
            (_walk(lambda n: _middle(10)), "You always take 10 steps: take `steps`."),
            (lambda gradient_at, x, b, n: _walk(_middle)(gradient_at, x, torch.zeros_like(b), n), "You start from "
             "black: start from `baseline`."),
        ),
        or_shape("At step i the image is baseline + (i + 0.5) / steps · (image − baseline). Ask there; average."),
    )  # fmt: skip
    return "The shares add up to score(image) − score(baseline), the better the more steps you take."
