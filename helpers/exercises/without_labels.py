"""Predictions and checks of the lesson "Filters nobody labeled"."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, expect, trials

LESSON = Lesson("without_labels")

LESSON.ask(
    "look",
    "96 filters learn from patches of three photographs to be silent on most of them, and to rebuild them all the "
    "same. What will they look like?",
    Option(
        "Small copies of what is on the photographs: windows, petals, an eye.",
        "A window or an eye fills many patches, and hardly two of them are cut alike. What many patches have in common "
        "is simpler.",
    ),
    Option(
        "Soft waves over the whole patch, from slow to quick.",
        "Those are the longest axes of the cloud, which whitening uses. A wave over the whole patch responds a little "
        "to nearly every patch, and that is not silent.",
    ),
    Option(
        "Noise: without a label there is nothing to learn from.",
        "There is: the photographs are far from random, and being silent on most patches takes knowing what is in "
        "them.",
    ),
    Option(
        "Short bars of one angle at one place, and stripes of two colors.",
        "An edge at one place is rare, and where there is one, a single filter can say so for all its pixels. That "
        "keeps the others silent.",
        right=True,
    ),
)

LESSON.ask(
    "shuffled",
    "All patches are shuffled by the same permutation of their 81 places. What are the filters like, once you put each "
    "of their pixels back in its old place?",
    Option(
        "Bars and color stripes, as without shuffling.",
        "Nothing in whitening or in the loss depends on the order of the pixels, so the shuffled patches teach the "
        "same filters, shuffled. Who knew about neighbors? The photographs.",
        right=True,
    ),
    Option(
        "Noise: bars need neighbors, and the neighbors are gone.",
        "They are gone for your eye. The method never asks which pixels lie side by side: it sees which ones go "
        "together, and those are the same as before.",
    ),
    Option(
        "The colors survive, the bars do not.",
        "Colors need the three numbers of one place, bars need several places. Both are still together in each patch, "
        "in another order that is always the same.",
    ),
)


@LESSON.check("white")
def white(function: Any) -> str:
    """A function of rows (n, d) that returns them whitened: mean 0 and the identity as their covariance."""
    for rng in trials():
        count, width = int(rng.integers(300, 500)), int(rng.integers(3, 7))
        turned, _ = np.linalg.qr(rng.normal(size=(width, width)))
        rows = rng.normal(size=(count, width)) * np.linspace(0.4, 3, width) @ turned.T + rng.uniform(2, 4, width)
        answer = array(call(function, rows), (count, width), "an array of as many rows and columns")
        centered = rows - rows.mean(0)
        known = np.column_stack([centered, np.ones(count)])
        rest = answer - known @ np.linalg.lstsq(known, answer, rcond=None)[0]
        if np.abs(rest).max() > 1e-3 * np.abs(answer).max():
            raise Wrong(
                "These are no longer the given points: whitening may only move, turn and stretch them, all alike."
            )
        covariance = np.cov(answer, rowvar=False)
        spread = np.sort(np.linalg.eigvalsh(np.cov(rows, rowvar=False)))
        diagonal, straight = np.sort(np.diag(covariance)), _diagonal(covariance)
        if straight and np.allclose(diagonal, 1, atol=0.02):
            if np.abs(answer.mean(0)).max() > 0.01:
                raise Wrong("The covariance is right, but the mean is not 0: subtract it first.")
            continue
        for values, hint in (
            (spread, "The axes are right: nothing correlates any more. Now divide along each by the spread there."),
            (1 / spread, "You divide by the variance. Divide by the standard deviation, its root."),
            (spread**2, "You multiply by the standard deviation: divide by it."),
            (spread**3, "You multiply by the variance: divide by its root."),
            (count - 1 + 0 * spread, "The variance is the sum of the squares divided by their number: yours is too "
             "large by that number."),
            (1 / (count - 1) + 0 * spread, "All directions vary equally, but by too little: the variance is to be 1, "
             "and yours is 1 divided by the number of rows."),
        ):  # fmt: skip
            if straight and np.allclose(diagonal, np.sort(values), rtol=0.02):
                raise Wrong(hint)
        if np.allclose(np.diag(covariance), 1, atol=0.02):
            raise Wrong("Each column varies by 1, but the columns still correlate: turn to the principal axes first.")
        raise Wrong(
            "The covariance of your rows is not the identity. Subtract the mean, multiply by the matrix whose COLUMNS "
            "are the axes, and divide each column by the root of its variance."
        )
    return "A ball: the same in all directions. Turned in any way, it would stay white."


def _diagonal(matrix: np.ndarray) -> bool:
    """Whether a covariance has nothing beside its diagonal, measured as correlations."""
    sizes = np.sqrt(np.diag(matrix).clip(1e-300))
    return bool(np.abs(matrix / np.outer(sizes, sizes) - np.eye(len(matrix))).max() < 0.02)


@LESSON.check("anywhere")
def anywhere(function: Any) -> str:
    """A function of two filters (3, k, k) and (3, s, s): the largest |cosine| over all places of the smaller one."""
    for rng, (k, s, row, column) in zip(trials(5), _PLACES, strict=True):
        small, large, wanted, mistakes = _hidden(rng, k, s, row, column)
        given = torch.from_numpy(small).float(), torch.from_numpy(large).float()
        expect(
            array(call(function, *given), what="one number"),
            np.array(wanted),
            [(np.array(value), hint) for value, hint in mistakes],
            otherwise="At each place: |sum of the products| / (length of small · length of part). Return the largest.",
            atol=1e-4,
        )
    return "What a filter looks for is the same at any place and with either sign: compare accordingly."


def _hidden(
    rng: np.random.Generator, k: int, s: int, row: int, column: int
) -> tuple[np.ndarray, np.ndarray, float, list]:
    """A small filter, a large one that holds it upside down, the right answer, and mistakes with their hints.

    Drawn until each mistake gives another number than those with another hint, if there is more than one place.
    """
    while True:
        small, large = rng.normal(size=(3, k, k)) + 0.1, 0.6 * rng.normal(size=(3, s, s))
        if s > k:
            large[:, :k, :k] *= 6  # loud, and not alike
        large[:, row : row + k, column : column + k] = -0.7 * small + 0.25 * rng.normal(size=(3, k, k))
        windows = np.lib.stride_tricks.sliding_window_view(large, (k, k), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
        products = (windows * small).sum((2, 3, 4))
        sizes = np.sqrt((windows**2).sum((2, 3, 4)))
        length = np.linalg.norm(small)
        table = products / sizes / length
        wanted = np.abs(table).max()
        first = (windows[:, :, 0] * small[0]).sum((2, 3)) / np.linalg.norm(small[0])
        first /= np.sqrt((windows[:, :, 0] ** 2).sum((2, 3)))
        mistakes = [
            (table.max(), "The sign should not count: take the absolute value before you take the largest."),
            (table.min(), "The sign should not count: return the largest ABSOLUTE value."),
            (abs(table.max()), "The sign should not count: take the absolute value before you take the largest."),
            (abs(table[0, 0]), "You look at one place only, the upper left corner."),
            (abs(table[-1, -1]), "You keep the last place only: remember the largest so far."),
            (np.abs(np.diag(table)).max(), "Rows and columns move independently: two loops, one in the other."),
            (np.abs(table).mean(), "This is the mean over the places: return the largest."),
            (np.abs(table).min(), "This is the smallest: return the largest."),
            (np.abs(products).max(), "This is a product, not a cosine: divide by both lengths."),
            (np.abs(products / length).max(), "Divide by the length of the part as well."),
            (np.abs(products / sizes).max(), "Divide by the length of the small filter as well."),
            (np.abs(products).max() / length / np.linalg.norm(large), "Divide by the length of the part that the small "
             "filter covers, not of the whole large one."),
            (np.abs(first).max(), "You compare the first color only: all three belong to the filter."),
        ]  # fmt: skip
        for cut in (table[:-1, :-1], table[:, :-1], table[:-1]):
            if cut.size:
                mistakes.append((np.abs(cut).max(), "You stop before the last place: there are s − k + 1 of them."))
        clear = all(abs(a - b) > 2e-3 for a, hint in mistakes for b, other in mistakes if hint != other)
        if s == k or clear:
            return small, large, wanted, mistakes


#: Sizes of the small and the large filter, and where the small one is hidden: off the diagonal, and at every border.
_PLACES = ((2, 4, 0, 2), (3, 5, 2, 0), (2, 5, 1, 3), (2, 4, 2, 1), (3, 3, 0, 0))
