"""Plausible wrong answers and the hints they earn, and the claims its prose makes."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from helpers.exercises import check
from helpers.explorers.momentum import descend, hump_gradient, valley_gradient
from tools import ROOT

STORED = ROOT / "benchmarks" / "results" / "training.json"


def pair(matrix, *, both=True, diagonal=False, least=False):
    table = matrix + matrix.T if both else matrix.copy()
    if not diagonal:
        np.fill_diagonal(table, 10**6 if least else 0)
    return np.unravel_index(table.argmin() if least else table.argmax(), table.shape)


def drop(hidden, p, training, *, scale=None, on=None, shape=None, test=False):
    if not training and not test:
        return hidden
    stays = torch.rand(hidden.shape if shape is None else shape) >= (p if on is None else on(p))
    return hidden * stays * (1 / (1 - p) if scale is None else scale(p))


FIXED = torch.rand(40, 500, generator=torch.Generator().manual_seed(0))


def walk(renew, move):
    def descended(gradient, start, lr, beta, steps):
        place, step = start, 0 * start
        for _ in range(steps):
            old = step
            step = renew(step, gradient(place), beta)
            place = place + move(old, step, lr)
        return place

    return descended


def usual(old, step, lr):
    return -lr * step


def stop(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def where(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            return epoch
    return best


def hasty(losses, patience):
    return next((i - 1 for i in range(1, len(losses)) if losses[i] >= losses[i - 1]), len(losses) - 1)


WRONG = {
    "overfitting/most-confused": [
        (lambda: (lambda m: pair(m, both=False),), "largest single cell"),
        (lambda: (lambda m: pair(m, diagonal=True),), "diagonal"),
        (lambda: (lambda m: pair(m, least=True),), "Another pair"),
        (lambda: (lambda m: int((m + m.T - 2 * np.diag(np.diag(m))).argmax()),), "two class numbers"),
        (lambda: (lambda m: ("Shirt", "Coat"),), "whole number"),
        (lambda: (7,), "should be a function"),
    ],
    "overfitting/dropout": [
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1),), "as they were"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 - p),), "weakens them"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 1 / p),), "divide by p"),
        (lambda: (lambda h, p, t: drop(h, p, t, on=lambda p: 1 - p),), "probability of being off"),
        (lambda: (lambda h, p, t: drop(h, p, t, test=True),), "training=False"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(40, 1)),), "Whole images"),
        (lambda: (lambda h, p, t: drop(h, p, t, shape=(1, 500)),), "same units are off for every image"),
        (lambda: (lambda h, p, t: h * (p <= FIXED) / (1 - p) if t else h,), "the very same units"),
        (lambda: (lambda h, p, t: h,), "No unit is off"),
        (lambda: (lambda h, p, t: h.mul_(torch.rand(h.shape) >= p),), "make a new tensor"),
        (lambda: (lambda h, p, t: h.sum(1),), "keeps the shape"),
        (lambda: (lambda h, p, t: drop(h, p, t, scale=lambda p: 3),), "should be multiplied by"),
    ],
    "overfitting/momentum": [
        (lambda: (walk(lambda s, g, b: g, usual),), "no memory"),
        (lambda: (walk(lambda s, g, b: s + g, usual),), "never fades"),
        (lambda: (walk(lambda s, g, b: b * s + (1 - b) * g, usual),), "mean of the past"),
        (lambda: (walk(lambda s, g, b: s + b * g, usual),), "belongs to the old step"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: lr * step),), "uphill"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: -lr * old),), "Renew it first"),
        (lambda: (walk(lambda s, g, b: b * s + g, lambda old, step, lr: -step),), "learning rate is missing"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n - 1)[-1],), "6 steps instead of 7"),
        (lambda: (lambda g, s, lr, b, n: descend(g, s, lr, b, n),), "Return the last place"),
        (lambda: (lambda g, s, lr, b, n: s,), "Two lines in the loop"),
    ],
    "overfitting/early-stopping": [
        (lambda: (lambda losses, patience: int(np.argmin(losses)),), "lowest of all"),
        (lambda: (where,), "where you stop"),
        (lambda: (hasty,), "first bad epoch"),
        (lambda: (lambda losses, patience: stop(losses, patience) + 1,), "count from 0"),
        (lambda: (lambda losses, patience: min(losses),), "whole number"),
        (lambda: (lambda losses, patience: 0,), "best epoch when you stop"),
    ],
}


@pytest.mark.parametrize(("key", "case"), [(key, i) for key, cases in WRONG.items() for i in range(len(cases))])
def test_a_plausible_mistake_earns_its_hint(key, case):
    make, words = WRONG[key][case]
    verdict = check(key, *make())
    assert verdict.status == "wrong", verdict
    assert words in verdict.message, verdict


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("overfitting/most-confused", pair),
        ("overfitting/most-confused", lambda m: [int(i) for i in pair(m)][::-1]),
        ("overfitting/dropout", lambda h, p, t: nn.functional.dropout(h, p, t)),
        ("overfitting/dropout", lambda h, p, t: drop(h, p, t)),
        ("overfitting/momentum", lambda g, s, lr, b, n: descend(g, s, lr, b, n)[-1]),
        ("overfitting/momentum", walk(lambda s, g, b: b * s + g, usual)),
        ("overfitting/early-stopping", stop),
        ("overfitting/early-stopping", lambda losses, patience: np.int64(stop(losses, patience))),
    ],
)
def test_other_ways_to_the_right_answer_are_right_too(key, answer):
    assert check(key, answer).status == "right", check(key, answer)


@pytest.mark.parametrize("key", list(WRONG))
def test_a_function_that_returns_nothing_is_not_attempted(key):
    assert check(key, lambda *_: None).status == "not attempted yet"


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
