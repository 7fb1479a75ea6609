"""Right and wrong answers to its exercises, and the claims of its prose and its predictions."""

import itertools
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

from helpers.exercises.overfitting import LESSON
from helpers.network.descent import descend, hump_gradient, valley_gradient
from tools import ROOT, lessons

STORED = ROOT / "benchmarks" / "results" / "training.json"


def pair(matrix, *, both=True, diagonal=False, least=False):
    """The largest cell of the matrix plus its transpose, with mistakes to choose."""
    table = matrix + matrix.T if both else matrix.copy()
    if not diagonal:
        np.fill_diagonal(table, 10**6 if least else 0)
    return np.unravel_index(table.argmin() if least else table.argmax(), table.shape)


def largest(table):
    """Row and column of the largest entry off the diagonal."""
    table = np.array(table)
    np.fill_diagonal(table, 0)
    return np.unravel_index(table.argmax(), table.shape)


def looped_pair(matrix):
    """The pair by two loops, over plain numbers."""
    n = len(matrix)
    return max(itertools.combinations(range(n), 2), key=lambda ij: int(matrix[ij]) + int(matrix[ij[::-1]]))


def one_triangle(matrix):
    """The usual loop that looks at one direction only."""
    return max(itertools.combinations(range(len(matrix)), 2), key=lambda ij: matrix[ij])


def other_triangle(matrix):
    """The same below the diagonal."""
    return max(itertools.combinations(range(len(matrix)), 2), key=lambda ij: matrix[ij[::-1]])


def diagonal_in_place(matrix):
    """The pair, after writing into the matrix."""
    np.fill_diagonal(matrix, 0)
    return pair(matrix)


def most_errors(matrix, axis=1):
    """The two classes with the longest rows of mistakes."""
    return (matrix - np.diag(np.diag(matrix))).sum(axis).argsort()[-2:]


def rates(matrix):
    """The pair with the largest shares of its classes."""
    shares = matrix / matrix.sum(1, keepdims=True)
    return largest(shares + shares.T)


def drop(hidden, p, training, *, scale=None, on=None, shape=None, test=False):
    """Dropout, with mistakes to choose."""
    if not training and not test:
        return hidden
    stays = torch.rand(hidden.shape if shape is None else shape) >= (p if on is None else on(p))
    return hidden * stays * (1 / (1 - p) if scale is None else scale(p))


FIXED = torch.rand(100, 500, generator=torch.Generator().manual_seed(0))


def fixed(hidden, p, training):
    """Dropout whose random numbers are always the same."""
    return hidden * (p <= FIXED[: len(hidden), : hidden.shape[1]]) / (1 - p) if training else hidden


def seeded(hidden, p, training):
    """Dropout that seeds the generator."""
    torch.manual_seed(3)
    return drop(hidden, p, training)


def exact(hidden, p, training):
    """Dropout that turns off the same number in every pass."""
    order = torch.randperm(hidden.numel()).view(hidden.shape)
    return hidden * (order >= p * hidden.numel()) / (1 - p) if training else hidden


def exact_rows(hidden, p, training):
    """Dropout that turns off the same number in every image."""
    order = torch.rand(hidden.shape).argsort(1)
    return hidden * (order >= int(p * hidden.shape[1])) / (1 - p) if training else hidden


def looped_drop(hidden, p, training):
    """Dropout row by row, in NumPy."""
    if not training:
        return hidden.numpy()
    rows = []
    for row in hidden.numpy().astype(float):
        row = row.copy()
        row[np.random.rand(len(row)) < p] = 0  # noqa: NPY002 - as students write it
        rows.append(row / (1 - p))
    return np.array(rows)


def paper(hidden, p, training):
    """Dropout as first published: the test is scaled."""
    return hidden * (torch.rand(hidden.shape) >= p) if training else hidden * (1 - p)


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


def stop(losses, patience, wait=0):
    """The best epoch when training stops."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience + wait:
            break
    return best


def stop_by_counter(losses, patience):
    """The same with a counter."""
    best, lowest, bad, epoch = 0, float("inf"), 0, 0
    while epoch < len(losses) and bad < patience:
        if losses[epoch] < lowest:
            best, lowest, bad = epoch, losses[epoch], 0
        else:
            bad += 1
        epoch += 1
    return best


def stop_by_slices(losses, patience):
    """The same by looking back at each epoch."""
    for now in range(1, len(losses) + 1):
        best = int(np.argmin(losses[:now]))
        if now - 1 - best >= patience:
            return best
    return int(np.argmin(losses))


def where(losses, patience):
    """The epoch in which training stops, or the best if it does not."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch
    return best


def where_always(losses, patience):
    """The epoch in which training stops."""
    found = where(losses, patience)
    return found if found - stop(losses, patience) else len(losses) - 1


def hasty(losses, patience):
    """Gives up at the first bad epoch."""
    return next((i - 1 for i in range(1, len(losses)) if losses[i] >= losses[i - 1]), len(losses) - 1)


def never_reset(losses, patience):
    """Patience that is used up over the whole run."""
    best, lowest, bad = 0, float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss < lowest:
            best, lowest = epoch, loss
        else:
            bad += 1
            if bad >= patience:
                break
    return best


def rises(losses, patience, *, equal=False, back=False):
    """Patience that counts rises against the epoch before."""
    bad = 0
    for epoch in range(1, len(losses)):
        worse = losses[epoch] >= losses[epoch - 1] if equal else losses[epoch] > losses[epoch - 1]
        bad = bad + 1 if worse else 0
        if bad >= patience:
            return epoch - patience if back else int(np.argmin(losses[: epoch + 1]))
    return len(losses) - 1 if back else int(np.argmin(losses))


def rises_in_all(losses, patience):
    """Patience that counts all rises and never forgets."""
    bad = 0
    for epoch in range(1, len(losses)):
        bad += losses[epoch] > losses[epoch - 1]
        if bad >= patience:
            return epoch - patience
    return int(np.argmin(losses))


def last_if_never(losses, patience):
    """The last epoch if training never stops."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return best
    return len(losses) - 1


def ties(losses, patience):
    """Takes an equal loss for a better one."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss <= losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def sorts(losses, patience):
    """Sorts the list it is given."""
    answer = stop(losses, patience)
    losses.sort()
    return answer


def printed(*arguments):
    """Prints and returns nothing."""
    print(len(arguments))


def endless(*_):
    """Never comes back."""
    for _ in itertools.count():
        pass


RIGHT = {
    "overfitting/most-confused": [
        lambda: (pair,),
        lambda: (looped_pair,),
        lambda: (lambda m: [int(i) for i in pair(m)][::-1],),
        lambda: (lambda m: set(pair(m)),),
        lambda: (lambda m: np.array(pair(m)),),
        lambda: (lambda m: torch.tensor([int(i) for i in pair(m)]),),
        lambda: (lambda m: largest(np.triu(m + m.T, 1)),),
        lambda: (lambda m: np.argwhere(np.triu(m + m.T, 1) == np.triu(m + m.T, 1).max())[0],),
    ],
    "overfitting/dropout": [
        lambda: (lambda h, p, t: nn.functional.dropout(h, p, t),),
        lambda: (lambda h, p, t: drop(h, p, t),),
        lambda: (lambda h, p, t: drop(h.double(), p, t),),
        lambda: (lambda h, p, training: nn.Dropout(p).train(training)(h),),
        lambda: (lambda h, p, t: h * torch.bernoulli(torch.full_like(h, 1 - p)) / (1 - p) if t else h.clone(),),
        lambda: (lambda h, p, t: torch.where(torch.rand_like(h) < p, 0.0, h / (1 - p)) if t else h,),
        lambda: (looped_drop,),
    ],
    "overfitting/momentum": [
        lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n)[-1],),
        lambda: (walk(lambda s, g, b: b * s + g, usual),),
        lambda: (velocity,),
        lambda: (history,),
        lambda: (by_torch,),
        lambda: (walk(lambda s, g, b: b * s - g, lambda old, step, lr: lr * step),),
    ],
    "overfitting/early-stopping": [
        lambda: (stop,),
        lambda: (stop_by_counter,),
        lambda: (stop_by_slices,),
        lambda: (lambda losses, n: next(i for i, x in enumerate(losses) if min(losses[i : i + n + 1]) >= x),),
        lambda: (lambda losses, patience: np.int64(stop(losses, patience)),),
        lambda: (lambda losses, patience: torch.tensor(stop(losses, patience)),),
        lambda: (lambda losses, patience: stop(np.array(losses, dtype=np.float32), patience),),
    ],
}

WRONG = {
    "overfitting/most-confused": [
        (lambda: (lambda m: pair(m, both=False),), "largest single cell"),
        (lambda: (lambda m: largest(m * m.T),), "largest product"),
        (lambda: (lambda m: largest(np.minimum(m, m.T)),), "the smaller of the two directions"),
        (lambda: (lambda m: largest(np.maximum(m, m.T)),), "largest single cell"),
        (lambda: (lambda m: largest(abs(m - m.T)),), "do not subtract"),
        (lambda: (one_triangle,), "above the diagonal only"),
        (lambda: (other_triangle,), "below the diagonal only"),
        (lambda: (lambda m: most_errors(m),), "two classes with most mistakes"),
        (lambda: (lambda m: most_errors(m, 0),), "two answers that are wrong most often"),
        (lambda: (lambda m: most_errors(m + m.T),), "take part in most mistakes"),
        (lambda: (rates,), "count the images"),
        (lambda: (lambda m: pair(m, diagonal=True),), "diagonal"),
        (lambda: (lambda m: pair(m, least=True),), "confused least"),
        (lambda: (diagonal_in_place,), "changed its argument `matrix`"),
        (lambda: (lambda m: int((m + m.T - 2 * np.diag(np.diag(m))).argmax()),), "two class numbers"),
        (lambda: (lambda m: ("Shirt", "Coat"),), "the number of a class"),
        (lambda: (lambda m: (2, 6),), "In a test matrix"),
        (lambda: (lambda m: (6, 12),), "numbered from 0"),
        (lambda: (lambda m: np.argwhere(m + m.T == largest(m + m.T)),), "two class numbers"),
        (lambda: (lambda m: (np.nan, 1.0),), "NaN"),
        (lambda: (printed,), "is there a `return`"),
        (lambda: (7,), "should be a function"),
    ],
    "overfitting/dropout": [
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1),), "as they were"),
        (lambda: (paper,), "as they were"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 - p),), "weakens them"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 / p),), "divide by p"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: p),), "multiply the survivors by p"),
        (lambda: (lambda h, p, t: drop(h, p, t, on=lambda p: 1 - p),), "probability of being off"),
        (lambda: (lambda h, p, t: drop(h, p, t, on=lambda p: 0.5),), "of the units should be off"),
        (lambda: (lambda h, p, t: drop(h, p, t, test=True),), "training=False nothing is off"),
        (lambda: (lambda h, p, t: drop(h, p, t) if t else h / (1 - p),), "training=False nothing is scaled"),
        (lambda: (lambda h, p, t: nn.functional.dropout(h, p),), "training=False nothing is off"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(len(h), 1)),), "Whole images"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(1, h.shape[1])),), "same units are off for every image"),
        (lambda: (fixed,), "the very same units"),
        (lambda: (seeded,), "the very same units"),
        (lambda: (exact,), "same number of units is off in every pass"),
        (lambda: (exact_rows,), "Equally many are off for every image"),
        (lambda: (lambda h, p, t: h,), "No unit is off"),
        (lambda: (lambda h, p, t: drop(h, p, t).abs(),), "should be multiplied by"),
        (lambda: (lambda h, p, t: drop(h, p, t).relu() if t else h,), "of the units should be off"),
        (lambda: (lambda h, p, t: drop(h, p, t) + 0.01 if t else h,), "No unit is off"),
        (lambda: (lambda h, p, t: h.mul_(torch.rand(h.shape) >= p),), "changed its argument `h`"),
        (lambda: (lambda h, p, t: h.sum(1),), "The shape should be"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 3),), "should be multiplied by"),
        (lambda: (lambda h, p, t: drop(h, p, t) if t else None,), "is there a `return`"),
        (lambda: (lambda h, p, t: h * torch.nan,), "NaN"),
    ],
    "overfitting/momentum": [
        (lambda: (walk(lambda s, g, b: g, usual),), "no memory"),
        (lambda: (walk(lambda s, g, b: s + g, usual),), "never fades"),
        (lambda: (walk(lambda s, g, b: b * s + (1 - b) * g, usual),), "mean of the past"),
        (lambda: (walk(lambda s, g, b: s + b * g, usual),), "belongs to the old step"),
        (lambda: (walk(lambda s, g, b: b * (s + g), usual),), "weakens the new gradient"),
        (lambda: (walk(lambda s, g, b: (1 - b) * s + g, usual),), "counts with 1 − beta"),
        (lambda: (walk(lambda s, g, b: (1 - b) * s + b * g, usual),), "share of the old step"),
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
        (lambda: (printed,), "is there a `return`"),
    ],
    "overfitting/early-stopping": [
        (lambda: (lambda losses, patience: int(np.argmin(losses)),), "lowest of all"),
        (lambda: (where_always,), "where you stop"),
        (lambda: (where,), "it should be"),
        (lambda: (hasty,), "it should be"),
        (lambda: (lambda losses, patience: stop(losses, 1),), "first bad epoch"),
        (lambda: (lambda losses, patience: stop(losses, patience) + 1,), "count from 0"),
        (lambda: (lambda losses, patience: stop(losses, patience, 1),), "one epoch too long"),
        (lambda: (lambda losses, patience: stop(losses, max(patience, 2), -1),), "one epoch too early"),
        (lambda: (never_reset,), "used up over the whole run"),
        (lambda: (rises,), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, equal=True),), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, back=True),), "with the one before it"),
        (lambda: (lambda losses, patience: rises(losses, patience, equal=True, back=True),), "with the one before it"),
        (lambda: (rises_in_all,), "it should be"),
        (lambda: (last_if_never,), "If it never stops"),
        (lambda: (ties,), "only as good"),
        (lambda: (lambda losses, patience: stop([round(x, 3) for x in losses], patience),), "it should be"),
        (lambda: (sorts,), "changed its argument `losses`"),
        (lambda: (lambda losses, patience: min(losses),), "a whole number"),
        (lambda: (lambda losses, patience: losses[stop(losses, patience)],), "a whole number"),
        (lambda: (lambda losses, patience: 0,), "it should be"),
        (lambda: (lambda losses, patience: [stop(losses, patience)],), "the number of an epoch"),
        (lambda: (lambda losses, patience: float("nan"),), "NaN"),
        (lambda: (lambda losses, patience: losses[999],), "IndexError"),
        (lambda: (printed,), "is there a `return`"),
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


def test_twice_the_image_wants_twice_the_filter():
    image, kernel = torch.rand(1, 1, 11, 13).double(), torch.randn(1, 1, 3, 3).double()
    twice = [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in (image, kernel)]
    large = nn.functional.conv2d(*twice, stride=2)
    torch.testing.assert_close(large, 4 * nn.functional.conv2d(image, kernel))


def test_the_stored_race_holds_what_the_lesson_draws():
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    rungs = {rung["name"]: np.median(rung["seconds"]) for rung in stored["rungs"]}
    assert next(iter(rungs)) == "textbook loop"
    assert rungs["textbook loop"] > 3 * rungs["fit"]
    assert {"processor", "threads", "bfloat16 in hardware", "torch"} <= set(stored["machine"])
    assert all(len(rung["seconds"]) == len(rung["epochs"]) == len(rung["accuracy"]) for rung in stored["rungs"])
    assert all(min(rung["accuracy"]) >= stored["target"] for rung in stored["rungs"])


def why(key, option):
    """The text of an option of a prediction, and its explanation."""
    chosen = LESSON.questions[f"overfitting/{key}"].options["abcd".index(option)]
    return f"{chosen.text}: {chosen.why}"


def test_the_numbers_in_the_options_are_those_of_the_sum():
    moves = -np.diff(descend(lambda place: np.ones_like(place), 0.0, 0.1, 0.9, 200))
    assert f"{moves[0]:.1f}" in why("steady-slope", "a")
    assert f"{moves[1]:.2f}" in why("steady-slope", "b")
    assert f"{moves[2] - moves[1]:.3f}" in why("steady-slope", "b")
    assert f"{moves[-1]:.0f}: ten times" in why("steady-slope", "c")
    assert (1 / 0.5) / 0.5 == 4  # the survivors halved: a quarter of the sum
    assert "four times instead of twice" in why("survivors", "b")


def test_the_right_options_agree_with_what_the_notebook_shows():
    shares = re.findall(r"([A-Z][\w\-/ ]+) ([\d.]+)%", lessons.stored("overfitting", "right answers, class by class"))
    assert min(shares, key=lambda pair: float(pair[1]))[0] == "Shirt"
    slow, fast, momentum, _ = (
        float(x) for x in re.findall(r": ([\d.]+)$", lessons.stored("overfitting", "momentum 0.9, lr"), re.MULTILINE)
    )
    assert slow - fast > 0.5 * (slow - momentum), "ten times the rate closes most of the gap"
    last, lowest = re.findall(r"loss ([\d.]+)", lessons.stored("overfitting", "at its lowest"))[1:3]
    assert float(last) > float(lowest)
