"""Questions and checks of the lesson "Overfitting and dropout"."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, call, kind, same, tensor, trials, whole

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
    "fewer-weights",
    "A network with 7,098 weights, trained in the same way on the same 500 images. How does it end, compared with ours "
    "of 225,034?",
    Option("Lower loss, more right: it has less room to learn by heart", "A plausible idea, and the reason why people "
           "count weights. But 7,098 weights have room enough: at the end it gets nine in ten of these 500 right, and "
           "three in four of the others."),
    Option("It overfits too, and gets fewer right", "Its curves come apart as well, and its few filters see less of "
           "what tells clothes apart.", right=True),
    Option("It learns nothing", "It has the same layers with fewer filters, and it learns the same way, a little "
           "slower."),
)  # fmt: skip

LESSON.ask(
    "survivors",
    "With p = 0.5 half of the units are off in a pass. What should happen to those that are on?",
    Option("Nothing", "Then the next layer gets half the sum in training and the whole sum at test time: it would meet "
           "numbers it has never seen."),
    Option("They are halved", "That makes the gap between training and test four times instead of twice as large."),
    Option("They are doubled", "Half as many, each twice as strong: on average the next layer receives what it will "
           "receive at test time.", right=True),
)  # fmt: skip


@LESSON.check("most-confused")
def most_confused(function: Any) -> str:
    """A function of a confusion matrix that returns two class numbers."""
    kinds = ((True, 0), (False, -1), (True, -1), (False, 0))
    while True:
        matrices = [_confusions(rng, *kind) for rng, kind in zip(trials(4), kinds, strict=True)]
        told = {tuple(frozenset(other(matrix)) for matrix in matrices) for other, _ in _OTHER_PAIRS}
        if len(told) == len(_OTHER_PAIRS):  # each way to get it wrong says something else
            break
    pairs = [_two_classes(call(function, matrix), len(matrix)) for matrix in matrices]
    wrong = [(m, pair) for m, pair in zip(matrices, pairs, strict=True) if pair != _place(_pairs(m))]
    if wrong:
        if any(len(pair) == 1 for pair in pairs):
            raise Wrong("A class and itself is the diagonal: those are the right answers. Set the diagonal to zero.")
        for other, hint in _OTHER_PAIRS:  # a hint is true only if it explains every answer
            if pairs == [other(matrix) for matrix in matrices]:
                raise Wrong(hint)
        matrix, pair = wrong[0]
        both, (one, two), (first, second) = _pairs(matrix), sorted(pair), sorted(_place(_pairs(matrix)))
        raise Wrong(
            f"In a test matrix {one} and {two} are taken for each other {both[one, two]} times, {first} and {second} "
            f"{both[first, second]} times, both directions added."
        )
    return "Both directions count: the matrix plus its transpose, without the diagonal, and its largest cell."


def _pairs(matrix: np.ndarray) -> np.ndarray:
    """Both directions together, without the diagonal."""
    both = matrix + matrix.T
    np.fill_diagonal(both, 0)
    return both


def _errors(matrix: np.ndarray) -> np.ndarray:
    """The matrix without its diagonal."""
    return matrix - np.diag(np.diag(matrix))


def _place(table: np.ndarray) -> set[int]:
    """Row and column of the largest entry."""
    return {int(i) for i in np.unravel_index(table.argmax(), table.shape)}


_OTHER_PAIRS: tuple[tuple[Callable[[np.ndarray], set[int]], str], ...] = (
    (lambda m: _place(_errors(m)), "That is the largest single cell. Coats taken for shirts and shirts taken for coats "
     "are one confusion: add the matrix and its transpose."),
    (lambda m: _place(_errors(m) * m.T), "That is the pair with the largest product: both directions are to be added, "
     "`matrix + matrix.T`."),
    (lambda m: _place(np.minimum(_errors(m), m.T)), "You take the smaller of the two directions: they are to be added, "
     "`matrix + matrix.T`."),
    (lambda m: _place(np.triu(m, 1)), "You look at the cells above the diagonal only: add those below it, "
     "`matrix + matrix.T`."),
    (lambda m: _place(np.tril(m, -1)), "You look at the cells below the diagonal only: add those above it, "
     "`matrix + matrix.T`."),
    (lambda m: _place(abs(m - m.T)), "That is the pair whose two directions differ most: add them, do not subtract."),
    (lambda m: set(_errors(m).sum(1).argsort()[-2:].tolist()), "These are the two classes with most mistakes, which "
     "need not be taken for each other: look for one cell of the matrix plus its transpose."),
    (lambda m: set(_errors(m).sum(0).argsort()[-2:].tolist()), "These are the two answers that are wrong most often, "
     "which need not be taken for each other: look for one cell of the matrix plus its transpose."),
    (lambda m: set(_pairs(m).sum(0).argsort()[-2:].tolist()), "These are the two classes that take part in most "
     "mistakes, which need not be taken for each other: look for one cell of the matrix plus its transpose."),
    (lambda m: _place(_pairs(m / m.sum(1, keepdims=True))), "That is the pair with the largest shares of its rows: "
     "count the images, do not divide."),
    (lambda m: _place(-_pairs(m) - np.diag([10**6] * len(m))), "That is the pair that is confused least."),
)  # fmt: skip


def _confusions(rng: np.random.Generator, upper: bool, member: int) -> np.ndarray:
    """A confusion matrix in which every other reading of "most often" names another pair.

    Args:
        rng: the generator.
        upper: whether the right pair has its larger cell above the diagonal, and the largest cell too.
        member: a class of the right pair: 0 or −1, the first or the last, which a loop leaves out most easily.
    """
    while True:
        size = int(rng.choice([7, 8, 9, 11]))  # never the ten classes of the lesson
        matrix = rng.integers(0, 12, (size, size))
        np.fill_diagonal(matrix, rng.integers(150, 900, size))
        order = rng.permutation(size)
        order = np.roll(order, -int(np.flatnonzero(order == member % size)[0]))  # the member comes first
        if {*order[:2]} == {0, size - 1}:
            continue  # whoever leaves out one of them should be right in half of the matrices
        a, b, c, d, e, f, g, h, i, j = np.concatenate([order, rng.permutation(size)])[:10]
        a, b = (a, b) if (a < b) == upper else (b, a)
        c, d = (c, d) if (c < d) == upper else (d, c)
        matrix[a, b], matrix[b, a] = 82, 43  # together 125, and most often
        matrix[c, d], matrix[d, c] = 100, 12  # the largest single cell
        matrix[e, f], matrix[f, e] = 70, 54  # the largest product
        matrix[g, h], matrix[h, g] = 95, 0  # the largest difference
        matrix[i, j], matrix[j, i] = 60, 60  # the largest of the smaller directions
        right = _place(_pairs(matrix))
        top = np.sort(_pairs(matrix).ravel())
        if right == {int(a), int(b)} and top[-3] < top[-1] and all(o(matrix) != right for o, _ in _OTHER_PAIRS):
            return matrix


def _two_classes(answer: Any, size: int) -> set[int]:
    """The two class numbers of an answer, in any order."""
    if isinstance(answer, set | frozenset):
        answer = sorted(answer)
    if getattr(answer, "ndim", 1) != 1 or not hasattr(answer, "__len__") or len(answer) != 2 or isinstance(answer, str):
        raise Wrong(f"Return the two class numbers, `return first, second`; yours is {kind(answer)}.")
    pair = {whole(part, "the number of a class, a whole number") for part in answer}
    if not pair <= set(range(size)):
        raise Wrong(f"The classes are numbered from 0 to {size - 1}; you return {tuple(answer)}.")
    return pair


@LESSON.check("dropout")
def dropout(function: Any) -> str:
    """A function of activations, a probability and whether this is training."""
    exact = []
    for rng, p in zip(trials(4), (0.2, 0.5, 0.7, 0.9), strict=True):
        rows, units = int(rng.integers(60, 80)), int(rng.integers(300, 400))
        hidden = torch.from_numpy(rng.uniform(0.5, 1.5, (rows, units)) * rng.choice([-1, 1], (rows, units))).float()
        still = tensor(_at_test_time(function, hidden, p), tuple(hidden.shape))
        if same(still, hidden * (1 - p)):
            raise Wrong(
                "With training=False you multiply by 1 − p: that is dropout in its older form. Here the survivors are "
                "scaled in training, so that nothing has to happen at test time."
            )
        passes = [tensor(call(function, hidden, p, True), tuple(hidden.shape)) for _ in range(3)]
        for left in passes:
            _law(left, hidden.double(), p)
        off = [left == 0 for left in passes]
        if torch.equal(off[0], off[1]) or torch.equal(off[1], off[2]):
            raise Wrong("Two passes turned off the very same units: draw a new mask each time, without a fixed seed.")
        exact.append(len({int(mask.sum()) for mask in off}) == 1)
        if not same(still, hidden):
            if (still == 0).any():
                raise Wrong("With training=False nothing is off: return the activations as they are.")
            raise Wrong("With training=False nothing is scaled: return the activations as they are.")
    if all(exact):
        raise Wrong(
            "The same number of units is off in every pass. Each unit draws for itself, so the number sways a little."
        )
    return "The law of `nn.Dropout`: off with probability p, survivors scaled by 1 / (1 − p), nothing at test time."


def _at_test_time(function: Any, hidden: Tensor, p: float) -> Any:
    """What the function returns for training=False; one that returns something in training alone is told so."""
    try:
        return call(function, hidden, p, False)
    except Wrong as wrong:
        if "returns nothing" in str(wrong):
            call(function, hidden, p, True)  # returns nothing here either? Then the first hint is the right one
            raise Wrong(
                "With training=False your function returns nothing: return the activations as they are."
            ) from None
        raise


def _law(left: Tensor, hidden: Tensor, p: float) -> None:
    """Demand that units are off with probability p, each on its own, and the others scaled.

    The bounds are eight and more standard deviations away from what a right answer shows.
    """
    off = (left == 0).double()
    share = float(off.mean())
    if share == 0:
        raise Wrong("No unit is off. Each one draws its own number: `torch.rand(hidden.shape) >= p` says who stays.")
    if off.var(1).max() == 0:
        raise Wrong("Whole images are on or off together. Every unit of every image draws its own number.")
    if off.var(0).max() == 0:
        raise Wrong("The same units are off for every image. Draw a mask of the shape of `hidden`.")
    if abs(share - p) > 0.035:
        if abs(share - (1 - p)) < 0.035:
            raise Wrong(f"p is the probability of being off. With p = {p} yours are off {share:.0%} of the time.")
        raise Wrong(f"With p = {p} about {p:.0%} of the units should be off; yours are off {share:.0%} of the time.")
    for axis, what in ((1, "image"), (0, "unit")):
        if off.sum(axis).var() == 0:
            raise Wrong(f"Equally many are off for every {what}. Each unit draws for itself, so the number sways.")
    centered = off - off.mean()
    for along, other in ((centered[:, 1:], centered[:, :-1]), (centered[1:], centered[:-1])):
        if abs(float((along * other).mean())) > 0.07 * p * (1 - p):
            raise Wrong("Neighboring units are off together or in turns. Each one draws its own number.")
    if p == 0.5 and (len(off.unique(dim=0)) < len(off) or len(off.unique(dim=1).T) < len(off.T)):
        raise Wrong("The same mask serves several times in one pass. Each unit of each image draws its own number.")
    kept = (left / hidden)[left != 0]
    if same(kept, torch.full_like(kept, 1 / (1 - p))):
        return
    for factor, hint in (
        (1.0, "The survivors are as they were: scale them by 1 / (1 − p), or the sums are larger at test time."),
        (1 / p, "You divide by p. The share that stays is 1 − p, so divide by that."),
        (1 - p, "You multiply the survivors by 1 − p, which weakens them twice over. Divide by it."),
        (p, "You multiply the survivors by p: they should become larger, divide by 1 − p."),
    ):
        if same(kept, torch.full_like(kept, factor)):
            raise Wrong(hint)
    raise Wrong(f"With p = {p} the survivors should be multiplied by {1 / (1 - p):.2f}, each of them.")


Stop = Callable[[list[float], int], int]


def _stop(losses: list[float], patience: int, better: Callable[[float, float], bool] = operator.lt) -> tuple[int, int]:
    """The best epoch when training stops, and the epoch in which it stops."""
    best = 0
    for epoch, loss in enumerate(losses):
        if better(loss, losses[best]):
            best = epoch
        elif epoch - best >= patience:
            return best, epoch
    return best, len(losses) - 1


def _never_reset(losses: list[float], patience: int, wait: int = 0) -> int:
    """Patience that is used up over the whole run."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch:
            wait += 1
            if wait >= patience:
                break
    return best


def _against_previous(bad: Callable[[float, float], bool], back: bool) -> Stop:
    """Patience that counts epochs worse than the one before them, in a row."""

    def stop(losses: list[float], patience: int) -> int:
        wait = 0
        for epoch in range(1, len(losses)):
            wait = wait + 1 if bad(losses[epoch], losses[epoch - 1]) else 0
            if wait >= patience:
                return epoch - patience if back else int(np.argmin(losses[: epoch + 1]))
        return len(losses) - 1 if back else int(np.argmin(losses))

    return stop


def _last_if_never(losses: list[float], patience: int) -> int:
    best, epoch = _stop(losses, patience)
    return best if epoch - best >= patience else len(losses) - 1


_PREVIOUS = (
    "You compare each loss with the one before it. What counts is whether it is lower than the best so far: a curve "
    "can fall again and still be above its best."
)

_OTHER_STOPS: tuple[tuple[Stop, str], ...] = (
    (lambda losses, patience: int(np.argmin(losses)), "That is the lowest of all. But you would have stopped before "
     "you got there: go through the list from the left and break."),
    (lambda losses, patience: _stop(losses, patience)[1], "That is where you stop. Wanted is the best epoch seen so "
     "far."),
    (lambda losses, patience: _stop(losses, patience)[1] - patience, "When the losses end before the patience does, "
     "going back from the last epoch leads to another one: remember the best epoch itself."),
    (lambda losses, patience: _stop(losses, patience)[0] + 1, "Epochs count from 0, like the list."),
    (lambda losses, patience: _stop(losses, patience + 1)[0], "You wait one epoch too long: stop when `patience` "
     "epochs in a row have brought nothing lower."),
    (lambda losses, patience: _stop(losses, max(patience - 1, 1))[0], "You stop one epoch too early: wait for "
     "`patience` epochs in a row."),
    (lambda losses, patience: _stop(losses, 1)[0], "You give up at the first bad epoch. Patience means waiting for as "
     "many of them in a row."),
    (lambda losses, patience: _stop(losses, patience, operator.le)[0], "An epoch that is only as good as the best so "
     "far brings nothing lower: it does not count as better."),
    (_last_if_never, "If it never stops, the best epoch is still the one to return, not the last."),
    (_never_reset, "Your patience is used up over the whole run. A lower loss starts the count again: only bad epochs "
     "in a row count."),
    (lambda losses, patience: _never_reset(losses, patience, 1), "Your patience is used up over the whole run. A lower "
     "loss starts the count again: only bad epochs in a row count."),
    (_against_previous(operator.gt, True), _PREVIOUS),
    (_against_previous(operator.ge, True), _PREVIOUS),
    (_against_previous(operator.gt, False), _PREVIOUS),
    (_against_previous(operator.ge, False), _PREVIOUS),
    (lambda losses, patience: _stop(losses, 2)[0], "The patience is given, and you always wait for 2."),
    (lambda losses, patience: int(np.argmin(losses[: patience + 1])), "You look at the first epochs only: go on as "
     "long as the losses fall."),
)  # fmt: skip


def _curves(rng: np.random.Generator) -> Iterator[tuple[list[float], int]]:
    """Noisy validation losses and a patience: short and long ones, with equal values, that stop and that do not."""
    yield from (
        ([1.0, 0.8, 0.7, 0.75, 0.9, 1.1], 2),
        ([1.0, 0.8, 0.85, 0.7, 0.6, 0.65, 0.7, 0.8], 2),  # one bad epoch is forgiven
        ([1.0, 0.9, 0.95, 0.97, 0.2, 0.1], 2),  # it must not look into the future
        ([0.9, 0.8, 0.7, 0.6], 3),  # still falling at the end
        ([0.5, 0.6, 0.4], 1),
        ([0.7, 0.6, 0.6, 0.6, 0.6], 2),  # no better is no improvement
        ([1.0, 0.5, 0.9, 0.8, 0.7, 0.6, 0.4], 2),  # falling again, and still above the best
        ([1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.6, 0.5], 2),  # each new best starts the count again
        ([1.0, 0.5, 0.6], 5),  # the losses end before the patience does
        ([0.4], 3),
        ([0.5, 0.499999, 0.499998, 0.499997], 1),  # lower is lower, however little
        ([0.8, 0.6, 0.7, 0.6, 0.5], 2),  # as low as the best is not lower
        ([40000.0, 30000.0, 35000.0, 36000.0, 10.0], 2),  # a loss may be any number: none is a highest one
    )
    for _ in range(30):
        epochs = int(rng.integers(4, 25))
        fall = np.exp(-np.arange(epochs) / rng.uniform(2, 8)) + 0.03 * np.maximum(np.arange(epochs) - 10, 0)
        noisy = fall + rng.normal(0, rng.uniform(0.02, 0.2), epochs) + 0.5
        yield [round(float(loss), 2) for loss in np.abs(noisy)], int(rng.integers(1, 7))


@LESSON.check("early-stopping")
def early_stopping(function: Any) -> str:
    """A function of losses and a patience that returns an epoch."""
    for rng in trials(2):
        cases = list(_curves(rng))
        answers = [whole(call(function, *case), "the number of an epoch, a whole number") for case in cases]
        wrong = [(case, got) for case, got in zip(cases, answers, strict=True) if got != _stop(*case)[0]]
        if not wrong:
            continue
        (losses, patience), got = min(wrong, key=lambda item: len(str(item[0][0])))  # the one that is read most easily
        about = f"For the losses {losses} with patience {patience} you return {got}; it should be "
        about += f"{_stop(losses, patience)[0]}. "
        for other, hint in _OTHER_STOPS:  # a hint is true only if it explains every answer
            if answers == [other(*case) for case in cases]:
                raise Wrong(about + hint)
        raise Wrong(about + "Keep the best epoch so far; stop when it is `patience` epochs ago.")
    return "You keep the best network so far and stop when patience runs out, without looking into the future."
