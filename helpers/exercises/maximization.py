"""Questions and checks of the lesson "What would excite it most?"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, expect, tensor, trials
from helpers.exercises.occlusion import decided, or_shape

LESSON = Lesson("maximization")

LESSON.ask(
    "naive-logit",
    "A real 3 gets a logit of about 15 from this network. What does the picture get after 200 steps uphill?",
    Option("Several hundred or more", "Pixels may become 50 or −50, and the logit grows with them. Such a number says "
           "that the climb has left the data, and little about 3s.", right=True),
    Option("About 30", "That is what the climb reaches with all the rules of this lesson. This one has none."),
    Option("About 15: more 3 than a 3 is not possible", "The logit is a sum without an upper limit. Nothing in the "
           "network knows where real digits end."),
)  # fmt: skip

LESSON.ask(
    "judge",
    "A network with other weights sees the ten tangles of the first row. Of how many does it name the class that was "
    "climbed?",
    Option("About one: it guesses", "It guesses when the same pixels are shuffled. In their places they mean something "
           "to it too."),
    Option("About half", "It does not halve: two networks that learned the same digits read tangles much more alike "
           "than your eye suggests."),
    Option("At least eight", "Under a third of the logit carries over, and still that is enough for the name: both "
           "learned the same digits, and both find the pieces in the tangle.", right=True),
)  # fmt: skip

LESSON.ask(
    "nobody",
    "The same two halves for a network that nobody trained. Which half gives it away?",
    Option("The drawn half", "Its climbs end in specks without a stroke. The patches that excite it are cut from "
           "digits, so they hold strokes whatever the filter wants.", right=True),
    Option("The found half", "Those patches are cut from digits, so they hold strokes whatever the filter wants."),
    Option("Both halves", "The drawn one does. The found one is cut from the same digits as before, and pieces of "
           "digits always look like pieces of digits."),
    Option("Neither: 8×8 pixels are too few to tell", "They are enough: the drawn pictures are specks in one network "
           "and strokes in the other."),
)  # fmt: skip

LESSON.ask(
    "votes",
    "The 64 filters of the second layer vote on this 4. How does it win?",
    Option("All 64 argue for it", "A vote is a map times its slope, and slopes have both signs: 19 filters argue "
           "against it."),
    Option("About two thirds for, a third against", "42 for, 19 against, 3 silent. A class wins by a lead, and some of "
           "the filters against it work for other classes.", right=True),
    Option("One filter decides", "The largest vote is 2.9 of a logit of 14.2, about a fifth. No filter decides "
           "alone."),
)  # fmt: skip

LESSON.ask(
    "random-noise",
    "Change pixels by ε = 0.3, by the signs of the gradient. Then deal the same changes out anew, at random, among "
    "pixels that are equally bright. What happens to the accuracy?",
    Option("Dealt anew: little harm. Chosen: it collapses", "Hundreds of pushes that agree are one large push.",
           right=True),
    Option("It falls equally: the changes are the same", "Their sizes are. But dealt at random they mostly cancel in "
           "the sums of the network, while chosen ones add up."),
    Option("Both do little harm", "To your eye it is gray dust in both cases, and you still read the digit. The "
           "network does not have your eye."),
)  # fmt: skip

LESSON.ask(
    "survivors",
    "Of 300 digits ten keep their answer at every ε up to 0.5. Which?",
    Option("A few of each class", "Each image gets its own step, so that would be fair. It is not so: all ten are of "
           "one class."),
    Option("The 1s and 0s, the plainest shapes", "Half of the 0s and half of the 1s have flipped at ε = 0.21."),
    Option("All ten are 8s", "This network takes noise for an 8: at ε = 0.3 it reads half of all the attacked digits "
           "as one. A step that adds noise to an 8 leads nowhere else.", right=True),
)  # fmt: skip


def _network(rng: Any) -> nn.Sequential:
    """A small network with opinions: smooth, so that float64 agrees with float32, and it never reads the last pixels.

    With steps of 3 its filters of 5×5 end at pixel 25: the gradient of the last two rows and columns is exactly 0.
    """
    layers = nn.Conv2d(1, 6, 5, stride=3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 8 * 8, 16), nn.Tanh()
    return decided(nn.Sequential(*layers, nn.Linear(16, 10)), torch.from_numpy(rng.random((60, 1, 28, 28))).float())


def _gradient(score: Callable[[Tensor, int], Tensor], finish: Callable[..., Tensor] | None = None) -> Callable:
    """Gradient of a score of the logits (N, 10) and a class with respect to the images, or what is made of it."""

    def answer(model: nn.Module, x: Tensor, c: int) -> Tensor:
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(score(model(leaf), c), leaf)
        return gradient if finish is None else finish(gradient, x)

    return answer


def _logit(z: Tensor, c: int) -> Tensor:
    return z[0, c]


def _image_gradient(answer: Any) -> Any:
    if isinstance(answer, tuple) and len(answer) == 1:
        raise Wrong("`torch.autograd.grad` returns a tuple: take its first element, `(gradient,) = ...`.")
    return array(answer, (1, 1, 28, 28))


@LESSON.check("slope")
def slope(answer: Any) -> str:
    """The gradient of any class's logit, for networks and images of all kinds; the network stays as it is."""
    cases = []
    for rng, c in zip(trials(), (3, 0, 9, 7), strict=True):
        model, image = _network(rng), torch.rand(1, 1, 28, 28)
        # Not the largest logit, which could be picked without `c`, and of either sign, so that its size is none either.
        while (logits := model(image)[0]).argmax() == c or (logits[c] > 0) == (c % 3 == 0 and c > 0):
            model = _network(rng)
        cases.append((model, image, c))
    scale = "Do not scale the gradient: the length of the step is a matter of the climb."
    compare(
        answer,
        cases,
        _gradient(_logit),
        (
            (_gradient(lambda z, c: z.softmax(1)[0, c]), "That is the gradient of the probability. It vanishes where "
             "the network is sure; take the logit."),
            (_gradient(lambda z, c: z.log_softmax(1)[0, c]), "That is the gradient of the logarithm of the "
             "probability: take the logit itself."),
            (_gradient(lambda z, c: F.cross_entropy(z, torch.tensor([c]))), "That is the gradient of the loss, which "
             "points downhill for the class: take the logit itself."),
            (_gradient(lambda z, c: z.sum()), "That is the gradient of all ten logits together: pick `[0, c]`."),
            (_gradient(lambda z, c: z.mean()), "That is the gradient of all ten logits together: pick `[0, c]`."),
            (_gradient(lambda z, c: z.max()), "That is the gradient of the largest logit: pick `[0, c]`."),
            *((_gradient(lambda z, _, k=k: z[0, k]), f"That is the gradient of logit {k}, whatever `c` is: pick "
               "`[0, c]`.") for k in range(10)),
            (_gradient(lambda z, c: z[0, c - 1]), "That is the gradient of the class before `c`."),
            (_gradient(lambda z, c: z[0, c] ** 2), "That is the gradient of the squared logit."),
            (_gradient(lambda z, c: z[0, c] - z[0].mean()), "That is the gradient of the lead over the mean of all "
             "logits: take logit `c` alone."),
            (_gradient(_logit, lambda g, x: -g), "The sign is turned around: uphill is plus."),
            (_gradient(_logit, lambda g, x: g.abs()), "The saliency map is the absolute value. A climb needs to know "
             "which way is up: keep the sign."),
            (_gradient(_logit, lambda g, x: g.relu()), "Keep the negative part: there less ink raises the logit."),
            (_gradient(_logit, lambda g, x: g * x), "That is gradient × input. The climb wants the gradient alone."),
            (_gradient(_logit, lambda g, x: x + g), "That is the image one step uphill. The gradient alone is asked "
             "for."),
            (_gradient(_logit, lambda g, x: g.sign()), "The sign alone is the fast method at the end of the lesson; "
             "here the gradient itself is asked for."),
            (_gradient(_logit, lambda g, x: g / g.norm()), scale),
            (_gradient(_logit, lambda g, x: g / g.abs().max()), scale),
        ),
        lambda *_: "Not the gradient of `model(x)[0, c]` with respect to x.",
        read=_image_gradient,
        atol=1e-5,
    )  # fmt: skip
    return "The slope of the hill: add a little of it to the image, and the logit rises."


@LESSON.check("top-of-the-hill")
def top_of_the_hill(top: Any) -> str:
    """w / 2λ for weights of both signs and λ below and above 1, never where 2λ or λ is 1."""
    ranges, shapes = ((0.1, 0.4), (1.5, 4.0), (0.6, 0.9), (5.0, 9.0)), ((5, 5), (3, 7), (28, 28), (6, 2))
    cases = [
        (torch.randn(shape) * 4, float(rng.uniform(*between)))
        for rng, between, shape in zip(trials(), ranges, shapes, strict=True)
    ]
    whole_numbers = "Your numbers are whole: an image has pixels in between, so do not round or convert them."
    lost = "Where does λ come in? The slope is w − 2λx, and at the top it is zero."
    clamped = "No clamp here: the penalty alone decides how far a pixel goes."
    compare(
        top,
        cases,
        lambda w, lam: w / (2 * lam),
        (
            (lambda w, lam: w / lam, "The derivative of λx² is 2λx: there is a 2 missing."),
            (lambda w, lam: w, lost),
            (lambda w, lam: w / 2, lost),
            (lambda w, lam: 2 * w, lost),
            (lambda w, lam: 2 * lam * w, "Upside down: solve w − 2λx = 0 for x."),
            (lambda w, lam: 2 * lam / w, "Upside down: solve w − 2λx = 0 for x."),
            (lambda w, lam: w / 2 * lam, "`w / 2 * lam` divides by 2 alone and multiplies by λ: λ belongs below."),
            (lambda w, lam: lam * w, "λ belongs below: solve w − 2λx = 0 for x."),
            (lambda w, lam: w * 2 / lam, "The 2 belongs below, beside λ: solve w − 2λx = 0 for x."),
            (lambda w, lam: w - 2 * lam, "Solve w − 2λx = 0 for x: divide by 2λ, do not subtract it."),
            (lambda w, lam: w - 2 * lam * w, "That is the slope at x = w. At the top the slope is zero: solve for x."),
            (lambda w, lam: w / (2 * lam**2), "λ is squared: in λx² only x is."),
            (lambda w, lam: w / lam**0.5, "No root: the derivative of λx² is 2λx."),
            (lambda w, lam: w / (2 + lam), "2λ is a product, not a sum."),
            (lambda w, lam: w.abs() / (2 * lam), "Keep the sign: where w is negative, less than nothing scores best."),
            (lambda w, lam: w.relu() / (2 * lam), "Keep the negative part: where w is negative, so is the best pixel."),
            (lambda w, lam: w.sign(), "That is the best image when pixels are clamped to ±1. Here the penalty decides "
             "how far to go."),
            (lambda w, lam: (w / (2 * lam)).clamp(0, 1), clamped),
            (lambda w, lam: (w / (2 * lam)).clamp(-1, 1), clamped),
            (lambda w, lam: -w / (2 * lam), "The sign is turned around: the minus in front of λ is already in the "
             "slope w − 2λx."),
            (lambda w, lam: (w / (2 * lam)).trunc(), whole_numbers),
            (lambda w, lam: (w / (2 * lam)).floor(), whole_numbers),
            (lambda w, lam: (w / (2 * lam)).round(), whole_numbers),
            (lambda w, lam: (w / (2 * lam)).T, "Rows and columns are exchanged."),
            (lambda w, lam: w / w.norm(), "Do not scale to a length: the penalty decides how far to go."),
        ),
        or_shape("At the top the slope w − 2λx is zero. Solve for x."),
    )  # fmt: skip
    return "The weights themselves, scaled: a linear unit's favorite image is its own weights."


def _loss(z: Tensor, goal: int) -> Tensor:
    return F.cross_entropy(z, torch.full((len(z),), goal), reduction="sum")


def _clear(slope: Tensor) -> Tensor:
    """Where the sign of a gradient (N, 1, H, W) is no matter of rounding, relative to the largest of each image."""
    return slope.abs() > 1e-3 * slope.abs().amax((1, 2, 3), keepdim=True)


def _foreseen(model: nn.Module, x: Tensor, goal: int, epsilon: float) -> list[tuple[Tensor, str]]:
    """The right step, and what the known mistakes make of the images, each with its hint."""

    def step(score: Callable[[Tensor, int], Tensor], toward: int = goal) -> Tensor:
        return epsilon * _gradient(score)(model, x, toward).sign()

    uphill = -_gradient(_loss)(model, x, goal)
    down = epsilon * uphill.sign()
    unsigned = "Where the slope is not 0 a pixel should move by exactly ε: take the sign of the gradient."
    return [
        ((x + down).clamp(0, 1), ""),
        ((x - down).clamp(0, 1), "This raises the loss of the goal: it moves away from it. Turn the sign around."),
        (x + down, "Some pixels left the range of ink and paper: clamp the result to [0, 1]."),
        ((x + down).clamp(max=1), "Some pixels are negative: clamp the result to [0, 1], at both ends."),
        ((x + down).clamp(min=0), "Some pixels are above 1: clamp the result to [0, 1], at both ends."),
        ((x + down).clamp(-1, 1), "Some pixels are negative: clamp to [0, 1], not to [−1, 1]."),
        (down, "That is the step alone: add it to the image."),
        (x, "Nothing has moved: return the changed images."),
        ((x + epsilon * uphill).clamp(0, 1), unsigned),
        ((x + epsilon * uphill / len(x)).clamp(0, 1), unsigned),
        ((x - step(lambda z, c: _loss(z.softmax(1), c))).clamp(0, 1), "`cross_entropy` wants logits, and applies "
         "softmax itself: no softmax before it."),
        ((x + step(lambda z, c: z[:, c].sum())).clamp(0, 1), "That climbs the logit of the goal, while others may "
         "climb faster. Go down its loss, `cross_entropy`, which sees all ten."),
        *(((x - step(_loss, k)).clamp(0, 1), f"That moves toward {k}, whatever the goal is: use `goal`.")
          for k in range(10)),
        *(((x + k / epsilon * down).clamp(0, 1), f"You always move by {k}: the step is `epsilon`.")
          for k in (0.1, 0.3)),
        (torch.cat([(x + down).clamp(0, 1)[:1], x[1:]]), "Only the first image has moved: all of them have to."),
    ]  # fmt: skip


@LESSON.check("make-it-say")
def make_it_say(answer: Any) -> str:
    """One signed step down the loss of any goal, for batches of any size; compared where the gradient is not 0."""
    found, cases, strict, astray = [], [], [], False
    for rng, count, goal in zip(trials(5), (4, 1, 3, 5, 2), (8, 0, 9, 3, 5), strict=True):
        epsilon, softer, slope = float(rng.uniform(0.03, 0.29)), torch.zeros(1), torch.zeros(1)
        clear = torch.ones(1, dtype=torch.bool)
        while (softer.sign() == slope.sign())[clear].float().mean() > 0.9:  # a second softmax must show
            model, x = _network(rng), torch.rand(count, 1, 28, 28)
            slope = _gradient(_loss)(model, x, goal)
            softer = _gradient(lambda z, c: _loss(z.softmax(1), c))(model, x, goal)
            clear, both = _clear(slope), _clear(slope) & _clear(softer)
        moved = tensor(call(answer, model, x, goal, epsilon), x.shape)
        foreseen = _foreseen(model, x, goal, epsilon)
        found.append(moved[both])
        cases.append([(value[both], hint) for value, hint in foreseen])
        strict.append((moved[clear], foreseen[0][0][clear]))
        rest = moved[~clear]
        astray |= bool(((rest - x[~clear]).abs() > epsilon + 1e-4).any() or rest.min() < 0 or rest.max() > 1)
    wanted, *mistakes = [(torch.cat([value for value, _ in one]), one[0][1]) for one in zip(*cases, strict=True)]
    other = "Not x − ε · sign(gradient of the loss of the goal), kept in [0, 1]."
    expect(torch.cat(found), wanted[0], mistakes, other)
    expect(torch.cat([here for here, _ in strict]), torch.cat([there for _, there in strict]), (), other)
    if astray:
        raise Wrong("Pixels whose gradient is 0 may stay or move by ε, but no further and not out of [0, 1].")
    return "The same move as maximization, one step long, with a digit as the start."
