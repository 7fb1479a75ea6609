"""Predictions and checks of the lesson "Learned, or lucky?"."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises.activations import channels_of, is_mask
from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, expect, number, trials

LESSON = Lesson("learned_or_lucky")

LESSON.ask(
    "relatives",
    "You compare all the hand-made filters with all 32 learned ones, whatever the sign. Which of them did the network "
    "reinvent, better than chance would?",
    Option(
        "All of them: they are the standard tools of image processing.",
        "Standard for people. Nobody showed the network a list: it kept what lowered the loss. A sharpened digit, for "
        "one, is no easier to tell from another digit.",
    ),
    Option(
        "The edge filters, and one blur.",
        "Each edge filter has a relative closer than chance would bring, because where strokes begin and which way "
        "they run tells digits apart. And the box blur has one too, upside down: find out what for.",
        right=True,
    ),
    Option(
        "Blur and sharpen, because they clean up the image.",
        "MNIST is clean already, and nothing rewards a good-looking picture: only the class counts.",
    ),
)

LESSON.ask(
    "transplant",
    "Each of the 32 learned filters is replaced by the nearest multiple of one of 13 hand-made filters. Nothing else "
    "changes and nothing is trained. The network read 99.5% of the test digits. How many does it read now?",
    Option(
        "About 10%: the layers behind expect other maps.",
        "They do, but a map of a similar filter is a similar map. Most of these filters have a close relative among "
        "the 13.",
    ),
    Option(
        "About half.",
        "That is what a bank of 13 random filters can bring. The hand-made ones are closer.",
    ),
    Option(
        "About 97%.",
        "The layers behind hardly notice: most learned filters have a close relative among the 13.",
        right=True,
    ),
)

LESSON.ask(
    "when",
    "Between steps 49 and 506 of 9,380 the accuracy rises from 20 to 93%. What do the filters of the first layer do in "
    "that time?",
    Option(
        "They hardly turn.",
        "The cosine with their own start is still 0.96 on average. The layers behind learn to use what the draw "
        "brought.",
        right=True,
    ),
    Option(
        "They turn most: the network finds its edges.",
        "They turn most later, when the accuracy is above 95% already.",
    ),
    Option(
        "They fade to zero and start anew.",
        "Only a filter without a gradient fades, and it does not start anew.",
    ),
)


@LESSON.check("likeness")
def likeness(function: Any) -> str:
    """A function of two filters that returns the cosine of the angle between them without its sign."""
    cases = []
    for rng in trials():
        shape = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
        a, b = rng.normal(size=shape) + 0.2, rng.normal(size=shape) * 3 - 0.1
        if (a * b).sum() > 0:
            b = -b  # the sign has to be dropped
        for first, second in ((a, b), (a, -b), (a, -2 * a), (b, -b + 0.3 * a)):  # of both signs
            cases.append((torch.from_numpy(first).float(), torch.from_numpy(second).float()))

    def product(a: Tensor, b: Tensor) -> float:
        return float((a * b).sum())

    def size(a: Tensor, b: Tensor) -> float:
        return float(a.norm() * b.norm())

    compare(
        function,
        cases,
        lambda a, b: abs(product(a, b)) / size(a, b),
        (
            (lambda a, b: product(a, b) / size(a, b), "The sign should not count: a negative is a relative too."),
            (product, "This is the sum of the products. Divide by the lengths of both filters."),
            (lambda a, b: abs(product(a, b)), "This is the sum of the products. Divide by the lengths of both "
             "filters."),
            (lambda a, b: abs(product(a, b)) / float(a.norm()), "Divide by both lengths, not by one."),
            (lambda a, b: abs(product(a, b)) / float(b.norm()), "Divide by both lengths, not by one."),
            (lambda a, b: abs(product(a, b)) / size(a, b) ** 2, "A length is the ROOT of the sum of the squares."),
            (lambda a, b: abs(float(torch.corrcoef(torch.stack([a.ravel(), b.ravel()]))[0, 1])), "This is a "
             "correlation: it takes the means away first. The cosine does not."),
            (lambda a, b: product(a, b) / float(a.abs().sum() * b.abs().sum()), "A length is the root of the sum of "
             "squares."),
            (lambda a, b: abs(product(a, b)) / float(a.abs().sum() * b.abs().sum()), "A length is the root of the sum "
             "of squares."),
            (lambda a, b: float((a - b).norm()), "This is a distance: it changes when a filter gets stronger."),
        ),
        lambda case, answer, wanted: "Multiply the two filters, sum, divide by both lengths, drop the sign.",
        read=number,
    )  # fmt: skip
    return "1 for the same pattern, however strong and whatever its sign; 0 for nothing in common."


@LESSON.check("graft")
def graft(function: Any) -> str:
    """A function of filters (n, 3, 3) and a bank (m, 3, 3) that returns each filter's nearest multiple in the bank."""
    for rng in trials():
        filters, bank = rng.normal(size=(7, 3, 3)), rng.normal(size=(int(rng.integers(4, 8)), 3, 3))
        bank *= rng.uniform(0.2, 4, size=(len(bank), 1, 1))
        filters[0] = -1.7 * bank[0] + 0.01 * rng.normal(size=(3, 3))  # its nearest is upside down
        rows, units = filters.reshape(7, 9), bank.reshape(-1, 9) / np.linalg.norm(bank.reshape(-1, 9), axis=1)[:, None]
        along = rows @ units.T  # (7, m)
        best, signed = np.abs(along).argmax(1), along.argmax(1)
        each = np.arange(7)
        lengths = np.linalg.norm(rows, axis=1)

        def made(chosen: np.ndarray, size: np.ndarray, units: np.ndarray = units) -> np.ndarray:
            return (units[chosen] * size[:, None]).reshape(7, 3, 3)

        wanted = made(best, along[each, best])
        nearest_point = ((rows[:, None] - bank.reshape(1, -1, 9)) ** 2).sum(2).argmin(1)
        mistakes = [
            (made(signed, along[each, signed]), "Turned upside down is a multiple too: take the largest |cosine|."),
            (bank[best], "The right relatives, but at the strength of the bank: scale each to fit its filter."),
            (bank[nearest_point], "This is the smallest distance to the filters themselves, not to multiples."),
            (made(best, np.ones(7)), "The right relatives, but all of length one: scale each to fit its filter."),
            (made(best, lengths), "The sign is lost: a relative that lies upside down has to be turned."),
            (made(best, np.abs(along[each, best])), "The sign is lost: a relative upside down has to be turned."),
            (made(best, np.sign(along[each, best]) * lengths), "Right relative, right sign, but too long: the nearest "
             "multiple has the length |w|·cosine."),
            (filters, "These are the filters themselves."),
        ]  # fmt: skip
        given = torch.from_numpy(filters).float(), torch.from_numpy(bank).float()
        expect(
            array(call(function, *given), what="filters of shape (n, 3, 3)"),
            wanted,
            mistakes,
            otherwise="For each filter: the unit filter u of the bank with the largest |w·u|, times w·u.",
            atol=1e-3,
        )
    return "Each filter's shadow on the nearest line of the bank: a projection."


@LESSON.check("dead")
def dead(function: Any) -> str:
    """A function of maps (images, channels, rows, columns) that returns the numbers of the dead channels."""
    for rng, deaths in zip(trials(4), (2, 3, 1, 0), strict=True):
        maps, numbers = _maps(rng, deaths)
        _compare_dead(call(function, torch.from_numpy(maps)), maps, numbers)
    return "A filter is dead only if no unit responds to any image. Silence on one image is an opinion, not a death."


def _maps(rng: np.random.Generator, deaths: int) -> tuple[np.ndarray, list[int]]:
    """Maps after a ReLU, float32, in which each image, and each corner, alone saves a channel from being dead."""
    images, side = int(rng.integers(4, 7)), int(rng.integers(4, 7))
    channels = deaths + images + 4 + int(rng.integers(4, 7))
    maps = rng.random((images, channels, side, side + 1)) * (rng.random((images, channels, side, side + 1)) > 0.5)
    order = rng.permutation(channels)
    for place, end in enumerate((0, channels - 1)[:deaths]):  # the first and the last channel count like any other
        other = int(np.flatnonzero(order == end)[0])
        order[[place, other]] = order[[other, place]]
    silent, once, corners = np.split(order[: deaths + images + 4], [deaths, deaths + images])
    maps[:, silent] = 0
    for image, channel in enumerate(once):  # loud, to one image only
        answer = maps[image, channel].copy()
        answer[0, 0] = 0.5
        maps[:, channel] = 0
        maps[image, channel] = answer
    for (row, column), channel in zip(((0, 0), (0, -1), (-1, 0), (-1, -1)), corners, strict=True):  # one unit, once
        maps[:, channel] = 0
        maps[rng.integers(images), channel, row, column] = 1e-6
    return maps.astype(np.float32), sorted(int(c) for c in silent)


def _compare_dead(answer: Any, maps: np.ndarray, numbers: list[int]) -> None:
    channels = maps.shape[1]
    if is_mask(answer):
        raise Wrong("Return the numbers of the dead channels, not a mask of True and False: `nonzero()` finds them.")
    if isinstance(answer, int | float | np.number) or getattr(answer, "ndim", 1) == 0:
        if [float(array(answer))] != numbers:  # a single dead channel, squeezed
            raise Wrong("Return which channels are dead, as a list of their numbers, not how many.")
        return
    listed = channels_of(answer, "the numbers of the dead channels")
    if listed == numbers:
        return
    found = sorted(set(listed))
    if found == numbers:
        raise Wrong("The right channels, but some of them several times: each dead channel once.")
    peak = maps.max((2, 3))  # (images, channels)
    others = {
        "These are the living: return the numbers of the others.": peak.max(0) > 0,
        "You look at the first image only. Look over ALL images before you judge.": peak[0] == 0,
        "You look at the last image only, or each image overwrites what the one before it said. Look over ALL images "
        "before you judge.": peak[-1] == 0,
        "You list channels that are silent on some images only. Look over ALL images before you judge.": (
            peak.min(0) == 0
        ),
        "Nearly every channel has a zero somewhere after a ReLU. Dead means zero at every place.": (
            maps.min((0, 2, 3)) == 0
        ),
    }
    for hint, mask in others.items():
        if found == np.flatnonzero(mask).tolist() and found != numbers:
            raise Wrong(hint)
    missed, extra = set(numbers) - set(found), set(found) - set(numbers)
    faint = set(np.flatnonzero((peak.max(0) > 0) & (peak.max(0) < 1e-3)).tolist())
    if not missed and extra == faint:
        raise Wrong(
            "You list channels that answered once, faintly, in a corner. Faint is not dead: compare with exactly zero."
        )
    if not missed and max(extra) < channels and min(extra) >= 0:
        channel = max(extra, key=lambda c: peak[:, c].max())
        places = int((maps[:, channel] > 0).sum())
        raise Wrong(
            f"Channel {channel} is not dead: it answers at {places} place{'s' * (places != 1)}. Dead means zero at "
            "every place, for ALL images."
        )
    raise Wrong(
        f"Of {channels} channels {numbers or 'none'} are dead; you return {found}. Mind the axes: (image, channel, "
        "row, column)."
    )
