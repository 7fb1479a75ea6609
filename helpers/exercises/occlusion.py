"""Questions and checks of the lesson "Occlusion"."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.network.models import ConvNet

LESSON = Lesson("occlusion")

LESSON.ask(
    "where",
    "A black 7×7 mask slides over an image of a 4. Where will the logit of class 4 fall most?",
    Option("Everywhere about equally", "Most of the image is empty paper. A black mask on black paper changes no "
           "pixel, so the score there cannot change at all."),
    Option("Where the mask covers strokes that make it a 4", "Only covered ink can be missed, and not all ink counts "
           "the same.", right=True),
    Option("In the corners of the image", "There is no ink in the corners: nothing is covered that was not black."),
)  # fmt: skip

LESSON.ask(
    "probability",
    "The network gives this 4 a probability of almost 1. How does the map of the drop in probability look?",
    Option("Like the map of the logit, with other numbers", "Softmax is not a change of units. Near 1 it is flat: the "
           "logit can fall by several units while the probability stays at 0.99."),
    Option("Blank nearly everywhere", "A sure network stays sure under most masks: the probability hardly moves, "
           "although the logit does.", right=True),
    Option("Noisier than the map of the logit", "Nothing random happens here. The map is flat, not noisy."),
)  # fmt: skip

LESSON.ask(
    "size",
    "You make the mask larger, from 3×3 to 14×14. What happens to the map?",
    Option("It gets sharper: a large mask has a stronger effect", "The effect does get stronger. But a place can only "
           "be told as exactly as the mask is large."),
    Option("It gets stronger and more smeared", "Large masks hurt more, and every pixel near a stroke lies under one "
           "of them.", right=True),
    Option("It stays the same, only slower to compute", "The number of masks even falls. The map changes a lot."),
)  # fmt: skip

LESSON.ask(
    "fill",
    "Instead of a black mask you use a white one. What will the map of class 4 show?",
    Option("The same strokes as with black", "Black hides ink. White adds a bright square: it hurts also where there "
           "was nothing to hide."),
    Option("Red also on the empty paper around the 4", "A white square beside the 4 destroys the shape without "
           "covering anything of it. The map shows what the square breaks.", right=True),
    Option("Nothing: white is the color of ink, so ink is not missed", "On the strokes the change is indeed small. "
           "Beside them it is large."),
)  # fmt: skip

LESSON.ask(
    "deletion",
    "Delete pixels, the most important ones first. Which order makes the logit fall first?",
    Option("A random order: it hits everything", "Most of its hits are empty paper. It takes long until enough ink "
           "is gone."),
    Option("The order of the occlusion map", "If the map is right, what it calls important is what the network "
           "misses.", right=True),
    Option("The order makes no difference, only the number counts", "Then no pixel would matter more than another, "
           "and every map would be wrong."),
)  # fmt: skip


def _shape(answer: Any, wanted: tuple[int, ...]) -> Tensor:
    answer = torch.as_tensor(answer)
    if answer.shape != wanted:
        raise Wrong(f"The shape should be {wanted}; yours is {tuple(answer.shape)}.")
    return answer.float()


@LESSON.check("cover")
def _(cover: Any) -> str:
    image = torch.rand(2, 12, 15) + 0.1
    given = image.clone()
    answer = call(cover, given, 3, 5, 4, 0.25)
    if not torch.equal(given, image):
        raise Wrong("The original image was painted over: work on `image.clone()`.")
    answer = _shape(answer, (2, 12, 15))
    wanted = image.clone()
    wanted[:, 3:7, 5:9] = 0.25
    swapped, black, first = image.clone(), image.clone(), image.clone()
    swapped[:, 5:9, 3:7] = 0.25
    black[:, 3:7, 5:9] = 0.0
    first[0, 3:7, 5:9] = 0.25
    outside = torch.full_like(image, 0.25)
    outside[:, 3:7, 5:9] = image[:, 3:7, 5:9]
    for mistake, hint in (
        (swapped, "Row and column are exchanged: rows are the second axis, columns the third."),
        (black, "The fill is `value`, not always 0."),
        (first, "Only the first channel is covered: use `:` for the channels."),
        (outside, "You covered everything except the square."),
        (image, "Nothing was covered."),
    ):
        if torch.equal(answer, mistake):
            raise Wrong(hint)
    if not torch.equal(answer, wanted):
        raise Wrong("The square should begin at (row, column) and be `size` pixels wide: `row : row + size`.")
    return "Half of occlusion is this line; the other half is asking again."


@LESSON.check("how-many")
def _(masks: Any) -> str:
    hints = {
        36: "With whole masks only, 6 fit in a row, and the last pixels stay uncovered. One more is needed.",
        484: "That is stride 1: 22 in a row. Here the mask moves by 4.",
        16: "28 / 7 = 4 in a row would be masks that do not overlap. They move by 4, not by 7.",
        7: "Seven in a row is right. And in a column?",
        6: "Six whole ones in a row, and one that is cut off. And in a column?",
    }
    if masks in hints:
        raise Wrong(hints[masks])
    if masks != 49:
        raise Wrong("List the starts in one row: 0, 4, 8... until a mask reaches pixel 27. Count them and square.")
    return "⌈(28 − 7) / 4⌉ + 1 = 7 in each direction, 49 in all: a tenth of the cost of stride 1."


@LESSON.check("spread")
def _(spread: Any) -> str:
    drops, size = torch.randn(6, 9), 4
    answer = _shape(call(spread, drops.clone(), size), (9, 12))
    total, count = torch.zeros(9, 12), torch.zeros(9, 12)
    last = torch.zeros(9, 12)
    for row in range(6):
        for column in range(9):
            total[row : row + size, column : column + size] += drops[row, column]
            count[row : row + size, column : column + size] += 1
            last[row : row + size, column : column + size] = drops[row, column]
    for mistake, hint in (
        (total, "These are sums. A pixel in the middle lies under more masks than one at the border: divide."),
        (total / size**2, "Not every pixel lies under size² masks: at the border fewer cover it. Count them."),
        (last, "Each mask overwrites the one before: add up, and count."),
        (total.abs() / count, "Keep the sign: negative drops are masks that help."),
    ):
        if torch.allclose(answer, mistake, atol=1e-5):
            raise Wrong(hint)
    if not torch.allclose(answer, total / count, atol=1e-5):
        raise Wrong("For each place, its drop belongs to all pixels `row : row + size`, `column : column + size`.")
    return "The same average that `attribution.occlusion` gives, border included."


@LESSON.check("synergy")
def _(synergy: Any) -> str:
    torch.manual_seed(3)
    model, image, target = ConvNet().eval(), torch.rand(1, 28, 28), 5
    first, second, size = (2, 3), (15, 12), 8
    given = image.clone()
    answer = call(synergy, model, given, target, first, second, size)
    if not torch.equal(given, image):
        raise Wrong("The original image was painted over: work on copies.")
    logits = []
    for places in ((), (first,), (second,), (first, second)):
        covered = image.clone()
        for row, column in places:
            covered[:, row : row + size, column : column + size] = 0
        logits.append(model(covered[None])[0].detach())
    none, one, two, both = (z[target] for z in logits)
    chances = [z.softmax(0)[target] for z in logits]
    try:
        value = float(answer)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong("The answer is one number.") from None
    wanted = (none - both) - (none - one) - (none - two)
    for mistake, hint in (
        (none - both, "That is the joint drop. Subtract what each mask does alone."),
        (-wanted, "The sign is turned around: a drop is the logit without the mask minus the logit with it."),
        ((none - one) + (none - two), "That is the sum of the single drops. The joint drop is missing."),
        (both - one - two, "The unmasked logit is missing: each drop is measured from it."),
        (chances[1] + chances[2] - chances[0] - chances[3], "The score is the logit, not the probability."),
    ):
        if abs(value - float(mistake)) < 1e-5:
            raise Wrong(hint)
    if abs(value - float(wanted)) > 1e-4:
        raise Wrong("(none − both) − (none − first) − (none − second), each the logit of `target`.")
    return "Zero for a linear network. What is left is how the two places work together."
