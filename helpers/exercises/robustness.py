"""Predictions and checks of the lesson "Turned, moved, noisy"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import trials

LESSON = Lesson("robustness")

LESSON.ask(
    "quarter",
    "The convolutional network is right on 98% of the upright digits. You turn them by 90°. On how many of them is it "
    "right now?",
    Option("Less than a quarter", "The network has never seen a digit lie down, and most of them then look like "
           "another digit, or like none.", right=True),
    Option("About half", "That would be true if most digits looked the same lying down. Of the 0s more than half are "
           "read; of the 1s none."),
    Option("Nearly all: a convolution finds a pattern wherever it is", "Wherever it is, but not however it is turned: "
           "a filter that responds to horizontal strokes does not respond to vertical ones."),
)  # fmt: skip

LESSON.ask(
    "price",
    "The same network is trained anew, in as many steps, on digits turned at random by up to 60°. How does it do on "
    "upright digits?",
    Option("Better: it has seen more different images", "More kinds of images, but no more steps to learn them in. "
           "Every angle takes a part of the practice."),
    Option("The same: upright digits were among them", "They were, but few: most of its images stood at other angles."),
    Option("It makes about twice as many mistakes", "From about 2% to nearly 4%. It has to tell apart more images "
           "with the same weights and the same number of steps.", right=True),
    Option("It reads only half of them", "It is right on more than nineteen in twenty: most digits look much the same "
           "a few degrees away."),
)  # fmt: skip

LESSON.ask(
    "pool",
    "Digits 8 pixels to the right: the network is right on 16% of them. Now only the highest response of each of the "
    "64 maps goes on to the dense layers, from wherever in the image it comes, and the network is trained anew in the "
    "same way. On how many of the moved digits is it right?",
    Option("Still about 16%", "What misled the other network was the place of each response, and that is now gone."),
    Option("About half", "Far more than that: what the dense layers see hardly changes when a digit moves."),
    Option("About three quarters or more", "The maximum over all places is nearly the same wherever the digit stands. "
           "At the edge it changes, where parts of some digits have left the image.", right=True),
)  # fmt: skip


def _moved(images: Tensor, right: int, down: int = 0, fill: float = 0.0) -> Tensor:
    """The images (N, C, H, W) moved by whole pixels, with ``fill`` coming in."""
    height, width = images.shape[2:]
    out = torch.full_like(images, fill)
    out[:, :, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = images[
        :, :, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)
    ]
    return out


def _stretched(images: Tensor, pixels: int) -> Tensor:
    out = _moved(images, pixels)
    out[..., :pixels] = images[..., :1]
    return out


def _shape_first(hint: str) -> Callable[..., str]:
    def otherwise(_: Any, answer: Any, wanted: Any) -> str:
        mine, right = np.shape(answer), tuple(np.shape(wanted))
        return hint if mine == right else f"The shape should be {right}; yours is {mine}."

    return otherwise


@LESSON.check("move")
def move(answer: Any) -> str:
    """Images moved to the right by 0 or more whole pixels: black comes in, and what leaves is lost."""
    cases = []
    for rng, pixels in zip(trials(4), (3, 1, 5, 0), strict=True):
        height, width = rng.permutation(range(7, 12))[:2].tolist()
        cases.append((torch.rand(int(rng.integers(2, 5)), 1, height, width) + 0.05, pixels))
    compare(
        answer,
        cases,
        lambda images, pixels: _moved(images, pixels),
        (
            (lambda x, n: x.roll(n, 3), "What leaves at the right comes back at the left: `roll` wraps around. Black "
             "has to come in."),
            (lambda x, n: _moved(x, -n), "Your images move to the left."),
            (lambda x, n: x.roll(-n, 3), "Your images move to the left, and what leaves there comes back."),
            (lambda x, n: _moved(x, 0, n), "Your images move down: the columns are the last axis."),
            (lambda x, n: _moved(x, 0, -n), "Your images move up: the columns are the last axis."),
            (lambda x, n: _moved(x, n, n), "Your images move down too: the columns alone should change."),
            (lambda x, n: _moved(x, n + 1), "One pixel too far."),
            (lambda x, n: _moved(x, n - 1) if n else x, "One pixel too little."),
            (lambda x, n: _moved(x, n, fill=1.0), "White comes in; black is 0."),
            (_stretched, "The first column is repeated. Black has to come in."),
            (lambda x, n: torch.cat([x[..., :n] * 0, x[..., n:]], 3), "The left part turned black, but nothing moved."),
            (lambda x, n: x, "Nothing moved."),
        ),
        _shape_first("Column c of the result is column c − pixels of the image, and the first columns are 0."),
        only=(
            (lambda x, n: n == 0, "With 0 pixels nothing should change. A slice that ends at −0 is empty: end it at "
             "`width - pixels`."),
        ),
    )  # fmt: skip
    return "Whatever leaves the picture is gone, as in a photograph taken a step further to the left."


def _curve(read: Callable[[Tensor, Tensor], Any], of: Callable[..., Tensor] | None = None) -> Callable[..., Any]:
    """A curve in which one point is read in another way, or the images are changed in another way."""

    def answer(model: nn.Module, images: Tensor, labels: Tensor, change: Any, amounts: list[float]) -> list[Any]:
        with torch.no_grad():
            changed = [change(images, a) if of is None else of(images, change, amounts, a) for a in amounts]
            return [read(model(x), labels) for x in changed]

    return answer


def _right(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


def _cumulated(images: Tensor, change: Any, amounts: list[float], amount: float) -> Tensor:
    for a in amounts[: amounts.index(amount) + 1]:
        images = change(images, a)
    return images


@LESSON.check("curve")
def curve(answer: Any) -> str:
    """Accuracies of several networks under several changes, one for each amount."""
    cases = []

    def change(images: Tensor, amount: float) -> Tensor:  # of each image by itself, so that any part of them will do
        return images + amount * images.flip(2, 3)

    for rng in trials():
        # A prime: no share of it ends in a 5 that single and double precision round to different sides.
        n, classes = int(rng.choice([61, 67, 71, 73, 79, 83, 89])), int(rng.integers(4, 7))
        images = torch.randn(n, 1, 5, 6)
        model = nn.Sequential(nn.Flatten(), nn.Linear(30, classes)).eval()
        with torch.no_grad():
            labels = model(images).argmax(1)
            wrong = torch.rand(n) < 0.15
            labels[wrong] = (labels[wrong] + 1) % classes
        amounts = rng.permutation([0.0, 0.3, 0.8, 1.5, 2.5][: int(rng.integers(3, 6))]).tolist()
        cases.append((model, images, labels, change, amounts))

    def unchanged(x: Tensor, _: Any, amounts: list[float], a: float) -> Tensor:
        return x

    def own(model: nn.Module, x: Tensor, y: Tensor, change: Any, amounts: list[float]) -> list[Any]:
        return _curve(_right)(model, x, model(x).argmax(1), change, amounts)

    def among_classes(z: Tensor, y: Tensor) -> float:
        said = z.argmax(0)
        return float((said == y[: len(said)]).double().mean())

    def otherwise(case: Any, found: Any, wanted: Any) -> str:
        if np.shape(found) == (len(wanted), len(case[1])):
            return "One number for each amount: take the mean over the images."
        if np.shape(found) == ():
            return "One number for each amount, not one for all of them."
        if np.shape(found) != np.shape(wanted):
            return f"One number for each of the {len(wanted)} amounts; yours has the shape {np.shape(found)}."
        return "Change the images by each amount, ask the network, and compare with the labels."

    compare(
        answer,
        cases,
        _curve(_right),
        (
            (_curve(_right, _cumulated), "You change images that are changed already. Each amount starts again from "
             "the original images."),
            (_curve(_right, unchanged), "All your numbers are those of the unchanged images: give the network "
             "`change(images, amount)`."),
            (_curve(lambda z, y: 1 - _right(z, y)), "These are the shares of mistakes: compare with `==`."),
            (_curve(lambda z, y: 100 * _right(z, y)), "These are percentages. An accuracy is a number from 0 to 1."),
            (_curve(lambda z, y: len(y) * _right(z, y)), "These are counts. Divide by the number of images."),
            (own, "You compare with what the network said about the unchanged images. The labels decide."),
            (_curve(lambda z, y: 0.0), "Your numbers are all 0. Does `argmax` look along the classes, axis 1? And is "
             "it `/` that divides, not `//`?"),
            (_curve(among_classes), "`argmax` has to look along the classes, axis 1."),
            (_curve(lambda z, y: float((z.argmin(1) == y).double().mean())), "The class with the LARGEST logit is "
             "the answer."),
            (_curve(lambda z, y: float(z.softmax(1)[torch.arange(len(y)), y].mean())), "This is the mean probability "
             "of the true class. Accuracy counts right answers."),
            (_curve(lambda z, y: round(_right(z, y), 1)), "Do not round so far."),
        ),
        otherwise,
        atol=1e-4,
    )  # fmt: skip
    return "With this function you can put any network to the test, and its control beside it."


@LESSON.check("head")
def head(answer: Any) -> str:
    """Logits of maps of several sizes: the maximum of each map, times the weights, plus the biases."""
    cases = []
    for rng in trials():
        n, channels, classes, height, width = (int(k) for k in rng.permutation(range(3, 9))[:5])
        maps = torch.randn(n, channels, height, width) - 1.5 * torch.rand(1, channels, 1, 1)
        maps[:, 0] -= 4.0  # negative everywhere
        cases.append((maps, torch.randn(classes, channels), torch.randn(classes)))

    def dense(v: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return v @ w.T + b

    compare(
        answer,
        cases,
        lambda m, w, b: dense(m.amax((2, 3)), w, b),
        (
            (lambda m, w, b: m.amax((2, 3)) @ w.T, "The biases are missing."),
            (lambda m, w, b: m.amax((2, 3)) @ w.T - b, "The biases are added, not subtracted."),
            (lambda m, w, b: dense(m.mean((2, 3)), w, b), "This is the mean of each map. The highest response is "
             "asked for."),
            (lambda m, w, b: dense(m.sum((2, 3)), w, b), "This is the sum of each map. The highest response is asked "
             "for."),
            (lambda m, w, b: dense(m.amin((2, 3)), w, b), "This is the lowest response of each map."),
            (lambda m, w, b: dense(m.abs().amax((2, 3)), w, b), "The highest response counts, not the one farthest "
             "from 0: leave `abs` out."),
            (lambda m, w, b: dense(m.amax((2, 3)).relu(), w, b), "A map may be negative everywhere; its highest "
             "response then is negative, not 0."),
            (lambda m, w, b: dense(m.flatten(2)[..., 0], w, b), "This is the response at the first place alone."),
            (lambda m, w, b: dense(m.amax((0, 2, 3)).expand(len(m), -1), w, b), "Each image has its own maximum: "
             "leave axis 0 out."),
            (lambda m, w, b: dense(m.amax(2).mean(2), w, b), "You take the maximum along one axis only: a map has "
             "rows and columns."),
            (lambda m, w, b: dense(m.amax(3).mean(2), w, b), "You take the maximum along one axis only: a map has "
             "rows and columns."),
            (lambda m, w, b: dense(m.amax((2, 3)), w, b).softmax(1), "These are probabilities. The logits are asked "
             "for."),
            (lambda m, w, b: dense(m.amax((2, 3)), w, b).relu(), "A ReLU has no place on logits: they may be "
             "negative."),
        ),
        _shape_first("Take the highest value of each map, (N, channels); times the weights, plus the biases."),
        atol=1e-3,
    )  # fmt: skip
    return "No place is left in these numbers. That is why the maps may have any size, and the digit any position."
