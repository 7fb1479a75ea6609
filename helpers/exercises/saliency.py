"""Questions and checks of the lesson "Saliency and its relatives"."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from helpers.exercises.core import Lesson, Option, Wrong, call

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
    Option("No: there is nothing there to look at", "The gradient does not ask what is there. It asks what a little "
           "ink would do, and on empty paper a little ink can do a lot."),
    Option("Yes: ink added there could change the score", "A stroke that closes the top of a 4 makes it a 9. The "
           "gradient knows that, although nothing is drawn there.", right=True),
    Option("Yes, but only at the border of the image", "The border is the quietest part: no digit of the training "
           "set ever reached it."),
)  # fmt: skip

LESSON.ask(
    "rules",
    "In guided backpropagation every ReLU stops what is negative on the way back. Compared with the plain gradient, "
    "the picture will be",
    Option("the same, only without the blue", "Clamping the finished map would do that. Here the clamp acts in every "
           "layer, before positive and negative parts can cancel."),
    Option("cleaner: only what supports the score all the way gets through", "Nothing negative can cancel it on its "
           "way. Whether cleaner is also truer is another question.", right=True),
    Option("noisier, since information is thrown away", "What is thrown away is what made the plain gradient "
           "flicker."),
)  # fmt: skip

LESSON.ask(
    "deletion",
    "You delete the pixels that a map puts first. Whose map makes the mean logit fall first?",
    Option("Grad-CAM: it is made from whole features", "Its map has 11×11 fields. It names the right region and "
           "spends most deletions on the paper inside it."),
    Option("Integrated gradients: its shares add up to the score", "A pixel with a large positive share is one whose "
           "way from black to ink raised the score. Take it back, and the score falls.", right=True),
    Option("The absolute gradient: the largest slope, the largest effect", "It mixes pixels whose ink helps with "
           "pixels where ink would hurt, and many of those are black already."),
)  # fmt: skip

LESSON.ask(
    "sanity",
    "You give the classifier of the network random weights. It knows no digit any more. Which map of a 4 will stay "
    "almost as it was?",
    Option("None: the network has forgotten everything it looked at", "So it should be. One method does not notice."),
    Option("Occlusion", "It asks the network, and the network now answers nonsense: the map changes."),
    Option("Guided backpropagation", "Its clamps let through the edges of the image, nearly whatever stands above "
           "them.", right=True),
    Option("The signed gradient", "Its signs come from the upper layers. With random ones they are random."),
)  # fmt: skip


def _shaped(answer: Any, wanted: tuple[int, ...]) -> Tensor:
    answer = torch.as_tensor(answer)
    if answer.shape != wanted:
        raise Wrong(f"The shape should be {wanted}; yours is {tuple(answer.shape)}.")
    return answer.detach().double()


def _compare(answer: Tensor, mistakes: tuple[tuple[Tensor, str], ...]) -> None:
    for mistake, hint in mistakes:
        if mistake.shape == answer.shape and torch.allclose(answer, mistake.double(), atol=1e-5, rtol=1e-4):
            raise Wrong(hint)


def _close(answer: Tensor, wanted: Tensor) -> bool:
    return torch.allclose(answer, wanted.double(), atol=1e-5, rtol=1e-4)


@LESSON.check("one-against-another")
def _(one_against_another: Any) -> str:
    weights = torch.randn(10, 784)
    answer = _shaped(call(one_against_another, weights.clone(), 7, 2), (28, 28))
    wanted = (weights[7] - weights[2]).view(28, 28)
    _compare(
        answer,
        (
            (-wanted, "The sign is turned around: red should speak for the first class."),
            (weights[7].view(28, 28), "That is the map of one class alone. What does a pixel do to the rival?"),
            (wanted.abs(), "Keep the sign: it says which of the two classes the pixel speaks for."),
            (wanted.T, "Rows and columns are exchanged: `view(28, 28)` restores the image."),
            ((weights[7] + weights[2]).view(28, 28), "A pixel that raises both logits decides nothing: subtract."),
        ),
    )
    if not _close(answer, wanted):
        raise Wrong("The score is logit a − logit b. What is its derivative with respect to each pixel?")
    return "The weights that both classes share cancel: what is left is what tells them apart."


@LESSON.check("three-rules")
def _(back: Any) -> str:
    x, g = torch.randn(6, 7), torch.randn(6, 7)
    on, up = (x > 0).float(), (g > 0).float()
    right = {"backprop": g * on, "deconvnet": g * up, "guided": g * on * up}
    answers = {rule: _shaped(call(back, x.clone(), g.clone(), rule), (6, 7)) for rule in right}
    if all(torch.equal(answers["backprop"], a) for a in answers.values()):
        raise Wrong("All three rules give the same: look at `rule`.")
    if _close(answers["backprop"], right["deconvnet"]) and _close(answers["deconvnet"], right["backprop"]):
        raise Wrong("The derivative and the deconvnet are exchanged: the derivative looks at x, the deconvnet at g.")
    for rule, answer in answers.items():
        if _close(answer, right[rule]):
            continue
        _compare(
            answer,
            (
                (x * on, f"{rule}: you sent the activation back. What comes back is g, or 0."),
                (on, f"{rule}: that is the slope of the ReLU. Multiply it by what comes from above, g."),
                (g, f"{rule}: nothing was stopped."),
                (g * (1 - on), f"{rule}: the gates are the wrong way round: open where x is positive."),
                (g.abs() * on, f"{rule}: stopping what is negative is not taking its absolute value."),
                (torch.maximum(on, up) * g, f"{rule}: guided needs both conditions, not one of the two."),
            ),
        )
        raise Wrong(f"The rule {rule!r} is not right yet: where x > 0, where g > 0, or where both hold?")
    return "Guided backpropagation passes only what both of the others pass."


@LESSON.check("grad-cam")
def _(cam: Any) -> str:
    maps, gradients = torch.randn(5, 4, 6).relu(), torch.randn(5, 4, 6)
    answer = _shaped(call(cam, maps.clone(), gradients.clone()), (4, 6))
    weight = gradients.mean((1, 2), keepdim=True)
    total = (weight * maps).sum(0)
    each = (gradients * maps).sum(0)
    _compare(
        answer,
        (
            (total, "Only the positive part: a place that speaks against the class should be zero."),
            (total.abs(), "Not the absolute value: what speaks against the class becomes zero."),
            (each.relu(), "Each map gets one weight, the mean of its gradient over all places."),
            (each, "Each map gets one weight, the mean of its gradient over all places."),
            ((maps * gradients.sum((1, 2), keepdim=True)).sum(0).relu(), "The weight is the mean, not the sum."),
            ((weight * maps).mean(0).relu(), "Weight by the mean of the gradient, then add the maps up: no mean here."),
            ((weight.relu() * maps).sum(0), "Clamp at the end: a map with a negative weight has to count against."),
            (maps.sum(0), "The gradient is missing: without weights this is no answer about a class."),
        ),
    )
    if not _close(answer, total.relu()):
        raise Wrong("One weight per map: `gradients.mean((1, 2), keepdim=True)`. Weigh, add up, clamp at zero.")
    return "A weight for each feature, a sum, a clamp: a class map as coarse as the layer it comes from."


@LESSON.check("integrated-gradients")
def _(integrated: Any) -> str:
    a, x, b = torch.rand(3, 5), torch.rand(3, 5) + 0.5, 0.3 * torch.rand(3, 5)
    asked: list[Tensor] = []

    def gradient_at(image: Tensor) -> Tensor:  # of the score (a x³).sum()
        asked.append(image)
        return 3 * a * image**2

    steps = 4
    answer = _shaped(call(integrated, gradient_at, x.clone(), b.clone(), steps), (3, 5))

    def along(shares: Tensor) -> Tensor:
        return torch.stack([3 * a * (b + s * (x - b)) ** 2 for s in shares]).mean(0)

    middle = along((torch.arange(steps) + 0.5) / steps)
    _compare(
        answer,
        (
            (middle, "That is the mean slope. Times the way, image − baseline, it becomes a share of the score."),
            (middle * x, "Times the way from the baseline, not times the image: the two differ unless it is black."),
            (middle * (x - b) * steps, "That is a sum. Take the mean over the steps."),
            ((x - b) * along(torch.arange(steps) / steps), "You took the start of each step; take its middle."),
            ((x - b) * along(torch.arange(1, steps + 1) / steps), "You took the end of each step; take its middle."),
            ((x - b) * along(torch.linspace(0, 1, steps)), "Both ends are in, each with full weight: take the middle "
             "of each step, (i + 0.5) / steps."),
            ((x - b) * along(torch.ones(1)), "You asked only at the image itself: that is gradient × input."),
            ((x - b) * along(torch.tensor([0.5])), "One point halfway is not enough: ask at every step of the way."),
            (middle * (b - x), "The way leads from the baseline to the image: image − baseline."),
        ),
    )  # fmt: skip
    if not _close(answer, middle * (x - b)):
        raise Wrong("At step i the image is baseline + (i + 0.5) / steps · (image − baseline). Ask there; average.")
    return "The shares add up to score(image) − score(baseline), the better the more steps you take."
