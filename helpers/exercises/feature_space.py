"""Questions and checks of the lesson "The feature space"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from helpers.exercises.cases import Mistake, compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, trials

Measure = Callable[[np.ndarray, np.ndarray], Any]

LESSON = Lesson("feature_space")

LESSON.ask(
    "cosines",
    "And by the 128 numbers: how large are the mean cosines of two 4s, of two 9s, and of a 4 and a 9?",
    Option(
        "Nearly equal again: the 128 numbers are made of the pixels.",
        "They hold nothing that the pixels do not. But a network can weaken what a 4 and a 9 share, and strengthen "
        "what only one of them has. One that nobody trained does leave the three nearly equal, at 0.9.",
    ),
    Option(
        "Two 4s, and two 9s, near 0.77; a 4 and a 9 near 0.4.",
        "The last layer has to tell them apart with one row of weights each, so training moved them apart.",
        right=True,
    ),
    Option(
        "All three near 1: both digits have the same vertical stroke.",
        "They share it, and in the pixels it counts in full. The network was rewarded for looking at the rest.",
    ),
)

LESSON.ask(
    "untrained",
    "Now take the same network with random weights. How good is the vote of five neighbors by its 128 numbers?",
    Option(
        "About 10% right, like guessing",
        "Random filters do not destroy an image. Similar images still give similar numbers.",
    ),
    Option(
        "About as good as by pixels",
        "Random weights keep most of what is in the image, and bring equal digits no closer together.",
        right=True,
    ),
    Option(
        "Halfway between pixels and trained",
        "The shape of the network alone brings nothing here: five of five random networks do no better than pixels.",
    ),
)

LESSON.ask(
    "toy",
    "Three groups of 60 points on a plane: A is tight, B is ten times as wide, and C is five times as far from A as B "
    "is. What does t-SNE with its usual setting make of them?",
    Option(
        "Three islands of about the same size, C less than twice as far as B",
        "Every point counts about as many neighbors, however far away they are, so tight and wide come out alike.",
        right=True,
    ),
    Option(
        "The same picture, perhaps turned",
        "That is what PCA does. t-SNE keeps neighbors, and a point counts as many in a tight group as in a wide one.",
    ),
    Option(
        "One crowd: it does not know the groups",
        "It does not know them, but nobody of A has a neighbor in C. Groups are what it keeps best.",
    ),
)

LESSON.ask(
    "borders",
    "The network misreads 68 of 1,000 garments. Where on the map do they lie?",
    Option(
        "All of them at borders between islands",
        "Two of three do. The rest lie inside an island, among garments of the class that the network named.",
    ),
    Option(
        "Spread evenly: the network can err anywhere",
        "Anywhere, but not equally often: at a border every third image is misread, inside one in forty.",
    ),
    Option(
        "At borders far more often than inside",
        "At a border every third image is misread, inside one in forty. As a rate the difference is large, though "
        "every third mistake still lies inside: most images do.",
        right=True,
    ),
)


def _judge(
    function: Any,
    cases: Sequence[tuple[np.ndarray, np.ndarray]],
    parts: Sequence[tuple[Measure, Sequence[Mistake], Callable[..., str]]],
    what: str,
) -> None:
    """Compare the numbers that a function returns, one after the other, each over all cases."""
    for place, (right, mistakes, otherwise) in enumerate(parts):
        compare(
            function,
            cases,
            right,
            mistakes,
            otherwise,
            read=lambda answer, place=place: _read(answer, len(parts), what)[place],
        )


def _read(answer: Any, count: int, what: str) -> np.ndarray:
    found = array(answer, what=what)
    if found.shape != (count,):
        raise Wrong(f"It is asked for {what}; the shape of yours is {found.shape}.")
    return found


def _l1(a: np.ndarray, b: np.ndarray) -> float:
    return np.abs(a - b).sum()


def _mse(a: np.ndarray, b: np.ndarray) -> float:
    return ((a - b) ** 2).mean()


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return a @ b / (np.linalg.norm(a) * np.linalg.norm(b))


_L1_MISTAKES: tuple[Mistake, ...] = (
    (lambda a, b: np.abs(a - b).mean(), "L1 is the sum of the absolute differences, not their mean."),
    (lambda a, b: (a - b).sum(), "In L1 ups and downs must not cancel: take the absolute value first."),
    (lambda a, b: (b - a).sum(), "In L1 ups and downs must not cancel: take the absolute value first."),
    (lambda a, b: abs((a - b).sum()), "In L1 ups and downs must not cancel: take the absolute value first."),
    (
        lambda a, b: np.linalg.norm(a - b),
        "That is the length of the difference, the root of the sum of squares. L1 is the sum of the absolute "
        "differences.",
    ),
    (lambda a, b: ((a - b) ** 2).sum(), "That is the sum of squares; L1 is the sum of the absolute differences."),
    (lambda a, b: np.abs(a - b).max(), "That is the largest difference; L1 adds up all of them."),
    (_mse, "The MSE stands where the L1 distance should: mind the order, `l1, mse, angle`."),
    (
        lambda a, b: 1 - _cosine(a, b),
        "The cosine distance stands where the L1 distance should: mind the order, `l1, mse, angle`.",
    ),
)

_MSE_MISTAKES: tuple[Mistake, ...] = (
    (lambda a, b: ((a - b) ** 2).sum(), "MSE is a mean: divide by the number of entries."),
    (lambda a, b: np.sqrt(_mse(a, b)), "That is the square root of the MSE: leave it squared."),
    (
        lambda a, b: np.linalg.norm(a - b),
        "That is the length of the difference: MSE is the mean of the squares, no root.",
    ),
    (
        lambda a, b: np.abs(a - b).mean(),
        "That is the mean of the absolute differences: the differences of MSE are squared.",
    ),
    (lambda a, b: (a - b).mean() ** 2, "You square the mean: square each difference first, then take the mean."),
    (lambda a, b: (a - b).var(), "That is the variance of the differences: do not subtract their mean."),
    (_l1, "The L1 distance stands where the MSE should: mind the order, `l1, mse, angle`."),
    (
        lambda a, b: 1 - _cosine(a, b),
        "The cosine distance stands where the MSE should: mind the order, `l1, mse, angle`.",
    ),
)

_COSINE_MISTAKES: tuple[Mistake, ...] = (
    (_cosine, "That is the cosine itself, large for similar vectors. The distance is 1 minus it."),
    (lambda a, b: 1 - a @ b, "Divide by both lengths, or long vectors count more."),
    (lambda a, b: 1 - a @ b / np.linalg.norm(a), "Divide by both lengths, not by that of the first vector alone."),
    (lambda a, b: 1 - a @ b / np.linalg.norm(b), "Divide by both lengths, not by that of the second vector alone."),
    (lambda a, b: 1 - a @ b / ((a @ a) * (b @ b)), "Divide by the lengths, not by their squares: the root is missing."),
    (lambda a, b: _cosine(a, b) - 1, "The sign is turned around: 1 − cosine."),
    (
        lambda a, b: 1 - abs(_cosine(a, b)),
        "The cosine may be negative, for vectors that point apart: without the absolute value.",
    ),
    (lambda a, b: 1 + _cosine(a, b), "The cosine is subtracted from 1, not added."),
    (lambda a, b: np.arccos(_cosine(a, b)), "That is the angle. The distance is 1 minus its cosine."),
    (lambda a, b: 1 - np.corrcoef(a, b)[0, 1], "That is 1 minus the correlation: do not subtract the means."),
)


@LESSON.check("distances")
def distances(function: Any) -> str:
    """A function of two vectors that returns three distances."""
    cases = []
    for rng, sign in zip(trials(4), (1, -1, 1, -1), strict=True):
        size = int(rng.integers(5, 20))
        a = rng.normal(0.5, 1, size)
        cases.append((a, sign * 0.4 * a + rng.normal(0, 0.3, size)))  # an acute angle, or an obtuse one

    def says(name: str) -> Callable[..., str]:
        return lambda case, answer, wanted: f"The {name} of a test pair is {wanted:.4f}; yours says {answer:.4f}."

    parts = (
        (_l1, _L1_MISTAKES, says("L1 distance")),
        (_mse, _MSE_MISTAKES, says("MSE")),
        (lambda a, b: 1 - _cosine(a, b), _COSINE_MISTAKES, says("cosine distance")),
    )
    _judge(function, cases, parts, "three numbers, `l1, mse, angle`")
    return "Three distances; with the features of a trained network neighbors are right more often by all of them."


def _rms(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))


def _own(rows: np.ndarray, shifted: np.ndarray) -> float:
    return _rms(rows - shifted)


def _others(rows: np.ndarray, shifted: np.ndarray) -> float:
    return _rms(rows[:-1] - rows[1:])


def _other_means(name: str, differ: Measure) -> tuple[Mistake, ...]:
    """Other means than the root of the mean square, with their hints."""
    return (
        (lambda a, b: (differ(a, b) ** 2).mean(), f"The root is missing in `{name}`: `np.sqrt` of the mean square."),
        (
            lambda a, b: np.abs(differ(a, b)).mean(),
            f"Squares, then the mean, then the root: `{name}` is a mean of absolute values.",
        ),
        (
            lambda a, b: np.linalg.norm(differ(a, b)),
            f"`{name}` is the root of the sum of squares: take their mean before the root.",
        ),
        (
            lambda a, b: np.sqrt((differ(a, b) ** 2).mean(1)).mean(),
            f"`{name}` is the mean of the roots of all rows: take one mean over all squares, then one root.",
        ),
        (
            lambda a, b: np.linalg.norm(differ(a, b), axis=1).mean(),
            f"`{name}` is the mean length of the rows: take the mean of all squares, then one root.",
        ),
        (lambda a, b: abs(differ(a, b).mean()), f"Ups and downs cancel in `{name}`: square the differences first."),
        (
            lambda a, b: differ(a, b).std(),
            f"`{name}` is the standard deviation of the differences: do not subtract their mean.",
        ),
    )


_DIFFERENT = "The others are different rows of the same set: `[:-1]` and `[1:]` of the rows."

_OWN_MISTAKES: tuple[Mistake, ...] = (
    (_others, "That is the distance between different rows: the distance to the shifted selves comes first."),
    *_other_means("own", lambda a, b: a - b),
    (lambda a, b: _rms(a[:-1] - b[1:]), "`own` compares each row with its own shifted self, not with the next."),
)

_OTHERS_MISTAKES: tuple[Mistake, ...] = (
    *_other_means("others", lambda a, b: a[:-1] - a[1:]),
    (_own, "`others` repeats the distance to the shifted selves: compare each row with the next one."),
    (lambda a, b: _rms(a[:-1] - b[1:]), _DIFFERENT),
    (lambda a, b: _rms(b[:-1] - a[1:]), _DIFFERENT),
    (
        lambda a, b: _rms(b[:-1] - b[1:]),
        "You compare the shifted rows with each other: the others are rows of the set itself.",
    ),
    (lambda a, b: _rms(a - np.roll(a, 1, 0)), "The last row has no next one, and the first is not it."),
    (
        lambda a, b: _rms(a[:, :-1] - a[:, 1:]),
        "You compare neighboring numbers of one row: the next row is one further along the first axis.",
    ),
    (lambda a, b: _rms(a - a.mean(0)), "You compare each row with the mean of all, not with the next one."),
    (lambda a, b: _rms(a[0] - a[1:]), "You compare the first row with all others: each row with the next one."),
    (lambda a, b: _rms(a[0] - a[1]), "These are the first two rows only: each row with the next one."),
)


@LESSON.check("moved")
def moved(function: Any) -> str:
    """A function of rows and shifted rows that returns two distances."""
    cases = []
    for rng in trials():
        shape = int(rng.integers(5, 12)), int(rng.integers(3, 9))
        rows = rng.normal(size=shape) * rng.uniform(0.3, 3, (shape[0], 1))
        cases.append((rows, rng.normal(size=shape) + 0.5))
    parts = (
        (_own, _OWN_MISTAKES, lambda *_: "`own` compares the rows with the shifted rows, all at once."),
        (_others, _OTHERS_MISTAKES, lambda *_: "`others` compares each row with the next one: `[:-1]` with `[1:]`."),
    )
    _judge(function, cases, parts, "two numbers, `own, others`")
    return "Divide them: near 1 means as far from itself as from another digit. Compare pixels with features."


@LESSON.check("directions")
def directions(function: Any) -> str:
    """A function of rows and a share that returns how many principal directions hold that share of the variance."""
    (rng,) = trials(1)
    compare(
        function,
        _clouds(rng),
        _directions,
        _MISCOUNTS,
        otherwise=_how_many,
        read=_whole,
        atol=None,
    )
    return "Try it on the digits, by pixels and by features, with a share of 0.9."


def _clouds(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Six cases that together tell all foreseen mistakes from the right answer and from each other."""
    while True:
        cases = [_spread(rng, share) for share in (0.5, 0.9, 0.7, 0.8, 0.95, 0.6)]
        told = {tuple(_directions(*case) for case in cases): ""}
        for mistake, hint in _MISCOUNTS:
            told.setdefault(tuple(mistake(*case) for case in cases), hint)
        if len(told) == len(_MISCOUNTS) + 1:
            return cases


def _spread(rng: np.random.Generator, share: float) -> tuple[np.ndarray, float]:
    """Rows (N, D) with a mean far from zero and columns of different width, and a share that no count meets exactly."""
    while True:
        n, size = int(rng.integers(30, 50)), int(rng.integers(12, 18))
        turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
        rows = rng.normal(size=(n, size)) * np.geomspace(6, 0.8, size) @ turn * rng.uniform(0.4, 3, size)
        rows += rng.normal(0, 6, size)
        held = np.cumsum(_variances(rows)) / _variances(rows).sum()
        if np.abs(held - share).min() > 0.01 and held[0] < share < held[-2]:
            return rows, share


def _variances(rows: np.ndarray) -> np.ndarray:
    """Squared singular values of the centered rows, the largest first."""
    return np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2


def _count(values: np.ndarray, share: float) -> int:
    """How many of the values, from the first one on, it takes to hold at least this share of their sum."""
    return int((np.cumsum(values) / values.sum() < share).sum()) + 1


def _directions(rows: np.ndarray, share: float) -> int:
    return _count(_variances(rows), share)


_MISCOUNTS: tuple[Mistake, ...] = (
    (
        lambda rows, share: _count(np.linalg.svd(rows, compute_uv=False) ** 2, share),
        "Center the rows first, each column by its own mean, or the first direction only points at their mean.",
    ),
    (
        lambda rows, share: _count(np.sqrt(_variances(rows)), share),
        "The variance along a direction is the SQUARE of its singular value.",
    ),
    (
        lambda rows, share: _count(_variances(rows) ** 2, share),
        "You square twice: `eigh` and `explained_variance_` give variances already.",
    ),
    (
        lambda rows, share: _directions(rows, share) - 1,
        "One too few: these hold less than the share. Count from 1, and include the direction that reaches it.",
    ),
    (
        lambda rows, share: _directions(rows, share) + 1,
        "One too many: one direction less holds the share already.",
    ),
    (
        lambda rows, share: _count(_variances(rows)[::-1], share),
        "You begin with the narrowest direction: the widest comes first.",
    ),
    (
        lambda rows, share: _count(_variances(rows / rows.std(0)), share),
        "Center only: you also divide by the standard deviations, which makes all columns equally wide.",
    ),
    (
        lambda rows, share: _count(np.sort(rows.var(0))[::-1], share),
        "These are the variances of the columns. The directions of the svd hold more.",
    ),
    (
        lambda rows, share: _count(rows.var(0), share),
        "These are the variances of the columns. The directions of the svd hold more.",
    ),
    (
        lambda rows, share: _count(_variances(rows.T), share),
        "Center each column by its own mean: subtract `rows.mean(axis=0)`.",
    ),
    (
        lambda rows, share: int((_variances(rows) / _variances(rows)[0] > 1 - share).sum()),
        "You compare with the widest direction: the share is of the sum of all variances.",
    ),
    (
        lambda rows, share: int((np.cumsum(_variances(rows)) / _variances(rows).sum() >= share).sum()),
        "You count the directions after the share is reached, not those before.",
    ),
    (
        lambda rows, share: rows.shape[1],
        "That is how many numbers a row has. How many directions are enough?",
    ),
)


def _how_many(case: tuple[Any, ...], answer: int, wanted: int) -> str:
    rows, share = case
    held = np.cumsum(_variances(rows)) / _variances(rows).sum()
    return (
        f"For a share of {share:g} you return {answer}, and {wanted} are enough: the first directions there hold "
        + ", ".join(f"{part:.2f}" for part in held[: wanted + 1])
        + " of the variance."
    )


def _whole(answer: Any) -> int:
    found = array(answer, what="one whole number")
    if found.size != 1:
        raise Wrong(f"One number is asked for, how many directions; the shape of yours is {found.shape}.")
    number = float(found.ravel()[0])
    if 0 < number < 1:
        raise Wrong("That is a share. How many directions does it take to reach it?")
    if number != round(number):
        raise Wrong(f"A number of directions is whole; yours is {number:g}.")
    return round(number)
