"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import itertools
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from helpers.exercises import learning_rate
from helpers.exercises.learning_rate import LESSON
from helpers.network.descent import descend, hump_gradient, valley_gradient
from tests.lessons.common import endless, printing
from tools import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def best(results, value=np.mean, worst=False):
    """The rate with the highest value of its accuracies."""
    return (min if worst else max)(results, key=lambda rate: value(results[rate]))


def looped_best(results):
    """The same by a loop."""
    found, highest = None, -1.0
    for rate, shares in results.items():
        if sum(shares) / len(shares) > highest:
            found, highest = rate, sum(shares) / len(shares)
    return found


def sorted_best(results):
    """The same by sorting pairs."""
    return sorted((np.mean(shares), rate) for rate, shares in results.items())[-1][1]


def dead(weight, bias, images, *, reduce="amax", over=(0, 2, 3)):
    """How many filters are at most zero, with mistakes to choose."""
    return int((getattr(F.conv2d(images, weight, bias), reduce)(over) <= 0).sum())


def looped_dead(weight, bias, images):
    """The same filter by filter."""
    count = 0
    for w, b in zip(weight, bias, strict=True):
        if not (F.conv2d(images, w[None]) + b > 0).any():
            count += 1
    return count


def relu_dead(weight, bias, images):
    """The same by what ReLU leaves."""
    layer = torch.nn.Conv2d(1, len(weight), weight.shape[2:])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        return (torch.relu(layer(images)).sum((0, 2, 3)) == 0).sum()


def walk(renew, move):
    """Descent with this rule for the step and this move."""

    def descended(gradient, start, lr, beta, steps):
        place, step = start, 0 * start
        for _ in range(steps):
            old = step
            step = renew(step, gradient(place), beta)
            place = place + move(old, step, lr)
        return place

    return descended


def usual(old, step, lr):
    """Against the step."""
    return -lr * step


def velocity(gradient, start, lr, beta, steps):
    """Momentum with the learning rate inside the step."""
    place, v = start, 0
    while steps:
        v = beta * v - lr * gradient(place)
        place, steps = place + v, steps - 1
    return place


def history(gradient, start, lr, beta, steps):
    """Momentum with all past gradients written out."""
    place, past = np.array(start, dtype=float), []
    for n in range(steps):
        past.append(gradient(place))
        place = place - lr * sum(beta ** (n - i) * g for i, g in enumerate(past))
    return place


torch.optim.SGD([torch.zeros(1, requires_grad=True)])  # the first optimizer imports for seconds: not in a timed call


def by_torch(gradient, start, lr, beta, steps):
    """Momentum by PyTorch's own optimizer, in float32."""
    place = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    stepper = torch.optim.SGD([place], lr=lr, momentum=beta)
    for _ in range(steps):
        place.grad = gradient(place.detach())
        stepper.step()
    return place.detach()


def writes_start(gradient, start, lr, beta, steps):
    """Momentum that moves the start itself."""
    step = 0
    for _ in range(steps):
        step = beta * step + gradient(start)
        start -= lr * step
    return start


def from_start(gradient, start, lr, beta, steps):
    """Momentum with the gradient of the first place only."""
    return walk(lambda s, g, b: b * s + g, usual)(lambda _: gradient(start), start, lr, beta, steps)


RIGHT = {
    "learning_rate/best-rate": [
        lambda: (best,),
        lambda: (looped_best,),
        lambda: (sorted_best,),
        lambda: (lambda results: torch.tensor(best(results), dtype=torch.float64),),
        lambda: (lambda results: torch.tensor(best(results)),),  # 0.1 is another number in float32
        lambda: (lambda results: np.float32(best(results)),),
    ],
    "learning_rate/momentum": [
        lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n)[-1],),
        lambda: (walk(lambda s, g, b: b * s + g, usual),),
        lambda: (velocity,),
        lambda: (history,),
        lambda: (by_torch,),
        lambda: (walk(lambda s, g, b: b * s - g, lambda old, step, lr: lr * step),),
    ],
    "learning_rate/dead-filters": [
        lambda: (dead,),
        lambda: (looped_dead,),
        lambda: (relu_dead,),
        lambda: (lambda w, b, x: np.int64(dead(w, b, x)),),
        lambda: (lambda w, b, x: (F.conv2d(x, w, b).amax((0, 2, 3)) <= 0).float().sum(),),
        lambda: (lambda w, b, x: len(w) - int((F.conv2d(x, w, b) > 0).any(3).any(2).any(0).sum()),),
    ],
}

WRONG = {
    "learning_rate/best-rate": [
        (lambda: (lambda r: max(r, key=lambda k: np.prod(r[k]) ** (1 / len(r[k]))),), "has the mean"),
        (lambda: (lambda r: max(r, key=lambda k: len(r[k]) / sum(1 / a for a in r[k])),), "has the mean"),
        (lambda: (lambda r: max(r, key=lambda k: np.mean(np.square(r[k]))),), "has the mean"),
        (lambda: (lambda results: best(results, max),), "best single run"),
        (lambda: (lambda results: best(results, min),), "worst run is best"),
        (lambda: (lambda results: best(results, sum),), "equally many seeds"),
        (lambda: (lambda results: best(results, np.median),), "highest median"),
        (lambda: (lambda results: best(results, lambda runs: runs[0]),), "first seed only"),
        (lambda: (lambda results: best(results, lambda runs: runs[-1]),), "last seed only"),
        (lambda: (lambda results: best(results, worst=True),), "lowest mean"),
        (lambda: (lambda results: best(results, len),), "most seeds"),
        (lambda: (lambda results: np.mean(results[best(results)]),), "Return the rate it belongs to"),
        (lambda: (lambda results: max(results),), "largest of the rates"),
        (lambda: (lambda results: min(results),), "smallest of the rates"),
        (lambda: (lambda results: list(results).index(best(results)),), "number in the list"),
        (lambda: (lambda results: best(dict(list(results.items())[1:])),), "pass over the first"),
        (lambda: (lambda results: best(dict(list(results.items())[:-1])),), "pass over the last"),
        (lambda: (lambda results: best(results, lambda runs: round(float(np.mean(runs)), 2)),), "unrounded"),
        (lambda: (lambda results: 2 * best(results),), "none of the rates"),
        (lambda: (lambda results: max(max(runs) for runs in results.values()),), "That is an accuracy"),
        (lambda: (lambda results: results.pop(best(results)) and 0.1,), "changed its argument"),
        (lambda: (lambda results: results,), "one learning rate"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "learning_rate/momentum": [
        (lambda: (walk(lambda s, g, b: g, usual),), "no memory"),
        (lambda: (walk(lambda s, g, b: s + g, usual),), "never fades"),
        (lambda: (walk(lambda s, g, b: b * s + (1 - b) * g, usual),), "mean of the past"),
        (lambda: (walk(lambda s, g, b: s + b * g, usual),), "belongs to the old move"),
        (lambda: (walk(lambda s, g, b: b * (s + g), usual),), "weakens the new gradient"),
        (lambda: (walk(lambda s, g, b: (1 - b) * s + g, usual),), "counts with 1 − beta"),
        (lambda: (walk(lambda s, g, b: (1 - b) * s + b * g, usual),), "share of the old move"),
        (lambda: (walk(lambda s, g, b: b * s - g, usual),), "uphill"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: lr * step),), "uphill"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: -lr * old),), "Renew it first"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: -step),), "learning rate is missing"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n - 1)[-1],), "steps instead of"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n + 1)[-1],), "steps instead of"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, 7)[-1],), "7 steps instead of"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, 0.9, n)[-1],), "Two lines in the loop"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n),), "Return the last place"),
        (lambda: (lambda g, s, lr, b, n: (descend(g, s, lr, b, n)[-1], 0.0),), "a tuple of 2"),
        (lambda: (lambda g, s, lr, b, n: s,), "has not moved"),
        (lambda: (from_start,), "at the start, every time"),
        (lambda: (writes_start,), "changed its argument `start`"),
        (lambda: (lambda g, s, lr, b, n: np.full(np.shape(s), np.nan),), "NaN"),
        (lambda: (printing,), "is there a `return`"),
    ],
    "learning_rate/dead-filters": [
        (lambda: (lambda w, b, x: dead(w, 0 * b, x),), "leave out the bias"),
        (lambda: (lambda w, b, x: len(w) - dead(w, b, x),), "alive"),
        (lambda: (lambda w, b, x: int((F.conv2d(x, w, b).amax((0, 2, 3)) < 0).sum()),), "zero is dead too"),
        (lambda: (lambda w, b, x: int((w.flatten(1).max(1).values <= 0).sum()),), "Negative weights do not settle it"),
        (lambda: (lambda w, b, x: int((b <= 0).sum()),), "negative bias does not settle it"),
        (lambda: (lambda w, b, x: dead(w, b, x[:1]),), "first image only"),
        (lambda: (lambda w, b, x: int((F.conv2d(x, w, b).amax((2, 3)) <= 0).any(0).sum()),), "silent on some"),
        (lambda: (lambda w, b, x: dead(w, b, x, over=(2, 3)),), "pairs of image and filter"),
        (lambda: (lambda w, b, x: dead(w, b, x, reduce="mean"),), "take the largest number"),
        (lambda: (lambda w, b, x: dead(w, b, x, reduce="sum"),), "take the largest number"),
        (lambda: (lambda w, b, x: dead(w, b, x, reduce="amin"),), "smallest number"),
        (lambda: (lambda w, b, x: int((F.conv2d(x, w, b) <= 0).sum()),), "Count filters"),
        (lambda: (lambda w, b, x: dead(w, b, x[-1:]),), "on the last image"),
        (lambda: (lambda w, b, x: dead(w, b, x.mean(0, keepdim=True)),), "mean of the images"),
        (lambda: (lambda w, b, x: int((F.conv2d(x, w, b, 2).amax((0, 2, 3)) <= 0).sum()),), "skip every second place"),
        (lambda: (lambda w, b, x: dead(w, b - 0.01, x),), "A little above zero is alive"),
        (
            lambda: (lambda w, b, x: int(((F.conv2d(x, w).relu().amax((0, 2, 3)) + b) <= 0).sum()),),
            "added before ReLU",
        ),
        (lambda: (lambda w, b, x: dead(w, b, x) / len(w),), "whole number, and yours is"),
        (lambda: (lambda w, b, x: dead(w, b, x) + 1,), "are dead, and you count"),
        (lambda: (lambda w, b, x: dead(w, b, x) + 0.5,), "how many"),
        (lambda: (lambda w, b, x: F.conv2d(x, w, b).amax((0, 2, 3)) <= 0,), "how many"),
        (lambda: (lambda w, b, x: dead(w, b.zero_(), x),), "changed its argument `b`"),
        (lambda: (printing,), "is there a `return`"),
        (lambda: (endless,), "still running after"),
    ],
}  # fmt: skip


def test_the_ball_of_the_lesson_does_what_its_prose_says():
    ends = {beta: descend(hump_gradient, 0.0, 0.1, beta, 60) for beta in (0.0, 0.8, 0.9, 0.98)}
    assert ends[0.0][-1] == pytest.approx(1.4, abs=0.05)
    assert ends[0.8][-1] < 2
    assert ends[0.9][-1] == pytest.approx(4, abs=0.2)
    assert ends[0.98].max() > 6
    assert ends[0.98][-1] < ends[0.98].max() - 1


def test_a_little_momentum_brings_back_a_path_that_flies_away():
    ends = {beta: np.hypot(*descend(valley_gradient, (-4, 0.75), 0.12, beta, 300)[-1]) for beta in (0.0, 0.05)}
    assert ends[0.0] > 100
    assert ends[0.05] < 4


def test_a_steady_slope_makes_a_step_ten_times_as_long():
    places = descend(lambda place: np.ones_like(place), 0.0, 0.1, 0.9, 200)
    assert places[-2] - places[-1] == pytest.approx(1.0)


def why(key, option):
    """The text of an option of a prediction, and its explanation."""
    chosen = LESSON.questions[f"learning_rate/{key}"].options["abcd".index(option)]
    return f"{chosen.text}: {chosen.why}"


def test_the_numbers_in_the_options_are_those_of_the_sum():
    moves = -np.diff(descend(lambda place: np.ones_like(place), 0.0, 0.1, 0.9, 200))
    assert f"{moves[0]:.1f}" in why("steady-slope", "a")
    assert f"{moves[1]:.2f}" in why("steady-slope", "b")
    assert f"{moves[2] - moves[1]:.3f}" in why("steady-slope", "b")
    assert f"{moves[-1]:.0f}: ten times" in why("steady-slope", "c")


def test_after_a_hundred_steps_one_ball_is_at_rest_and_one_still_swings():
    rest, swing = (descend(hump_gradient, 0.0, 0.1, beta, 100)[80:] for beta in (0.9, 0.98))
    assert abs(rest - 4).max() < 0.1
    assert np.ptp(swing) > 1


def test_the_valley_is_crossed_soonest_with_the_betas_of_the_answer():
    betas = np.arange(0, 0.99, 0.01)
    away = [np.hypot(*descend(valley_gradient, (-4, 0.75), 0.1, beta, 60)[-1]) for beta in betas]
    near = betas[np.array(away) < 0.06]
    assert near.min() > 0.8
    assert near.max() < 0.91


def test_the_measured_accuracies_hold_what_the_lesson_draws():
    stored = json.loads((RESULTS / "learning_rate.json").read_text(encoding="utf-8"))
    assert {row["optimizer"] for row in stored["rates"]} == {"SGD", "momentum 0.9", "Adam"}
    assert len(stored["sizes"]) == 15
    assert {len(row["accuracy"]) for row in [*stored["rates"], *stored["sizes"]]} == {3}


def test_two_filters_of_one_pixel_are_dead_with_the_seed_of_the_lesson():
    torch.manual_seed(0)
    layer = torch.nn.Conv2d(1, 2, 1)
    everything = torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    assert dead(layer.weight, layer.bias, everything) == 2


def test_the_stored_race_holds_what_the_lesson_draws():
    stored = json.loads((RESULTS / "training.json").read_text(encoding="utf-8"))
    seconds = {rung["name"]: np.median(rung["seconds"]) for rung in stored["rungs"]}
    assert next(iter(seconds)) == "public example"
    assert {"processor", "threads", "bfloat16 in hardware", "torch"} <= set(stored["machine"])
    for rung in stored["rungs"]:
        assert len(rung["seconds"]) == len(rung["epochs"]) == len(rung["validation"]) == len(rung["test"])
        assert min(rung["validation"]) >= stored["target"]


COUNTS = [learning_rate._dead, *(other for other, _ in learning_rate._OTHER_COUNTS)]
WAYS = {
    "best rate": (learning_rate._measured, [learning_rate._best, *(other for other, _ in learning_rate._OTHER_RATES)]),
    "dead filters": (learning_rate._bank, [*map(learning_rate._count, COUNTS)]),
}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("make", "ways"), WAYS.values(), ids=WAYS)
def test_any_two_ways_to_answer_differ_in_two_cases_or_more(make, ways, seed):
    random = np.random.default_rng(seed)
    cases = learning_rate._told_apart(lambda: make(random), ways[0], ways[1:])
    assert len(cases) >= 7
    answers = [[way(case) for case in cases] for way in ways]
    for one, other in itertools.combinations(answers, 2):
        assert sum(a != b for a, b in zip(one, other, strict=True)) >= 2
