"""Questions and checks of the lesson "FashionMNIST, overfitting, dropout and momentum"."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.exercises.core import Lesson, Option, Wrong, call

LESSON = Lesson("overfitting")

LESSON.ask(
    "hardest",
    "Ten kinds of clothes, 1,000 test images of each. Which kind will the network get wrong most often?",
    Option("Sandals: no two look alike", "They differ from each other, and from everything else: nothing else in the "
           "closet has straps. What counts is not how much a class varies but who its neighbors are."),
    Option("Shirts", "A shirt has the outline of a T-shirt, a pullover and a coat. At 28×28 pixels the buttons and "
           "the collar, which would settle it, are a pixel or two.", right=True),
    Option("Bags: they have no fixed shape", "No sleeves, no legs, no heel: a bag is told by what it lacks, and very "
           "few garments lack all of it."),
    Option("All about the same", "That would need ten classes that are equally far apart. These are not: look at the "
           "ten pictures again and count the silhouettes."),
)  # fmt: skip

LESSON.ask(
    "thirty-times",
    "The network sees the same 500 images thirty times over. What will the loss on other images, the validation "
    "loss, do?",
    Option("Fall, as the training loss does", "For a while it does. But the two losses ask different questions: do "
           "you know these 500, and do you know clothes?"),
    Option("Fall, then stay where it is", "The accuracy does about that. The loss also counts how sure the network is "
           "when it is wrong, and it keeps getting surer."),
    Option("Fall, then rise again", "At first it learns what clothes look like. Then it learns these 500 by heart, "
           "and is wrong about others with growing conviction: overfitting.", right=True),
    Option("Rise from the start", "In the first epochs it learns what a trouser is, which helps with every trouser."),
)  # fmt: skip

LESSON.ask(
    "survivors",
    "With p = 0.5 half of the units are off in a pass. What should happen to those that are on?",
    Option("Nothing", "Then the next layer gets half the sum in training and the whole sum in the test: it would meet "
           "numbers it has never seen."),
    Option("They are halved", "That makes the gap between training and test four times instead of twice as large."),
    Option("They are doubled", "Half as many, each twice as strong: on average the next layer receives what it will "
           "receive in the test.", right=True),
)  # fmt: skip

LESSON.ask(
    "steady-slope",
    "A steady slope: every gradient is 1, β = 0.9, learning rate 0.1. How long does a single step become after many "
    "steps?",
    Option("0.1, as without momentum", "The first one is. The second adds 0.9 of the first to it, and so on."),
    Option("0.19", "That is the second step: 0.1 · (1 + 0.9). The third adds another 0.081."),
    Option("1: ten times as long", "0.1 · (1 + 0.9 + 0.81 + …) = 0.1 / (1 − 0.9) = 1.", right=True),
    Option("It grows without end", "Each new term is only 0.9 of the one before, and such a sum comes to an end: "
           "1 / (1 − β)."),
)  # fmt: skip

LESSON.ask(
    "same-speed",
    "Momentum 0.9 makes steps up to ten times as long. Does plain SGD with ten times the learning rate do as well?",
    Option("No, it explodes at once", "On this network it survives: explosions come when the rate passes a limit, and "
           "ten times a careful rate is still below it."),
    Option("Nearly: most of the gap closes", "Much of what momentum gives on an easy slope is a longer step. What is "
           "left over shows in narrow valleys, where a long step across is not what you want.", right=True),
    Option("No, it stays as slow as before", "A step is rate times gradient. Ten times the rate is ten times the step, "
           "whoever makes it."),
)  # fmt: skip


def _integer(value: Any, what: str) -> int:
    try:
        if float(value) != int(value):
            raise Wrong(f"{what} is a whole number; got {value}.")
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Wrong(f"{what} is a whole number; got {type(value).__name__}.") from None


@LESSON.check("most-confused")
def _(most_confused: Any) -> str:
    chance = np.random.default_rng()
    for size in (10, 4, 7):
        matrix = chance.integers(0, 30, (size, size))
        np.fill_diagonal(matrix, 900)
        # The largest single cell and the largest pair are different ones, and the pair cannot be told by one cell.
        a, b, c, d = chance.permutation(size)[:4]
        matrix[a, b], matrix[b, a] = 90, 80
        matrix[c, d], matrix[d, c] = 120, 0
        answer = call(most_confused, matrix.copy())
        try:
            first, second = answer
        except (TypeError, ValueError):
            raise Wrong("Return the two class numbers, `return first, second`.") from None
        pair = {_integer(first, "A class"), _integer(second, "A class")}
        if len(pair) == 1:
            raise Wrong("A class and itself is the diagonal: those are the right answers. Set the diagonal to zero.")
        if pair == {int(c), int(d)}:
            raise Wrong(
                "That is the largest single cell. Coats taken for shirts and shirts taken for coats are one confusion: "
                "add the matrix and its transpose."
            )
        if pair != {int(a), int(b)}:
            raise Wrong("Another pair is confused more often, both directions counted together.")
    return "Both directions count: the matrix plus its transpose, without the diagonal, and its largest cell."


@LESSON.check("dropout")
def _(dropout: Any) -> str:
    hidden = torch.rand(40, 500, dtype=torch.float64) + 0.5
    for p in (0.2, 0.5):
        before = hidden.clone()
        left = torch.as_tensor(call(dropout, hidden, p, True))
        if not torch.equal(hidden, before):
            raise Wrong("You wrote into the activations you were given: make a new tensor, `hidden * mask`.")
        if left.shape != hidden.shape:
            raise Wrong(f"Dropout keeps the shape: {tuple(hidden.shape)} comes in, {tuple(left.shape)} goes out.")
        share = float((left == 0).double().mean())
        if share == 0:
            raise Wrong(
                "No unit is off. Each one draws its own number: `torch.rand(hidden.shape) >= p` says who stays."
            )
        if p == 0.2 and abs(share - 0.8) < 0.03:
            raise Wrong(f"p is the probability of being off. With p = 0.2 yours are off {share:.0%} of the time.")
        if ((left == 0).all(1) | (left != 0).all(1)).all():
            raise Wrong("Whole images are on or off together. Every unit of every image draws its own number.")
        if ((left == 0).all(0) | (left != 0).all(0)).all():
            raise Wrong("The same units are off for every image. Draw a mask of the shape of `hidden`.")
        if abs(share - p) > 0.03:
            raise Wrong(
                f"With p = {p} about {p:.0%} of the units should be off; yours are off {share:.0%} of the time."
            )
        kept = left[left != 0] / hidden[left != 0]
        if torch.allclose(kept, torch.ones_like(kept)):
            raise Wrong("The survivors are as they were: scale them by 1 / (1 − p), or the test sees larger sums.")
        if torch.allclose(kept, torch.full_like(kept, 1 / p)) and p != 0.5:
            raise Wrong("You divide by p. The share that stays is 1 − p, so divide by that.")
        if torch.allclose(kept, torch.full_like(kept, 1 - p)):
            raise Wrong("You multiply the survivors by 1 − p, which weakens them twice over. Divide by it.")
        if not torch.allclose(kept, torch.full_like(kept, 1 / (1 - p))):
            raise Wrong(f"With p = {p} the survivors should be multiplied by {1 / (1 - p):.2f}.")
        if torch.equal(left, torch.as_tensor(call(dropout, hidden, p, True))):
            raise Wrong("Two passes turned off the very same units: draw a new mask each time, without a fixed seed.")
        if not torch.equal(torch.as_tensor(call(dropout, hidden, p, False)), hidden):
            raise Wrong("With training=False nothing is off and nothing is scaled: return the activations as they are.")
    return "The law of `nn.Dropout`: off with probability p, survivors scaled by 1 / (1 − p), nothing at test time."


@LESSON.check("momentum")
def _(descend: Any) -> str:
    chance = np.random.default_rng()
    curvature, start = chance.uniform(0.5, 2, 4), chance.normal(size=4)
    slope = lambda place: curvature * place  # noqa: E731

    def run(rule: Any, lr: float, beta: float, steps: int) -> np.ndarray:
        place, step = start.copy(), np.zeros(4)
        for _ in range(steps):
            step, move = rule(step, slope(place), lr, beta)
            place = place - move
        return place

    def right(step: Any, g: Any, lr: float, beta: float) -> tuple[Any, Any]:
        return beta * step + g, lr * (beta * step + g)

    mistakes = (
        (
            lambda s, g, lr, b: (g, lr * g),
            "There is no memory: the old step, times beta, has to be added to the gradient.",
        ),
        (
            lambda s, g, lr, b: (s + g, lr * (s + g)),
            "The old step counts in full and never fades: multiply it with beta.",
        ),
        (
            lambda s, g, lr, b: (b * s + (1 - b) * g, lr * (b * s + (1 - b) * g)),
            "With (1 − beta) in front of the gradient you take the mean of the past. It has its uses (Adam); here "
            "STEP(n) counts in full.",
        ),
        (lambda s, g, lr, b: (b * s + g, -lr * (b * s + g)), "You walk uphill: subtract the step."),
        (lambda s, g, lr, b: (s + b * g, lr * (s + b * g)), "Beta belongs to the old step, not to the gradient."),
        (lambda s, g, lr, b: (b * s + g, lr * s), "You move by the old step. Renew it first, then move."),
        (lambda s, g, lr, b: (b * s + g, b * s + g), "The learning rate is missing: place − lr · step."),
    )
    lr, beta, steps = 0.05, 0.8, 7
    answer = np.asarray(call(descend, slope, start.copy(), lr, beta, steps), dtype=float)
    if answer.shape != (4,):
        raise Wrong(f"Return the last place, of the shape of `start`, (4,); yours has {answer.shape}.")
    if not np.allclose(answer, run(right, lr, beta, steps)):
        for rule, hint in mistakes:
            if np.allclose(answer, run(rule, lr, beta, steps)):
                raise Wrong(hint)
        for count in (steps - 1, steps + 1):
            if np.allclose(answer, run(right, lr, beta, count)):
                raise Wrong(f"You take {count} steps instead of {steps}.")
        raise Wrong("Two lines in the loop: `step = beta * step + gradient(place)`, then `place = place - lr * step`.")
    if not np.allclose(call(descend, slope, start.copy(), lr, 0.0, 3), run(right, lr, 0.0, 3)):
        raise Wrong("With beta = 0 it should be plain gradient descent, and it is not.")
    place = torch.tensor(start, requires_grad=True)
    stepper = torch.optim.SGD([place], lr=lr, momentum=beta)
    for _ in range(steps):
        stepper.zero_grad()
        (0.5 * torch.tensor(curvature) * place**2).sum().backward()
        stepper.step()
    assert np.allclose(answer, place.detach().numpy())
    return "The very places that `torch.optim.SGD(momentum=beta)` visits, on a random valley in four dimensions."


@LESSON.check("early-stopping")
def _(best_epoch: Any) -> str:
    cases = (
        ([1.0, 0.8, 0.7, 0.75, 0.9, 1.1], 2, 2),
        ([1.0, 0.8, 0.85, 0.7, 0.6, 0.65, 0.7, 0.8], 2, 4),  # one bad epoch is forgiven
        ([1.0, 0.9, 0.95, 0.97, 0.2, 0.1], 2, 1),  # it must not look into the future
        ([0.9, 0.8, 0.7, 0.6], 3, 3),  # still falling at the end
        ([0.5, 0.6, 0.4], 1, 0),
        ([0.7, 0.6, 0.6, 0.6, 0.6], 2, 1),  # no better is no improvement
    )
    for losses, patience, wanted in cases:
        answer = _integer(call(best_epoch, list(losses), patience), "An epoch")
        if answer == wanted:
            continue
        about = f"For the losses {losses} with patience {patience}"
        if answer == wanted + 1 and all(losses[i] > losses[wanted] for i in (wanted + 1,) if i < len(losses)):
            raise Wrong(f"{about} you return epoch {answer}. Epochs count from 0, like the list.")
        if answer == int(np.argmin(losses)):
            raise Wrong(
                f"{about} you return {answer}, the lowest of all. But you would have stopped before you got there: go "
                "through the list from the left and break."
            )
        if answer == wanted + patience:
            raise Wrong(f"{about} you return {answer}, where you stop. Wanted is the best epoch seen so far, {wanted}.")
        if patience > 1 and answer == next((i - 1 for i in range(1, len(losses)) if losses[i] >= losses[i - 1]), None):
            raise Wrong(f"{about} you give up at the first bad epoch. Patience means waiting for {patience} of them.")
        raise Wrong(f"{about} the best epoch when you stop is {wanted}; you return {answer}.")
    return "You keep the best network so far and stop when patience runs out, without looking into the future."
