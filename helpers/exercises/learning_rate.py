"""Questions and checks of the lesson "Learning rate, momentum and the size of a filter"."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, call, count, expect, number, trials

LESSON = Lesson("learning_rate")

LESSON.ask(
    "three-rates",
    "The same network, the same start, the same batches, and three learning rates, each at least ten times the one "
    "before. What does the loss do at the largest?",
    Option("It falls fastest: the steps are largest", "At a moderate rate that is so. Beyond a limit each step lands "
           "higher on the other side than it started."),
    Option("Python stops with an error", "No line of the program is wrong, so nothing complains. You have to look at "
           "the curve."),
    Option("It jumps, and then stays where a network knows nothing", "The first large steps throw the weights so far "
           "that nothing comes through any more: the loss stays near log 10 = 2.3.", right=True),
    Option("It stays flat from the start", "That is what a rate that is too small looks like: every step goes the "
           "right way, and hardly anywhere."),
)  # fmt: skip

LESSON.ask(
    "steady-slope",
    "A steady slope: every gradient is 1, β = 0.9, learning rate 0.1. How far does a single step move the weight after"
    " many steps?",
    Option("0.1, as without momentum", "The first one is. The second adds 0.9 of the first to it, and so on."),
    Option("0.19", "That is the second step: 0.1 · (1 + 0.9). The third adds another 0.081."),
    Option("1: ten times as long", "0.1 · (1 + 0.9 + 0.81 + …) = 0.1 / (1 − 0.9) = 1.", right=True),
    Option("It grows without end", "Each new term is only 0.9 of the one before, and such a sum comes to an end: "
           "1 / (1 − β)."),
)  # fmt: skip

LESSON.ask(
    "over-the-hump",
    "The ball starts at 0 and takes 100 steps, at a learning rate of 0.1. Which β brings it to rest in the lowest "
    "place, at 4, in that time?",
    Option("β = 0: it always finds the lowest place", "It follows the slope where it stands, and in the hollow before "
           "the hump every direction leads up."),
    Option("β = 0.9", "Enough speed to roll over the hump, and not too much to come to rest behind it.", right=True),
    Option("β = 0.98: the more, the better", "It gets over the hump, runs far up the other side, and is still swinging "
           "after 100 steps."),
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

LESSON.ask(
    "ten-percent",
    "The loss hardly moves, and every image gets the same answer. With two other seeds such a network gets about 60% "
    "right. What happened?",
    Option("1×1 filters see no shape, and this is the price", "Two other seeds get about 60% right, and their filters "
           "see no more."),
    Option("3,000 images are too few", "The other seeds had the same images."),
    Option("Both filters give zero for every image", "Their random weights and biases are negative for every pixel, "
           "from black to white. ReLU makes that 0, and where it gives 0 no gradient comes back.", right=True),
    Option("The learning rate is too small", "The same rate trains the two other seeds."),
)  # fmt: skip


@LESSON.check("best-rate")
def best_rate(function: Any) -> str:
    """A function of a dict of rates and accuracies that returns a rate."""
    for rng in trials(2):
        cases = _told_apart(lambda rng=rng: _measured(rng), _best, [other for other, _ in _OTHER_RATES])
        cases += _far_apart(rng)
        answers = [_as_key(number(call(function, case), "one learning rate"), case) for case in cases]
        wrong = [(case, got) for case, got in zip(cases, answers, strict=True) if got != _best(case)]
        if not wrong:
            continue
        for other, hint in _OTHER_RATES:  # a hint is true only if it explains every answer
            if answers == [other(case) for case in cases]:
                raise Wrong(hint)
        case, got = wrong[0]
        if got not in case:
            raise Wrong(f"{got:g} is none of the rates: return a key of the dictionary.")
        raise Wrong(
            f"{got:g} has the mean {np.mean(case[got]):.3f}, and {_best(case):g} has {np.mean(case[_best(case)]):.3f}."
        )
    return "The highest mean over the seeds: a single lucky run decides nothing."


Measured = dict[float, list[float]]


def _by(value: Callable[[list[float]], float]) -> Callable[[Measured], float]:
    """The rate at which this value of its accuracies is highest."""
    return lambda results: max(results, key=lambda rate: value(results[rate]))


def _mean(runs: list[float]) -> float:
    """Their mean; for so few numbers far faster than NumPy's."""
    return sum(runs) / len(runs)


_best = _by(_mean)


def _as_key(rate: float, results: Measured) -> float:
    """The key that this rate is; in float32, as a tensor holds it, 0.1 is 0.10000000149."""
    return next((key for key in results if math.isclose(key, rate, rel_tol=1e-6)), rate)


_OTHER_RATES: tuple[tuple[Callable[[Measured], float], str], ...] = (
    (_by(max), "That is the rate of the best single run. One run can be lucky: take the mean over the seeds."),
    (_by(min), "That is the rate whose worst run is best. Asked for is the highest mean over the seeds."),
    (_by(sum), "Not every rate was tried with equally many seeds: divide the sum by their number."),
    (_by(statistics.median), "That is the highest median. Asked for is the highest mean."),
    (_by(lambda runs: runs[0]), "You look at the first seed only: take the mean over all of them."),
    (_by(lambda runs: runs[-1]), "You look at the last seed only: take the mean over all of them."),
    (_by(lambda runs: -_mean(runs)), "That is the lowest mean. These are accuracies: the highest is best."),
    (_by(len), "That is the rate with most seeds. Asked for is the highest mean accuracy."),
    (_by(lambda runs: -_mean([(run - _mean(runs)) ** 2 for run in runs])), "That is the rate whose runs differ "
     "least. Asked for is the best mean."),
    (lambda results: float(np.mean(results[_best(results)])), "That is the accuracy. Return the rate it belongs to."),
    (lambda results: max(max(runs) for runs in results.values()), "That is an accuracy. Return a learning rate."),
    (max, "That is the largest of the rates. Look at their accuracies."),
    (min, "That is the smallest of the rates. Look at their accuracies."),
    (lambda results: next(iter(results)), "That is the first of the rates. Look at their accuracies."),
    (lambda results: list(results)[-1], "That is the last of the rates. Look at their accuracies."),
    (lambda results: _best(dict(list(results.items())[1:])), "You pass over the first of the rates."),
    (lambda results: _best(dict(list(results.items())[:-1])), "You pass over the last of the rates."),
    (_by(lambda runs: round(_mean(runs), 2)), "Two means may differ in the third decimal: compare them "
     "unrounded."),
    (lambda results: float(list(results).index(_best(results))), "That is its number in the list. Return the rate."),
)  # fmt: skip


def _told_apart(make: Callable[[], Any], right: Callable[[Any], Any], others: list[Callable[[Any], Any]]) -> list[Any]:
    """Seven cases or some more in which any two ways to answer differ twice, so that a hint names the mistake made.

    Twice, because a way that is not among them may agree with one of them by chance where they differ only once.
    """
    ways = (right, *others)
    missing = dict.fromkeys(itertools.combinations(range(len(ways)), 2), 2)
    cases: list[Any] = []
    while missing:
        case = make()
        answers = [way(case) for way in ways]
        told = [(a, b) for a, b in missing if answers[a] != answers[b]]
        if told or len(cases) < 7:
            cases.append(case)
        for pair in told:
            missing[pair] -= 1
        missing = {pair: times for pair, times in missing.items() if times}
    return cases


def _measured(rng: np.random.Generator) -> Measured:
    """Accuracies of some runs for each rate; one is best, often by less than a percent, often at one end."""
    rates = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
    while True:
        results = {
            float(rate): [round(float(a), 3) for a in rng.uniform(0.7, 0.8, int(rng.integers(3, 7)))]
            for rate in rng.permutation(rates)[: int(rng.integers(6, 9))]
        }
        means = sorted(map(_mean, results.values()))
        if means[-1] - means[-2] > 0.002:
            break
    best = _best(results)
    others = [rate for rate in results if rate != best]
    place = int(rng.choice([0, len(others), rng.integers(len(others))]))
    return {rate: results[rate] for rate in (*others[:place], best, *others[place:])}


def _far_apart(rng: np.random.Generator) -> list[Measured]:
    """Two cases in which a product, or the mean of squares, prefers another rate than the mean does."""
    cases: list[Measured] = []
    for best, second in (([0.9, 0.5, 0.9], [0.75, 0.76, 0.76]), ([0.76, 0.76, 0.76], [0.95, 0.5, 0.8])):
        low, high = 0.001 * rng.permutation([1.0, 3.0, 10.0, 30.0])[:2]
        cases.append({float(low): list(rng.permutation(second)), float(high): list(rng.permutation(best))})
    return cases


@LESSON.check("dead-filters")
def dead_filters(function: Any) -> str:
    """A function of weights, biases and images that returns how many filters never respond."""
    for rng in trials(2):
        others = [*(_count(other) for other, _ in _OTHER_COUNTS), lambda case: _dead(*case) + 1]
        cases = _told_apart(lambda rng=rng: _bank(rng), _count(_dead), others)
        answers = [count(call(function, *case), "how many, a whole number") for case in cases]
        if answers == [_dead(*case) for case in cases]:
            continue
        for other, hint in _OTHER_COUNTS:  # a hint is true only if it explains every answer
            if answers == [other(*case) for case in cases]:
                raise Wrong(hint)
        case, got = next((c, a) for c, a in zip(cases, answers, strict=True) if a != _dead(*c))
        raise Wrong(
            f"In a bank of {len(case[0])} filters {_dead(*case)} are dead, and you count {got}. Make all the maps, "
            "bias included, and take the largest number of each filter over all images and places."
        )
    return "Dead on every image and at every place: ReLU turns all of it into zeros, and no gradient comes back."


def _maps(weight: Tensor, bias: Tensor, images: Tensor) -> Tensor:
    return F.conv2d(images, weight, bias)


def _dead(weight: Tensor, bias: Tensor, images: Tensor) -> int:
    return int((_maps(weight, bias, images).amax((0, 2, 3)) <= 0).sum())


Count = Callable[[Tensor, Tensor, Tensor], int]

_OTHER_COUNTS: tuple[tuple[Count, str], ...] = (
    (lambda w, b, x: _dead(w, 0 * b, x), "You leave out the bias: it is added to every response before ReLU."),
    (lambda w, b, x: len(w) - _dead(w, b, x), "That is how many are alive."),
    (lambda w, b, x: int((_maps(w, b, x).amax((0, 2, 3)) < 0).sum()), "Exactly zero is dead too: ReLU leaves nothing "
     "of it either."),
    (lambda w, b, x: int((w.amax((1, 2, 3)) <= 0).sum()), "Negative weights do not settle it: with a positive bias "
     "such a filter responds to empty paper. Ask the maps."),
    (lambda w, b, x: int((b <= 0).sum()), "A negative bias does not settle it: the weights may outweigh it."),
    (lambda w, b, x: int((b + w.clamp(min=0).sum((1, 2, 3)) <= 0).sum()), "You ask whether any imaginable image could "
     "wake a filter. Asked for are those that none of these images wakes."),
    (lambda w, b, x: _dead(w, b, x[:1]), "You look at the first image only: another image may wake the filter."),
    (lambda w, b, x: int((_maps(w, b, x).amax((2, 3)) <= 0).any(0).sum()), "You count a filter that is silent on some "
     "image. Dead is one that is silent on all of them."),
    (lambda w, b, x: int((_maps(w, b, x).amax((2, 3)) <= 0).sum()), "You count pairs of image and filter. Take the "
     "largest number over the images too."),
    (lambda w, b, x: int((_maps(w, b, x).mean((0, 2, 3)) <= 0).sum()), "A mean or a sum below zero can hide a place "
     "above it: take the largest number."),
    (lambda w, b, x: int((_maps(w, b, x).amin((0, 2, 3)) <= 0).sum()), "You count filters whose smallest number is at "
     "most zero. Dead is one whose largest is."),
    (lambda w, b, x: int((_maps(w, b, x) <= 0).sum()), "You count places. Count filters."),
    (lambda w, b, x: int((_maps(w, b, x)[:, :, 0, 0].amax(0) <= 0).sum()), "You look at one place of the maps only."),
    (lambda w, b, x: _dead(w, b, x[-1:]), "You count what is silent on the last image: look over all of them."),
    (lambda w, b, x: _dead(w, b, x.mean(0, keepdim=True)), "A mean of the images hides the one that wakes a filter."),
    (lambda w, b, x: int((F.conv2d(x, w, b, stride=2).amax((0, 2, 3)) <= 0).sum()), "You skip every second place, and "
     "a filter may respond right there."),
    (lambda w, b, x: int((_maps(w, b, x).amax((0, 2, 3)) <= 0.01).sum()), "A little above zero is alive: compare with "
     "exactly zero."),
    (lambda w, b, x: int(((_maps(w, 0 * b, x).relu() + b[:, None, None]).amax((0, 2, 3)) <= 0).sum()), "The bias is "
     "added before ReLU, not after it."),
)  # fmt: skip


def _count(way: Count) -> Callable[[tuple[Tensor, Tensor, Tensor]], int]:
    """The same way of counting, as a function of a whole case."""
    return lambda case: way(*case)


def _bank(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Filters, biases and images, with some filters dead and some alive, none of them by a hair."""
    while True:
        count, size, many = int(rng.integers(6, 12)), int(rng.choice([1, 2, 3])), int(rng.integers(3, 6))
        weight = torch.from_numpy(rng.normal(0, 1, (count, 1, size, size))).float()
        bias = torch.from_numpy(rng.normal(-0.3, 1, count)).float() * size
        bright = rng.permutation(np.linspace(0.15, 0.9, many))
        images = torch.from_numpy(0.1 + 0.9 * rng.random((many, 1, 8, 9)) * bright[:, None, None, None]).float()
        weight[0], bias[0] = 0, 0  # exactly zero everywhere: dead as well
        faint, outweighed = rng.random(2) < 0.6  # not in every bank, or these mistakes would be no others
        if outweighed:  # dead, though its bias is above zero: no pixel is black
            weight[1] = -0.5 - weight[1].abs()
        top = _maps(weight, 0 * bias, images).amax((0, 2, 3))
        bias[1] = -top[1] / 2 if outweighed else bias[1]
        bias[2] = 3e-4 - top[2] if faint else bias[2]  # alive by a little, at one place
        order = torch.from_numpy(rng.permutation(count))
        weight, bias = weight[order], bias[order]
        top = _maps(weight, bias, images).amax((0, 2, 3)).abs()
        sure = ((top > 1e-4) | (top == 0)).all()
        if sure and 0 < _dead(weight, bias, images) < count:
            return weight, bias, images


Rule = Callable[[Any, Any, float, float], tuple[Any, Any]]

_RULES: tuple[tuple[Rule, str], ...] = (
    (lambda s, g, lr, b: (g, lr * g), "There is no memory: the old move, times beta, has to be added to the gradient."),
    (lambda s, g, lr, b: (s + g, lr * (s + g)), "The old move counts in full and never fades: multiply it with beta."),
    (lambda s, g, lr, b: (b * s + (1 - b) * g, lr * (b * s + (1 - b) * g)), "With (1 − beta) in front of the gradient "
     "you take the mean of the past. It has its uses (Adam); here the new gradient counts in full."),
    (lambda s, g, lr, b: (b * s + g, -lr * (b * s + g)), "You walk uphill: the move adds the gradient, and the place "
     "goes against the move."),
    (lambda s, g, lr, b: (s + b * g, lr * (s + b * g)), "Beta belongs to the old move, not to the gradient."),
    (lambda s, g, lr, b: ((1 - b) * s + g, lr * ((1 - b) * s + g)), "The old move counts with 1 − beta: it should be "
     "beta."),
    (lambda s, g, lr, b: ((1 - b) * s + b * g, lr * ((1 - b) * s + b * g)), "Beta is the share of the old move that "
     "stays: beta · move plus the whole gradient."),
    (lambda s, g, lr, b: (b * (s + g), lr * b * (s + g)), "Beta belongs to the old move alone: yours weakens the new "
     "gradient too."),
    (lambda s, g, lr, b: (b * s + g, lr * s), "You go by the old move. Renew it first, then move."),
    (lambda s, g, lr, b: (b * s + g, b * s + g), "The learning rate is missing: place − lr · move."),
    (lambda s, g, lr, b: (b * s + lr * g, lr * (b * s + lr * g)), "The learning rate is in there twice."),
    (lambda s, g, lr, b: (b * s + g, lr * (g + b * (b * s + g))), "That is Nesterov's momentum, which looks one step "
     "ahead. Here the place goes by lr · move."),
    (lambda s, g, lr, b: (g, lr * (g + b * s)), "Your move remembers one gradient only: keep the whole move, beta "
     "times the old one plus the gradient."),
)  # fmt: skip


@LESSON.check("momentum")
def momentum(function: Any) -> str:
    """A function of a gradient, a start, a learning rate, β and a number of steps."""
    for rng, shape in zip(trials(5), ((4,), (), (3,), (2, 3), (4,)), strict=True):
        start = rng.normal(size=shape) + 1
        slope = _valley(rng.uniform(0.5, 2, shape))
        lr, beta = float(rng.uniform(0.05, 0.2)), float(rng.uniform(0.55, 0.9))
        start = float(start) if shape == () else start
        for steps in (int(rng.choice([5, 6, 8])), 1, 2):
            _compare_descent(function, slope, start, lr, beta, steps)
        answer = call(function, slope, start, lr, 0.0, 3)
        expect(
            answer,
            _descend(_RULES[0][0], slope, start, lr, 0.0, 3),
            otherwise="With beta = 0 it should be plain gradient descent, and it is not.",
        )
    return "The very places that `torch.optim.SGD(momentum=beta)` visits, on random valleys of up to six dimensions."


def _valley(curvature: np.ndarray) -> Callable[[Any], Any]:
    def gradient(place: Any) -> Any:
        """The slope at a place, as an array, or as a tensor if the place is one."""
        if isinstance(place, Tensor):
            return torch.from_numpy(np.array(curvature)).to(place.dtype) * place
        return curvature * place if np.ndim(curvature) else float(curvature) * place

    return gradient


def _descend(rule: Rule, slope: Callable[[Any], Any], start: Any, lr: float, beta: float, steps: int) -> np.ndarray:
    place, step = np.array(start, dtype=float), 0.0
    for _ in range(steps):
        step, move = rule(step, slope(place), lr, beta)
        place = place - move
    return place


def _right(step: Any, gradient: Any, lr: float, beta: float) -> tuple[Any, Any]:
    return beta * step + gradient, lr * (beta * step + gradient)


def _compare_descent(
    function: Any, slope: Callable[[Any], Any], start: Any, lr: float, beta: float, steps: int
) -> None:
    answer = call(function, slope, start, lr, beta, steps)
    if isinstance(answer, tuple) and len(answer) == 2:
        raise Wrong("Return the last place alone; yours is a tuple of 2.")
    wanted = _descend(_right, slope, start, lr, beta, steps)
    path = [_descend(_right, slope, start, lr, beta, n) for n in range(steps + 5)]
    frozen = slope(start)
    mistakes = [(_descend(rule, slope, start, lr, beta, steps), hint) for rule, hint in _RULES]
    mistakes += [
        (start, "The place has not moved at all."),
        (_descend(_right, lambda _: frozen, start, lr, beta, steps), "You ask for the gradient at the start, every "
         "time: ask at the present place, `gradient(place)`."),
        (path[: steps + 1], "Return the last place, not all of them."),
        (path[1 : steps + 1], "Return the last place, not all of them."),
        ((path[steps - 1] - path[steps]) / lr, "That is the last move: return the place."),
    ]  # fmt: skip
    counts = [(place, f"You take {n} step{'s' * (n != 1)} instead of {steps}.") for n, place in enumerate(path) if n]
    # One step tells few mistakes apart, so that only the sentence for all of them is true there.
    expect(
        answer,
        wanted,
        (mistakes if steps > 2 else []) + counts,
        f"After {steps} step{'s' * (steps != 1)} the place is not right. Two lines in the loop: `move = beta * move + "
        "gradient(place)`, then `place = place - lr * move`.",
    )
