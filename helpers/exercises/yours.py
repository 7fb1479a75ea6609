"""Predictions and checks of the lesson "Yours"."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import array, call, expect, trials

LESSON = Lesson("yours")

LESSON.ask(
    "drawn",
    "You draw no digit but a square, four straight lines. What does the network for digits say?",
    Option(
        "About 10% for each digit: it is none of them.",
        "That would be the honest answer, and nobody has asked for it in training: every image it learned from was one "
        "of the ten.",
    ),
    Option(
        "A 0, and it is all but sure.",
        "More than 99%. Of the ten a 0 is what comes nearest, and near or far does not count: the shares add up to 1.",
        right=True,
    ),
    Option(
        "Some digit, but with a low probability, since it looks like none.",
        "It is some digit, and the probability is above 99%. Softmax compares the ten with each other, not with what "
        "the network has seen.",
    ),
)

LESSON.ask(
    "turned",
    "Nine photographs, first mirrored left to right, then upside down, by half a turn. How many of the nine answers "
    "stay the same?",
    Option(
        "Nearly all, both times: a cup is a cup.",
        "Mirrored, eight stay. Upside down, none.",
    ),
    Option(
        "About half, both times.",
        "It is not the same thing for the network: mirrored, eight stay, upside down, none.",
    ),
    Option(
        "Nearly all when mirrored, none upside down.",
        "Eight and none. Cats look to the left as often as to the right, but hardly any cat stands on its head.",
        right=True,
    ),
)

LESSON.ask(
    "who",
    "Ten squares of each class to learn from. With which numbers does a linear classifier read all the new squares?",
    Option(
        "Only with those of the trained network.",
        "They read all of them. So do thirteen filters that you wrote yourself.",
    ),
    Option(
        "With those of the trained network, and with 13 hand-made filters.",
        "Both read every one. For textures the mean size of a few responses is enough; K. Laws told textures apart in "
        "this way in 1980.",
        right=True,
    ),
    Option(
        "With all but the pixels.",
        "Pixels are the worst. But gray levels and random weights miss some squares too.",
    ),
    Option(
        "With all of them: brick, grass and gravel look so different.",
        "To you. By their pixels a third of the squares is taken for something else, because no line falls on the same "
        "pixel twice.",
    ),
)

LESSON.ask(
    "changed",
    "Nothing is learned anew. Which of them still read nearly all squares in all three cases?",
    Option(
        "Only the trained network.",
        "It has learned from photographs that were dark and bright, near and far, sharp and noisy, while the label was "
        "the same. So it has learned features that stay the same.",
        right=True,
    ),
    Option(
        "The hand-made filters and the trained network, as before.",
        "In the dark the hand-made filters read about two thirds, twice as large about half; with noise they guess.",
    ),
    Option(
        "None of them: the examples were all of one kind.",
        "The thirty examples were. The 1.2 million photographs behind the features were not.",
    ),
)

LESSON.ask(
    "stranger",
    "What does it say to the coffee, the cat, the pagoda?",
    Option(
        "One of the three, most of the time with more than 80%.",
        "The coffee is a brick with 99%. Far out, where no example lies, the differences between the logits grow with "
        "the distance.",
        right=True,
    ),
    Option(
        "About a third for each of the three classes: there is nothing to choose.",
        "That is what one would wish. But a linear classifier cuts the whole space in three, also where it has never "
        "seen anything.",
    ),
    Option(
        "Espresso, Egyptian cat, bell cote: the network knows them.",
        "The network did, but its last layer has been replaced, and your three classes are all that is left.",
    ),
)


def _averages(function: Any, maps: np.ndarray) -> Any:
    """The answer for an array, or for a tensor if the code is written for one: the task names neither."""
    try:
        return call(function, maps)
    except (AttributeError, TypeError):
        with contextlib.suppress(Exception):
            return call(function, torch.from_numpy(maps))
        raise


@LESSON.check("average")
def average(function: Any) -> str:
    """A function of maps (N, 512, h, w) that returns their means over the places, (N, 512)."""
    for rng in trials(4):
        count, height, width = (int(n) for n in rng.permutation([3, 4, 5]))
        # As many maps as the task says, so that a loop over 512 is right; of both signs, so that their sizes are not.
        maps = rng.normal(1, 2, size=(count, 512, height, width)).astype(np.float32)
        wanted = maps.mean((2, 3))
        mistakes = [
            (maps.sum((2, 3)), "You add up; the average also divides by the number of places."),
            (maps.max((2, 3)), "This is the largest value of each map. The feature is its mean."),
            (maps.mean(3), "You average over the columns only: the rows are places too."),
            (maps.mean(2), "You average over the rows only: the columns are places too."),
            (maps.mean((1, 2, 3)), "You average over the 512 maps too. Each map keeps a number of its own."),
            (maps.mean((0, 2, 3)), "You average over the images too. Each image keeps a row of its own."),
            (maps.mean(1), "You average over the maps. Average over their places instead, rows and columns."),
            (wanted.T, "The right numbers, but an image should be a row, not a column."),
            (wanted[..., None, None], "The right numbers with two axes too many: they should have the shape (N, 512)."),
            (maps.reshape(count, -1), "These are all the numbers in a row, not their means."),
            (np.median(maps, axis=(2, 3)), "This is the median. The feature is the mean."),
        ]
        expect(
            array(_averages(function, maps), what="one row of numbers for each image"),
            wanted,
            mistakes,
            otherwise="The mean of each map over its rows and columns.",
        )
    return "Each map becomes one number: how strongly its pattern was seen, on average, wherever it was."


def _gaps(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Straight-line distances, (others, rows)."""
    return np.linalg.norm(others[:, None] - rows[None], axis=2)


def _center_case(
    rng: np.random.Generator, count: int
) -> tuple[tuple[np.ndarray, ...], np.ndarray, list[tuple[Any, str]]]:
    """Rows, labels and others for which every mistake is told from the right answer by at least one of the others."""
    while True:
        size, m = int(rng.integers(3, 6)), 40
        each = rng.permutation(np.arange(3, 3 + 2 * count, 2))  # no two classes are equally large
        labels = rng.permutation(np.repeat(np.arange(count), each))
        spread = rng.permutation(np.linspace(0.5, 3, count))[labels, None]
        rows = (1 + 3 * rng.normal(size=(count, size)))[labels] + spread * rng.normal(size=(len(labels), size))
        others = 1 + 3 * rng.normal(size=(m, size))
        centers = np.stack([rows[labels == k].mean(0) for k in range(count)])
        sums = np.stack([rows[labels == k].sum(0) for k in range(count)])
        medians = np.stack([np.median(rows[labels == k], axis=0) for k in range(count)])
        gaps = _gaps(centers, others)
        two, right = np.sort(gaps, axis=1)[:, :2], gaps.argmin(1)
        lengths = np.linalg.norm(centers, axis=1) * np.linalg.norm(others, axis=1)[:, None]
        mistakes: list[tuple[Any, str]] = [
            (labels[_gaps(rows, others).argmin(1)], "This is the class of the nearest example. Take the nearest mean."),
            (gaps.argmax(1), "This is the class whose center is farthest away."),
            ((others @ centers.T).argmax(1), "Dot products favor long vectors: compare by distance."),
            (((others @ centers.T) / lengths).argmax(1), "You compare angles. The straight-line distance is meant."),
            (_gaps(sums, others).argmin(1), "Your centers are sums: divide each by the number of its vectors."),
            (np.abs(others[:, None] - centers).sum(2).argmin(1), "You add up absolute differences. In a straight line, "
             "the differences are squared."),
            (_gaps(medians, others).argmin(1), "Your centers are medians. The mean is meant."),
            (np.abs((others[:, None] - centers).sum(2)).argmin(1), "Differences of both signs cancel in your sum: "
             "square them first."),
        ]  # fmt: skip
        if (two[:, 1] - two[:, 0]).min() < 1e-3 or len(np.unique(right)) < count:
            continue
        different = {tuple(answer) for answer, _ in mistakes}
        if len(different) == len(mistakes) and all(
            (answer != right).sum() > 1 and len(np.unique(answer)) > 1 for answer, _ in mistakes
        ):
            more: list[tuple[Any, str]] = [
                (right + 1, "Classes are counted from 0."),
                (gaps, "These are the distances. Return which class has the smallest, for each of the others."),
                (gaps.min(1), "These are the smallest distances. Return whose they are: `argmin`."),
                (centers, "These are the centers. Now find the nearest for each of the others."),
                (_gaps(rows, others).argmin(1), "This is the number of the nearest example, not of a class."),
                (gaps.argmin(0), "For each class you return one of the others. Turn the axis around."),
                (np.eye(count)[right], "One class number for each, not a row of zeros and a one."),
                *([(gaps[:, :3].argmin(1), "There may be more than three classes: here `labels` go from 0 to 3.")]
                  if count > 3 else []),
            ]  # fmt: skip
            return (rows, labels, others), right, [*mistakes, *more]


@LESSON.check("center")
def center(function: Any) -> str:
    """A function of (rows, labels, others) that returns the class of the nearest mean for each of the others."""
    for rng, count in zip(trials(4), (3, 4, 3, 4), strict=True):  # never always the three classes of the lesson
        arguments, right, mistakes = _center_case(rng, count)
        expect(
            array(call(function, *arguments), what="one class number for each of the others"),
            right,
            mistakes,
            otherwise="For each class the mean of its rows; for each of the others the class of the nearest mean.",
        )
    return "No training at all, only means, and for pictures as different as these it is enough."


Limit = Callable[[np.ndarray, np.ndarray, float], float]


def _careful(limit: Limit, near: Any = None, far: Any = -1) -> Callable[..., np.ndarray]:
    """A careful function with this limit; ``near`` stands for those up to it, else their class numbers."""

    def answer(known: np.ndarray, said: np.ndarray, away: np.ndarray, keep: float) -> np.ndarray:
        return np.where(away <= limit(known, away, keep), said if near is None else near, far)

    return answer


def _share(known: np.ndarray, _: np.ndarray, keep: float) -> float:
    return float(np.quantile(known, keep))


@LESSON.check("careful")
def careful(function: Any) -> str:
    """A function of (known, said, away, keep) that returns ``said`` with -1 where ``away`` is beyond the limit."""

    def otherwise(case: tuple[Any, ...], answer: np.ndarray, wanted: np.ndarray) -> str:
        if answer.shape == (len(case[0]),):
            return "You judge the `known` pictures. They only set the limit; `said` and `away` are to be judged."
        if answer.ndim == 0:
            return "This is one number. Is it the limit? Then compare each of `away` with it."
        if answer.ndim == 1 and len(answer) < len(wanted):
            return "Some pictures are gone. Keep the place of a silenced one, with −1 in it."
        if answer.shape != wanted.shape:
            return f"The shape should be {wanted.shape}; yours is {answer.shape}."
        return "Where `away` is at most the limit, the class number stays; beyond it stands −1."

    # Judged over all cases: in one alone, two limits often have the same pictures below them.
    compare(
        function,
        [_careful_case(rng) for rng in trials(5)],
        _careful(_share),
        (
            (_careful(lambda known, away, keep: _share(known, away, 1 - keep)), "You keep the share 1 − `keep` of the "
             "known ones; `keep` should stay."),
            (_careful(lambda known, away, keep: keep), "`keep` is a share of the known pictures, not a distance."),
            (_careful(lambda known, away, keep: keep * known.max()), "`keep` is a share of the known pictures, not of "
             "the largest distance."),
            (_careful(lambda known, away, keep: keep * known.mean()), "`keep` is a share of the known pictures, not of "
             "a distance."),
            (_careful(lambda known, away, keep: _share(known, away, keep / 100)), "`np.percentile` counts from 0 to "
             "100: take `np.quantile`, which counts from 0 to 1."),
            (_careful(lambda known, away, keep: _share(away, known, keep)), "The limit comes from the `known` "
             "distances, not from those to be judged."),
            (_careful(lambda known, away, keep: known.max()), "With the largest known distance as the limit all known "
             "pictures keep their answer."),
            (_careful(lambda known, away, keep: known.mean()), "The mean keeps about half of the known pictures, "
             "whatever `keep` is."),
            (lambda known, said, away, keep: np.where(away > _share(known, away, keep), said, -1), "You silence the "
             "near ones. The far ones are the strangers."),
            (_careful(_share, far=0), "0 is a class. The silenced get −1."),
            (lambda known, said, away, keep: np.where(away <= _share(known, away, keep), away, -1), "Return the class "
             "numbers, `said`, not the distances."),
            (_careful(_share, near=1, far=0), "This is the mask. Return `said` where it is true, and −1 elsewhere."),
            (_careful(_share, near=0, far=1), "This is the mask of the silenced. Return `said`, with −1 in their "
             "places."),
            (lambda known, said, away, keep: said, "Nobody is silenced here."),
            (lambda known, said, away, keep: np.full(len(said), -1), "Everybody is silenced here."),
        ),
        otherwise,
        read=lambda answer: array(answer, what="one class number for each picture, or −1"),
    )  # fmt: skip
    return "Now it can be silent. How often, you have chosen: 1 − `keep` is the price that your own pictures pay."


def _careful_case(rng: np.random.Generator) -> tuple[Any, ...]:
    """Distances whose limit, however it is rounded, lies in a gap where no picture is that is to be judged.

    The gap is narrow and the largest known distance anywhere, so that whole numbers, and a mean and so many standard
    deviations, end up outside.
    """
    n, m, classes = int(rng.integers(60, 80)), int(rng.integers(80, 100)), int(rng.integers(3, 6))
    kept = int(rng.integers(round(0.7 * n), round(0.9 * n)))
    keep = (kept - 0.5) / n  # kept of n is the smallest number that is at least this share
    unit, largest = rng.uniform(0.2, 0.6), rng.uniform(25, 60)
    known = np.concatenate([
        rng.uniform(11, 15, kept - 2),
        [16.0, 16.2, 16.4],  # whoever rounds or interpolates ends up in here
        rng.uniform(17, 20, n - kept - 2),
        [largest],
    ])  # fmt: skip
    near = [*rng.uniform(0.1, 0.5, 3), *np.linspace(5, 15.9, m // 2)]
    away = rng.permutation([*near, *rng.uniform(16.6, largest, m - len(near) - 3), *(largest + rng.random(3))])
    return rng.permutation(unit * known), rng.integers(0, classes, m), unit * away, keep
