"""Questions and checks of the lesson "What would excite it most?"."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.inside import maximize
from helpers.network.models import ConvNet

LESSON = Lesson("maximization")

LESSON.ask(
    "naive-picture",
    "200 steps uphill on the logit of class 3, from faint noise. What will the picture look like?",
    Option("A clean, perfect 3", "What most people expect. But nothing in the climb asks for a clean picture, only for "
           "a high number, and the network never learned what is not a 3 out there."),
    Option("A blur, like the average of all 3s", "The average is a compromise between images. The climb does not look "
           "at any image; it looks at the slope."),
    Option("A tangle of strokes, with no clear 3", "Pieces of 3s wherever they add to the score, one on top of the "
           "other, with values far from ink and paper.", right=True),
    Option("Noise, nearly unchanged", "The slope is far from zero everywhere: 200 steps change every pixel."),
)  # fmt: skip

LESSON.ask(
    "naive-logit",
    "A real 3 gets a logit of about 13 from this network. What does the picture get?",
    Option("About 13: more 3 than a 3 is not possible", "The logit is a sum without an upper limit. Nothing in the "
           "network knows where real digits end."),
    Option("About 20", "That is what a climb with strict rules reaches. This one has none."),
    Option("Several hundred or more", "Pixels may become 10 or −10, and the logit grows with them. Such a number says "
           "nothing about 3s, it says that the climb left the data.", right=True),
)  # fmt: skip

LESSON.ask(
    "judge",
    "A second network judges the pictures. For which does it confirm the largest share of the first one's excitement?",
    Option("No rule: they have the highest scores", "A high score from one network is not a promise about another: "
           "much of it comes from habits of these very weights."),
    Option("All the rules together", "The rules remove what only one network likes. What is left is what both "
           "learned from the same digits.", right=True),
    Option("The same share for all: both know digits", "Both know digits. But the pictures of the first rows are not "
           "digits, and out there the two networks were never asked to agree."),
)  # fmt: skip

LESSON.ask(
    "dream",
    "A photograph of a pagoda, pushed toward the second layer of a network that has only ever seen handwriting. What "
    "appears?",
    Option("Digits, all over the roof", "Whole digits live in the last layers. The second layer knows only parts."),
    Option("Short strokes, hooks and dots", "The parts that the second layer is made of, wherever the photograph "
           "gives them the slightest excuse.", right=True),
    Option("A sharper pagoda", "Edges do get stronger. But the layer gets more of what it already sees, not more of "
           "what is there."),
)  # fmt: skip

LESSON.ask(
    "random-noise",
    "Add ε = 0.3 to or subtract it from every pixel. Once the signs are random, once they follow the gradient. What "
    "happens to the accuracy?",
    Option("It falls equally: the amount of noise is the same", "The amount is the same. But random changes cancel in "
           "every sum of the network; chosen ones add up."),
    Option("Random signs: almost unharmed. Chosen signs: it collapses", "784 small pushes in the same direction are "
           "one large push.", right=True),
    Option("Both leave it almost unharmed: 0.3 is gray dust", "To your eye it is dust in both cases. The network's "
           "weights do not have your eye."),
)  # fmt: skip


def _network(seed: int = 0) -> ConvNet:
    torch.manual_seed(seed)
    return ConvNet().eval()


def _same_shape(answer: Any, like: Tensor) -> Tensor:
    if isinstance(answer, tuple) and len(answer) == 1:
        raise Wrong("`torch.autograd.grad` returns a tuple: take its first element, `(gradient,) = ...`.")
    if not isinstance(answer, Tensor) or answer.shape != like.shape:
        shape = tuple(answer.shape) if hasattr(answer, "shape") else type(answer).__name__
        raise Wrong(f"The answer has to have the shape of the image, {tuple(like.shape)}; yours is {shape}.")
    return answer.detach()


@LESSON.check("slope")
def _(slope: Any) -> str:
    model, x, c = _network(), torch.rand(1, 1, 28, 28), 3
    answer = _same_shape(call(slope, model, x.clone(), c), x)
    if any(p.grad is not None for p in model.parameters()):
        raise Wrong("`.backward()` leaves gradients in every weight of the network: use `torch.autograd.grad`.")
    leaf = x.clone().requires_grad_()
    logits = model(leaf)
    wanted = torch.autograd.grad(logits[0, c], leaf, retain_graph=True)[0]
    others = {
        "That is the gradient of the probability. It vanishes where the network is sure; take the logit.":
            torch.autograd.grad(logits.softmax(1)[0, c], leaf, retain_graph=True)[0],
        "That is the gradient of the loss, which points downhill for the class: take the logit itself.":
            torch.autograd.grad(F.cross_entropy(logits, torch.tensor([c])), leaf, retain_graph=True)[0],
        "That is the gradient of all ten logits together: pick `[0, c]`.":
            torch.autograd.grad(logits.sum(), leaf, retain_graph=True)[0],
        "The sign is turned around: uphill is plus.": -wanted,
        "The saliency map is the absolute value. A climb needs to know which way is up: keep the sign.": wanted.abs(),
    }  # fmt: skip
    if not torch.allclose(answer, wanted, atol=1e-6):
        for hint, mistake in others.items():
            if torch.allclose(answer, mistake, atol=1e-6):
                raise Wrong(hint)
        raise Wrong("Not the gradient of `model(x)[0, c]` with respect to x.")
    return "The slope of the hill: add a little of it to the image, and the logit rises."


@LESSON.check("top-of-the-hill")
def _(top: Any) -> str:
    w, lam = torch.randn(5, 5), 0.3
    answer = torch.as_tensor(call(top, w, lam))
    if answer.shape != w.shape:
        raise Wrong(f"An image has as many pixels as weights: {tuple(w.shape)}, yours is {tuple(answer.shape)}.")
    for mistake, hint in (
        (w / lam, "The derivative of λx² is 2λx: there is a 2 missing."),
        (w, "Where does λ come in? The slope is w − 2λx, and at the top it is zero."),
        (2 * lam * w, "Upside down: solve w − 2λx = 0 for x."),
        (w.sign(), "That is the best image when pixels are clamped to ±1. Here the penalty decides how far to go."),
        (-w / (2 * lam), "That is the bottom of the valley: the minus in front of λ is already in the slope."),
    ):
        if torch.allclose(answer, mistake.to(answer.dtype), atol=1e-5):
            raise Wrong(hint)
    if not torch.allclose(answer, (w / (2 * lam)).to(answer.dtype), atol=1e-5):
        raise Wrong("At the top the slope w − 2λx is zero. Solve for x.")
    return "The weights themselves, scaled: a linear unit's favorite image is its own weights."


@LESSON.check("total-variation")
def _(variation: Any) -> str:
    image = torch.rand(6, 9)
    answer = torch.as_tensor(call(variation, image.clone()))
    if answer.ndim:
        raise Wrong(f"The penalty is one number; this has the shape {tuple(answer.shape)}: sum it up.")
    down, right = image[1:] - image[:-1], image[:, 1:] - image[:, :-1]
    wanted = down.abs().sum() + right.abs().sum()
    around = (image - image.roll(1, 0)).abs().sum() + (image - image.roll(1, 1)).abs().sum()
    for mistake, hint in (
        (
            down.square().sum() + right.square().sum(),
            "Squares punish one sharp edge more than many faint ones: use `abs`.",
        ),
        (down.abs().sum(), "These are the differences downward. The differences to the right are missing."),
        (right.abs().sum(), "These are the differences to the right. The differences downward are missing."),
        (down.sum() + right.sum(), "Ups and downs cancel: take the absolute value before the sum."),
        (around, "`roll` compares the last row with the first. Nothing wraps around here: cut the image instead."),
        (down.abs().mean() + right.abs().mean(), "The sum is wanted, not the mean."),
    ):
        if torch.allclose(answer.float(), mistake, atol=1e-4):
            raise Wrong(hint)
    if not torch.allclose(answer.float(), wanted, atol=1e-4):
        raise Wrong("Add the absolute differences downward to those to the right, each pixel pair once.")
    assert torch.allclose(wanted, maximize.total_variation(image[None, None])[0], atol=1e-4)
    return "Smooth pictures are cheap, checkerboards expensive: that is how the rule keeps noise out."


@LESSON.check("make-it-say")
def _(make_it_say: Any) -> str:
    model, x, goal, epsilon = _network(1), torch.rand(4, 1, 28, 28), 8, 0.1
    answer = _same_shape(call(make_it_say, model, x.clone(), goal, epsilon), x)
    if any(p.grad is not None for p in model.parameters()):
        raise Wrong("`.backward()` leaves gradients in every weight of the network: use `torch.autograd.grad`.")
    leaf = x.clone().requires_grad_()
    loss = F.cross_entropy(model(leaf), torch.full((4,), goal), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, leaf)
    step = epsilon * gradient.sign()

    def same(other: Tensor) -> bool:
        # Where the gradient is almost zero, its sign is rounding: a few pixels may differ.
        return ((answer - other).abs() > 1e-5).float().mean().item() < 0.01

    if same((x + step).clamp(0, 1)):
        raise Wrong("This raises the loss of the goal: it moves away from it. Turn the sign around.")
    if same(x - step):
        raise Wrong("Some pixels left the range of ink and paper: clamp the result to [0, 1].")
    if same((x - epsilon * gradient).clamp(0, 1)):
        raise Wrong("Every pixel should move by exactly ε: take the sign of the gradient.")
    if not same((x - step).clamp(0, 1)):
        raise Wrong("Not x − ε · sign(gradient of the loss of the goal), kept in [0, 1].")
    return "The same move as maximization, one step long, with a digit as the start."
