"""Questions and checks of the lesson "Where the gradient comes from"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, expect, trials
from helpers.filters import convolve

LESSON = Lesson("gradients")

LESSON.ask(
    "shared-gradient",
    "The weight in the middle of a 3×3 filter is used at 676 places of a 28×28 image. Each place wants to change it a "
    "little. What is its gradient?",
    Option("The sum of what all 676 places want", "The weight appears in 676 terms of the loss, and the derivative of "
           "a sum is the sum of the derivatives.", right=True),
    Option("Their mean", "Some losses take a mean, and then its 1/n is already in what each place wants. Sharing "
           "itself adds up and divides by nothing."),
    Option("What the strongest place wants", "Nobody picks a winner. That happens in max pooling, where only one pixel "
           "was passed on."),
    Option("Nothing: shared weights stay fixed", "They are learned like all others. They only have more to listen to."),
)  # fmt: skip

LESSON.ask(
    "vertical-lines",
    "Someone learns the secret filter from images of vertical lines and nothing else, until the loss is zero in the "
    "first six decimals. Which filter has been learned?",
    Option("The secret filter: a loss of zero proves it", "It proves that the answers agree on THESE images. Ask both "
           "filters about a digit, and they disagree."),
    Option("A different filter that gives the same responses to vertical lines", "On such images the three rows of "
           "every patch are alike, so only the sum of each column of weights can be felt. The rest stays as it "
           "happened to start.", right=True),
    Option("Only noise: such images teach nothing", "They do teach something: the three sums of its columns end up "
           "as they are in the secret filter."),
)  # fmt: skip


@LESSON.check("by-hand")
def by_hand(answer: Any) -> str:
    """Compute three gradients of a tiny layer on paper."""
    x, g = np.array([3.0, 1.0, 2.0]), np.array([-1.0, 2.0])
    weights = np.correlate(x, g)  # one sum over the places for each weight
    wanted = np.array([*weights, g.sum()])
    given = array(answer, what="three numbers: first weight, second weight, bias")
    if given.shape != (3,):
        raise Wrong(f"Give three numbers, [first weight, second weight, bias]; yours have the shape {given.shape}.")
    mistakes = [
        (wanted / 2, "You take means. What the two places want is added up."),
        (-wanted, "Every number has the wrong sign. The minus belongs to the step, not to the gradient."),
        ([*(g[1] * x[1:]), g[1]], "Only the second place counts. Add what the first one wants."),
        ([*(g[0] * x[:2]), g[0]], "Only the first place counts. Add what the second one wants."),
        ([*weights[::-1], g.sum()], "The two weights are exchanged: the first one meets pixels 3 and 1."),
        ([*np.correlate(x, g[::-1]), g.sum()], "The places are exchanged: the gradient −1 belongs to pixels 3 and 1."),
        (
            [*np.correlate(x, [1.0, 1.0]), g.sum()],
            "You add up the pixels alone. Each one counts with a gradient.",
        ),
        ([*weights, 1.0 * len(g)], "The weights are right. The bias adds up the gradients, not the places."),
        ([*weights, g.mean()], "The weights are right. The bias takes the sum of the two gradients, not their mean."),
        ([*weights, 0.0], "The weights are right. The bias was added at both places, so it has a gradient, too."),
        ([*weights, g.sum() * x.sum()], "The weights are right. The bias meets no pixel: it is added as it is."),
    ]
    right = np.isclose(given, wanted)
    otherwise = "Not these three numbers. " + (
        "The weights are right. The bias is added at both places as it is, and collects their gradients."
        if right[:2].all()
        else "The bias is right; for each weight, write down the pixel that it meets at each of the two places."
        if right[2]
        else "Write down, for each weight, the pixel that it meets at each of the two places."
    )
    expect(given, wanted, mistakes, otherwise=otherwise)
    return "By hand, with nothing hidden. A layer of 225,034 weights does the same, only more often."


@LESSON.check("pixel-gradient")
def pixel_gradient(answer: Any) -> str:
    """Write the gradient of the pixels in one dimension."""
    cases = [(np.array([1.0, 10.0]), np.array([2.0, 3.0]))]
    for trial, rng in enumerate(trials(6)):
        places, size = (int(n) for n in rng.choice(range(2, 8), 2, replace=False))
        dtype = ("float64", "float32")[trial % 2]
        cases.append((rng.normal(size=places).astype(dtype), rng.normal(size=size).astype(dtype)))
    mistakes = [
        (
            lambda g, w: np.convolve(g, w[::-1]),
            "The weights meet the pixels in the wrong order: at place r, pixel r + a met weight a.",
        ),
        (lambda g, w: np.convolve(g, w)[::-1], "The pixels come out in reverse order."),
        (lambda g, w: -np.convolve(g, w), "Every number has the wrong sign. The minus belongs to the step."),
        (_last_place, "A later place overwrites an earlier one: collect with `+=` instead of `=`."),
        (lambda g, w: np.convolve(g, np.ones_like(w)), "Each place counts with the weight that the pixel met there."),
        (lambda g, w: np.convolve(np.ones_like(g), w), "Each weight counts with the gradient of its place."),
        (lambda g, w: np.convolve(g, w) / len(g), "You take a mean over the places. What they want is added up."),
        (lambda g, w: np.convolve(g, w) / len(w), "You take a mean over the weights. A pixel adds up all it is told."),
        (lambda g, w: np.outer(g, w), "One row for each place: now add what falls on the same pixel."),
        (lambda g, w: np.convolve(g, w)[:-1], "The last pixel is missing: places + weights − 1 pixels were seen."),
        (lambda g, w: np.convolve(g, w)[: len(g)], "There are more pixels than places: places + weights − 1."),
    ]

    def otherwise(case: tuple[Any, ...], answer: np.ndarray, wanted: np.ndarray) -> str:
        about = f"{len(case[0])} places, {len(case[1])} weights"
        if answer.shape != wanted.shape:
            return f"{about}: {len(wanted)} pixels were seen, and each has a gradient; your shape is {answer.shape}."
        return f"Not the sum over all places of gradient times the weight that the pixel met there ({about})."

    compare(answer, cases, np.convolve, mistakes, otherwise)
    return "What you wrote is `np.convolve`: the way back through a correlation is a convolution, the one that flips."


def _last_place(gradient: np.ndarray, weights: np.ndarray) -> np.ndarray:
    pixels = np.zeros(len(gradient) + len(weights) - 1)
    for place, wish in enumerate(gradient):
        pixels[place : place + len(weights)] = wish * weights
    return pixels


@LESSON.check("weight-gradient")
def weight_gradient(answer: Any) -> str:
    """Write the gradient of shared weights, with any stride."""
    cases = []
    for trial, rng in enumerate(trials(7)):
        size, stride = (int(n) for n in rng.integers((2, 1), (5, 4)))
        if trial < 4:  # once with a stride and nothing left over, once with as much as can be
            size, stride = ((3, 1), (5, 1), (3, 2), (2, 3))[trial]
        sides = np.sort(rng.choice(range(2, 7), 2, replace=False))[:: (1, -1)[trial % 2]]  # wide and tall ones
        rows, columns = (4, 4) if trial == 0 else (int(n) for n in sides)
        rest = rng.integers(0, stride, 2) if trial > 3 else (stride - 1,) * 2 if trial == 3 else (0, 0)
        height, width = ((n - 1) * stride + size + int(r) for n, r in zip((rows, columns), rest, strict=True))
        dtype = ("float64", "float32")[trial % 2]
        image, gradient = rng.normal(size=(height, width)), rng.normal(size=(rows, columns))
        cases.append((image.astype(dtype), gradient.astype(dtype), size, stride))
    mistakes = [
        (
            lambda i, g, k, s: _gradient(i, g, k, s) / g.size,
            "You take the mean. The gradient of a shared weight is the plain sum over its places.",
        ),
        (
            lambda i, g, k, s: _gradient(i, np.ones_like(g), k, s),
            "You add up the patches alone. Each counts with the gradient of the response it produced.",
        ),
        (
            lambda i, g, k, s: _gradient(i, g, k, s)[::-1, ::-1],
            "Yours is turned by 180 degrees. The flip belongs to the gradient of the IMAGE, not of weights.",
        ),
        (lambda i, g, k, s: _gradient(i, g, k, s).T, "Yours is transposed: rows stay rows."),
        (lambda i, g, k, s: -_gradient(i, g, k, s), "Every number has the wrong sign. Downhill comes later."),
        (
            lambda i, g, k, s: g[-1, -1] * convolve.patches(i, k, s)[-1, -1],
            "Only the last place counts: collect with `+=` instead of `=`.",
        ),
        (
            lambda i, g, k, s: g[0, 0] * convolve.patches(i, k, s)[0, 0],
            "Only the first place counts: is the `return` inside of the loop?",
        ),
        (
            lambda i, g, k, s: _gradient(i, np.abs(g), k, s),
            "A gradient has a sign: leave out `abs`.",
        ),
        (
            lambda i, g, k, s: np.tensordot(np.ascontiguousarray(g.T), convolve.patches(i, k, s), axes=2),
            "The gradients meet the wrong patches: gradient[row, column] belongs to the patch in that row and column.",
        ),
        (
            lambda i, g, k, s: np.tensordot(g, convolve.patches(i, k)[: len(g), : g.shape[1]], axes=2),
            "Right only with stride 1: response (r, c) met the patch that starts at pixel (r·s, c·s).",
        ),
        (
            lambda i, g, k, s: np.tensordot(g, convolve.patches(i, k, (s, 1))[:, : g.shape[1]], axes=2),
            "To the right you move by one pixel: response (r, c) met the patch at (r·s, c·s).",
        ),
        (
            lambda i, g, k, s: np.tensordot(g, convolve.patches(i, k, (1, s))[: len(g)], axes=2),
            "Downward you move by one pixel: response (r, c) met the patch at (r·s, c·s).",
        ),
        (
            lambda i, g, k, s: _gradient(i, g, k, s).sum(),
            "This is one number. The filter has size × size weights, and each its own gradient.",
        ),
    ]

    def otherwise(case: tuple[Any, ...], answer: np.ndarray, wanted: np.ndarray) -> str:
        (height, width), size, stride = case[0].shape, *case[2:]
        about = f"{height}×{width} image, {size}×{size} filter, stride {stride}"
        if answer.shape != wanted.shape:
            return f"A gradient has the shape of its weights, {wanted.shape}; yours has {answer.shape} ({about})."
        return f"Not the sum over all places of gradient[r, c] times the patch that lay there ({about})."

    only = [
        (
            lambda i, g, k, s: s > 1,
            "Right with stride 1, wrong with larger ones: response (r, c) met the patch that starts at (r·s, c·s).",
        ),
        (lambda i, g, k, s: g.shape[0] != g.shape[1], "Right for square maps, wrong for others: which axis is which?"),
    ]
    compare(answer, cases, _gradient, mistakes, otherwise, only)
    return "The sum over every patch it touched: backpropagation through a convolution is another convolution."


def _gradient(image: np.ndarray, gradient: np.ndarray, size: int, stride: int) -> np.ndarray:
    return np.tensordot(gradient, convolve.patches(image, size, stride), axes=2)
