"""Questions and checks of the lesson "Occlusion"."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, number, trials

Place = tuple[int, int]

LESSON = Lesson("occlusion")

LESSON.ask(
    "where",
    "A black 7×7 mask slides over the image of a 4. Under which mask does the logit of class 4 fall most?",
    Option("Where it covers the most ink", "Close, because ink is what a black mask takes away. But the most ink lies "
           "in the foot of the right bar, and a mask there costs a fifth less than one that lies four rows higher."),
    Option("Where the crossbar meets the right bar", "There the logit falls by 9.3. A map says where, not why: that "
           "the network needs the junction is a guess until you test it.", right=True),
    Option("In the gap at the top, because a closed gap would make it a 9", "A black mask cannot close a black gap. "
           "Where it covers no ink it changes no pixel, so the logit cannot fall."),
)  # fmt: skip

LESSON.ask(
    "probability",
    "The network gives this 4 a probability of almost 1. Under how many of the 484 masks does that probability change "
    "by less than 0.01?",
    Option("Under about 16% of them", "That many cover no ink at all, and change nothing. But many masks that do cover "
           "ink leave the probability alone as well."),
    Option("Under about half of them", "The logit changes by less than 1 under 45% of them. Softmax hides more than "
           "that."),
    Option("Under about three quarters of them", "Near 1 softmax is flat: the logit can fall by several units and "
           "leave the probability where it is.", right=True),
)  # fmt: skip

LESSON.ask(
    "flips",
    "A 7×7 mask covers 6% of an image. The network reads the first 100 test images correctly. For how many of them is "
    "there a position where one black mask changes the answer?",
    Option("For more than half", "For 63. Most digits depend on a few pixels, if you choose them well.", right=True),
    Option("For about 20", "A mask of 3×3 is enough for that many. This one is larger."),
    Option("For about 5", "About 5% of the masks change the answer, so that is what a mask at a random position would "
           "do. You may choose among 484."),
)  # fmt: skip

LESSON.ask(
    "size",
    "You make the mask larger, from 3×3 to 14×14. What happens to the map?",
    Option("It gets stronger and more smeared", "Large masks hurt more, and nearly every pixel lies under one of them.",
           right=True),
    Option("It gets sharper, because a large mask has a stronger effect", "The effect does get stronger. But every "
           "pixel near a stroke now lies under some mask that hurts, so the map shows less exactly where."),
    Option("It stays the same, and takes longer to compute", "There are even fewer masks: 225 positions in place of "
           "676. And the map changes a lot."),
)  # fmt: skip

LESSON.ask(
    "fill",
    "You use a white mask instead of a black one. Where is the map of class 4 reddest?",
    Option("On the strokes, as with black", "Black takes ink away. White adds a bright square, and on a stroke it adds "
           "less than on paper."),
    Option("On empty paper, in the gap at the top", "Close the gap and the network reads a 9. The map shows what the "
           "white square breaks, and that can be where the digit has nothing.", right=True),
    Option("Nowhere, because white is the color of ink and so none is missed", "A square is wider than a stroke. It "
           "spoils the shape, on the strokes and even more beside them."),
)  # fmt: skip

LESSON.ask(
    "deletion",
    "You delete pixels in four different orders. Which order makes the logit fall fastest?",
    Option("The 7×7 map, highest value first", "It is the strongest map, but after 15 pixels bare brightness has "
           "overtaken it: 18% of its first 32 pixels are paper."),
    Option("The 3×3 map, highest value first", "It is fainter, but sharper: 2% of its first 32 pixels are paper, and "
           "the rest is not just any ink.", right=True),
    Option("Brightest pixel first, without asking any network", "It overtakes the 7×7 map after 15 pixels, since only "
           "ink can be missed. But which ink it is makes a difference."),
    Option("A random order of the ink pixels", "It wastes no deletion on paper, which makes it the fair control. "
           "Up to 90 pixels it is the slowest of the four."),
)  # fmt: skip

LESSON.ask(
    "pair",
    "This 7 has a thick bar. A mask over the upper half of the bar costs its logit 0.2, one over the lower half costs "
    "1.3. What do both together cost?",
    Option("About 1.5: the two drops add up", "That is a good rule. For most pairs of masks the joint drop is near the "
           "sum. This pair is an exception, because each half can replace the other."),
    Option("Less than 1.5, because the network is used to the first mask", "A network gets used to nothing: each "
           "answer starts from scratch. And half a bar is still a bar, but without both halves there is none."),
    Option("About 7, and the answer changes", "Each half is enough for a 7. Cover one at a time and neither seems to "
           "matter. Without both it is a 1.", right=True),
)  # fmt: skip


def decided(model: nn.Sequential, x: Tensor) -> nn.Sequential:
    """Rescale the weights of a random network until it has opinions: a fresh one gives every image the same logits.

    Each layer with weights is scaled and shifted so that its outputs for the batch ``x`` have mean 0 and a deviation
    of 1.5, the logits of 3. Then masks, gradients and softmax have effects far above rounding.
    """
    weighted = [layer for layer in model if hasattr(layer, "weight")]
    with torch.no_grad():
        for layer in model:
            if layer in weighted:
                outputs = layer(x).transpose(0, 1).flatten(1)  # (channels, N · places)
                scale = (3.0 if layer is weighted[-1] else 1.5) / outputs.std(1)
                layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.ndim - 1)))
                layer.bias.copy_((layer.bias - outputs.mean(1)) * scale)
            x = layer(x)
    return model.eval()


def or_shape(hint: str) -> Callable[..., str]:
    """The hint when no mistake explains an answer, unless its shape is wrong: then that is the hint."""

    def otherwise(_: Any, answer: Any, wanted: Any) -> str:
        mine, right = np.shape(answer), tuple(np.shape(wanted))
        return hint if mine == right else f"The shape should be {right}; yours is {mine}."

    return otherwise


def one_number(what: str, advice: str) -> Callable[[Any], float]:
    """Reads one number; whoever gives a whole table reads its shape and the advice."""

    def read(answer: Any) -> float:
        shape = tuple(getattr(answer, "shape", ()))
        if math.prod(shape) > 1:
            raise Wrong(f"One number is asked for, {what}; yours has the shape {shape}: {advice}.")
        return number(answer, f"one number, {what}")

    return read


def _cover(
    image: Tensor, row: int, column: int, size: int, value: float = 0.0, *, channels: slice = slice(None)
) -> Tensor:
    covered = image.clone()
    covered[channels, row : row + size, column : column + size] = value
    return covered


def _all_but(image: Tensor, row: int, column: int, size: int, value: float = 0.0) -> Tensor:
    square = _cover(torch.zeros_like(image), row, column, size, 1.0) == 1
    return image.where(square, torch.tensor(value))


@LESSON.check("cover")
def cover(answer: Any) -> str:
    """A copy of an image with one square filled: any channels, sides, places, sizes and values."""
    cases: list[tuple[Any, ...]] = []
    for case, rng in enumerate(trials(6)):
        size = 3 + case // 2
        height, width = (int(side) for side in rng.permutation([13, 17]))
        row, column = (int(place) for place in rng.permutation(8)[:2])
        row, column = ((height - size, column), (row, width - size), (row, column))[case % 3]  # also at both edges
        row, column = (0, 1) if case == 2 else (row, column)  # also where `row : size` covers something
        image = torch.rand((1, 3, 2)[case % 3], height, width) * 2 - 0.5
        cases.append((image, row, column, size, float((0.25, -0.75, 1.5)[case % 3] + rng.random())))
    compare(
        answer,
        cases,
        _cover,
        (
            (lambda i, r, c, *rest: _cover(i, c, r, *rest), "Row and column are exchanged: rows are the second axis, "
             "columns the third."),
            (lambda i, r, c, s, *_: _cover(i, r, c, s), "The fill is `value`, not always 0."),
            (lambda i, r, c, s, *_: _cover(i, r, c, s, 1.0), "The fill is `value`, not always 1."),
            (lambda *a: _cover(*a, channels=slice(1)), "Only the first channel is covered: use `:` for the channels."),
            (lambda *a: _cover(*a, channels=slice(-1, None)), "Only the last channel is covered: use `:` for the "
             "channels."),
            (_all_but, "You covered everything except the square."),
            (lambda i, *_: i, "In what you return nothing is covered: paint on the copy, and return the copy."),
            (lambda i, r, c, s, *v: _cover(i, r, c, s - 1, *v), "Your square is a pixel too small: the slice "
             "`row : row + size` has `size` rows already, its end is not in it."),
            (lambda i, r, c, s, *v: _cover(i, r, c, s + 1, *v), "Your square is a pixel too large: the slice "
             "`row : row + size` has `size` rows already, its end is not in it."),
            (lambda i, r, c, s, *v: _cover(i, r + 1, c + 1, s, *v), "Your square begins one row and one column too "
             "late: `row` and `column` are its first ones."),
        ),
        or_shape("The square should begin at (row, column) and be `size` pixels wide and high: `row : row + size`."),
        defaults=(0.0,),
    )  # fmt: skip
    return "Half of occlusion is this line; the other half is asking again."


def _spread(drops: Tensor, size: int, combine: Callable[..., Tensor] = torch.add, start: float = 0.0) -> Tensor:
    """What all masks write over the pixels, combined one by one: by default their sum."""
    rows, columns = drops.shape
    pixels = torch.full((rows + size - 1, columns + size - 1), start)
    for row in range(rows):
        for column in range(columns):
            under = slice(row, row + size), slice(column, column + size)
            pixels[under] = combine(pixels[under], drops[row, column])
    return pixels


def _counts(drops: Tensor, size: int) -> Tensor:
    return _spread(torch.ones_like(drops), size)


def _mean(drops: Tensor, size: int) -> Tensor:
    return _spread(drops, size) / _counts(drops, size)


def _last(drops: Tensor, size: int) -> Tensor:
    return _spread(drops, size, lambda _, drop: drop)


@LESSON.check("spread")
def spread(answer: Any) -> str:
    """The mean drop of the masks over each pixel: more places than the mask is wide, and fewer."""
    shapes = ((6, 9, 4), (9, 5, 3), (3, 7, 5), (7, 4, 2))
    cases = [
        (torch.randn(rows + int(rng.integers(2)), columns + int(rng.integers(2))) * 3, size)
        for (rows, columns, size), rng in zip(shapes, trials(), strict=True)
    ]
    sign = "Keep the sign: a negative drop says that what was covered is evidence against the class."
    compare(
        answer,
        cases,
        _mean,
        (
            (_spread, "These are sums. A pixel in the middle lies under more masks than one at the border: divide."),
            (lambda d, s: _spread(d, s) / s**2, "Not every pixel lies under size² masks: at the border fewer cover "
             "it. Count them."),
            (lambda d, s: _spread(d, s) / s, "Dividing by `size` is not the mean: divide by the number of masks over "
             "each pixel."),
            (lambda d, s: _spread(d, s) / d.numel(), "Divide by the number of masks over the pixel, not by that of "
             "all masks."),
            (lambda d, s: _spread(d, s) / _counts(d, s).max(), "At the border fewer masks cover a pixel: count them, "
             "place by place."),
            (_counts, "That is the count alone: how many masks cover each pixel. Divide the sum by it."),
            (_last, "Each mask overwrites the one before: add up, and count."),
            (lambda d, s: _last(d, s) / _counts(d, s), "Each mask overwrites the one before: add up with `+=`."),
            (lambda d, s: _spread(d, s, torch.maximum, -torch.inf), "That is the largest drop over each pixel; the "
             "mean is asked for."),
            (lambda d, s: _mean(d, s).abs(), sign),
            (lambda d, s: _mean(d.abs(), s), sign),
            (lambda d, s: _mean(d, s).clamp(min=0), sign),
            (lambda d, s: _mean(d.clamp(min=0), s), sign),
            (lambda d, s: -_mean(d, s), "The sign is turned around."),
        ),
        or_shape("For each place, its drop belongs to all pixels `row : row + size`, `column : column + size`."),
    )  # fmt: skip
    return "The same average that `occlusion` gives, border included."


def _scores(
    model: nn.Module, image: Tensor, first: Place, second: Place, size: int = 7, fill: float = 0.0
) -> tuple[Tensor, ...]:
    """Logits (classes,) without a mask, with the first, the second and both."""
    one, two = _cover(image, *first, size, fill), _cover(image, *second, size, fill)
    with torch.no_grad():
        none, *rest = model(torch.stack([image, one, two, _cover(one, *second, size, fill)])).double()
    return none, *rest


def _together(none: Any, one: Any, two: Any, both: Any) -> Any:
    return (none - both) - (none - one) - (none - two)


def _synergy(
    formula: Callable[..., Any] = _together, change: Callable[..., Any] = lambda z, c: z[c], **other: Any
) -> Callable[..., float]:
    """The answer with another formula of the four scores, another score, or other masks."""

    def answer(model: nn.Module, image: Tensor, target: int, first: Place, second: Place, size: int = 7) -> float:
        size = other.get("size", size) + other.get("wider", 0)
        places = (first[::-1], second[::-1]) if "flipped" in other else (first, second)
        logits = _scores(model, image, *places, size, other.get("fill", 0.0))
        return float(formula(*(change(z, target) for z in logits)))

    return answer


@LESSON.check("synergy")
def synergy(answer: Any) -> str:
    """Joint drop minus single drops: other networks, classes, places and sizes, and effects well above rounding."""
    cases: list[tuple[Any, ...]] = []
    right, chances = _synergy(), _synergy(change=lambda z, c: z.softmax(0)[c])
    for rng in trials(5):
        channels, size = int(rng.integers(1, 4)), (7, 6, 9, 5, 7)[len(cases)]
        height, width = (int(side) for side in rng.permutation([24, 29]))
        units = 6 * ((height - 5) // 3 + 1) * ((width - 5) // 3 + 1)
        effect = of_chances = 0.0
        # Both signs, or nobody would see a missing one; and probabilities that change, or 0 would pass for theirs.
        while effect * (-1) ** len(cases) < 0.3 or abs(of_chances) < 0.01:
            layers = nn.Conv2d(channels, 6, 5, stride=3), nn.Tanh(), nn.Flatten(), nn.Linear(units, 16), nn.Tanh()
            images = 0.2 + 0.8 * torch.rand(60, channels, height, width)  # black is not the darkest pixel of the image
            rows, columns = rng.permutation(height - size + 1)[:2], rng.permutation(width - size + 1)[:2]
            places = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
            model = decided(nn.Sequential(*layers, nn.Linear(16, 10)), images)
            case = (model, images[0], int(rng.integers(10)), *places, size)
            effect, of_chances = right(*case), chances(*case)
        cases.append(case)
    missing = "The unmasked logit is missing: each drop is measured from it."
    class_of = "Read the logit of `target`: that is the answer for another class, or for the largest logit."
    compare(
        answer,
        cases,
        right,
        (
            (_synergy(lambda n, a, b, ab: n - ab), "That is the joint drop. Subtract what each mask does alone."),
            (_synergy(lambda *s: -_together(*s)), "The sign is turned around: a drop is the logit without the mask "
             "minus the logit with it, and the single drops are subtracted from the joint one."),
            (_synergy(lambda n, a, b, ab: n - a + n - b), "That is the sum of the single drops. The joint drop is "
             "missing."),
            (_synergy(lambda n, a, b, ab: n - ab + n - a + n - b), "Subtract the single drops from the joint one; you "
             "added all three."),
            (_synergy(lambda n, a, b, ab: a - ab), "The drop of the second mask alone is missing."),
            (_synergy(lambda n, a, b, ab: b - ab), "The drop of the first mask alone is missing."),
            (_synergy(lambda n, a, b, ab: (a + b) / 2 - ab), "Subtract the sum of the single drops, not their mean."),
            (_synergy(lambda n, a, b, ab: n - a), "That is what the first mask does alone."),
            (_synergy(lambda n, a, b, ab: n - b), "That is what the second mask does alone."),
            (_synergy(lambda n, a, b, ab: ab - a - b), missing),
            (_synergy(lambda n, a, b, ab: a + b - ab), missing),
            (_synergy(lambda *s: abs(_together(*s))), "Keep the sign: negative means that the pair matters less than "
             "its parts together."),
            (chances, "The score is the logit, not the probability."),
            (_synergy(change=lambda z, c: z.log_softmax(0)[c]), "The score is the logit, not the logarithm of the "
             "probability."),
            (_synergy(change=lambda z, c: z.sum()), "Those are all logits added up: read that of `target`."),
            (_synergy(change=lambda z, c: z.max()), class_of),
            *((_synergy(change=lambda z, c, k=k: z[k]), class_of) for k in range(10)),
            (_synergy(change=lambda z, c: z[(c + 1) % 10]), class_of),
            (_synergy(flipped=True), "Row and column are exchanged: a place is (row, column)."),
            (_synergy(fill=1.0), "The squares are covered with black, 0."),
            (_synergy(wider=-1), "Your squares are one pixel too narrow."),
            (_synergy(wider=1), "Your squares are one pixel too wide."),
            (_synergy(size=7), "Your squares are always 7 pixels wide: the width is `size`."),
        ),
        lambda *_: "(none − both) − (none − first) − (none − second), each the logit of `target` for a fresh copy.",
        read=one_number("a difference of drops", "read the logit of `target` alone"),
        atol=1e-3,
        defaults=(7,),
    )  # fmt: skip
    return "Zero for a linear network. What is left is how the two places work together."
