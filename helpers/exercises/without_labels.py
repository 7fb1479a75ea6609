"""Predictions and checks of the lesson "Filters nobody labeled"."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, call, number, trials

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
    # Judged over all cases: in one alone, a larger step and a single place, say, may lead to the same number.
    compare(
        function,
        [_hidden(rng, *case) for rng, case in zip(trials(5), _PLACES, strict=True)],
        _cosines(lambda table: np.abs(table).max()),
        _MISTAKES,
        lambda *_: "At each place: |sum of the products| / (length of small · length of part). Return the largest.",
        read=lambda answer: number(array(answer, what="one number"), "one number"),
    )
    return "What a filter looks for is the same at any place and with either sign: compare accordingly."


@functools.lru_cache(maxsize=4)  # each of the mistakes asks for them
def _places(small: Tensor, large: Tensor, colors: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The products at all places, the lengths of the parts, of the small and of the large filter."""
    a, b = (x.double().numpy()[:colors] for x in (small, large))
    windows = np.lib.stride_tricks.sliding_window_view(b, a.shape)[0]
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    return (windows * a).sum((2, 3, 4)), np.sqrt((windows**2).sum((2, 3, 4))), *lengths


def _placed(read: Callable[..., Any], colors: int = 3) -> Callable[[Tensor, Tensor], float]:
    """A number read off the products and the lengths."""
    return lambda small, large: float(read(*_places(small, large, colors)))


def _cosines(read: Callable[[np.ndarray], Any], colors: int = 3) -> Callable[[Tensor, Tensor], float]:
    """A number read off the cosines at all places."""
    return _placed(lambda products, sizes, length, _: read(products / sizes / length), colors)


def _until(rows: int | None, columns: int | None, zero: bool) -> Callable[[Tensor, Tensor], float]:
    """The largest up to these places; of a single place either ``zero`` is left, or the place."""
    return _cosines(lambda t: 0 if zero and len(t) == 1 else np.abs(t[:rows, :columns] if len(t) > 1 else t).max())


_ONE_COLOR = _cosines(lambda table: np.abs(table).max(), 1)
_LOUDEST = _placed(lambda p, part, small, large: np.abs(p / part / small).flat[np.abs(p).argmax()])
_STOPPED = "You stop before the last place: there are s − k + 1 of them."

_MISTAKES = (
    (_cosines(lambda table: table.max()), "The sign should not count: take the absolute value before you take the "
     "largest."),
    (_cosines(lambda table: table.min()), "The sign should not count: return the largest ABSOLUTE value."),
    (_cosines(lambda table: abs(table.max())), "The sign should not count: take the absolute value before you take the "
     "largest."),
    (_cosines(lambda table: abs(table[0, 0])), "You look at one place only, the upper left corner."),
    (_cosines(lambda table: abs(table[-1, -1])), "You keep the last place only: remember the largest so far."),
    (_cosines(lambda table: np.abs(np.diag(table)).max()), "Rows and columns move independently: two loops, one in the "
     "other."),
    (_cosines(lambda table: np.abs(table).mean()), "This is the mean over the places: return the largest."),
    (_cosines(lambda table: np.abs(table).min()), "This is the smallest: return the largest."),
    (_placed(lambda p, part, small, large: np.abs(p).max()), "This is a product, not a cosine: divide by both "
     "lengths."),
    (_placed(lambda p, part, small, large: np.abs(p).max() / small), "Divide by the length of the part as well."),
    (_placed(lambda p, part, small, large: np.abs(p / part).max()), "Divide by the length of the small filter as "
     "well."),
    (_placed(lambda p, part, small, large: np.abs(p).max() / small / large), "Divide by the length of the part that "
     "the small filter covers, not of the whole large one."),
    (_ONE_COLOR, "You compare the first color only: all three belong to the filter."),
    *((_until(rows, columns, zero), _STOPPED)
      for rows, columns in ((-1, -1), (None, -1), (-1, None)) for zero in (True, False)),
)  # fmt: skip


def _hidden(rng: np.random.Generator, k: int, s: int, row: int, column: int, loud: int) -> tuple[Tensor, Tensor]:
    """A small filter and a large one that holds it upside down, and something loud and not alike elsewhere.

    Drawn until the largest product is the loud one's and each mistake gives another number than those with another
    hint, if there is more than one place. Both filters are as faint as filters are, so that a number added to a length,
    against a division by 0, must be small.
    """
    while True:
        small, large = rng.normal(size=(3, k, k)) + 0.1, 0.6 * rng.normal(size=(3, s, s))
        if s > k:
            large[:, loud : loud + k, loud : loud + k] *= 6
        large[:, row : row + k, column : column + k] = -0.7 * small + 0.25 * rng.normal(size=(3, k, k))
        case = torch.from_numpy(0.16 * small).float(), torch.from_numpy(0.16 * large).float()
        if s == k:
            return case
        products = np.abs(_places(*case, 3)[0])
        if products[row, column] < 0.9 * products.max():
            found = [(mistake(*case), hint) for mistake, hint in _MISTAKES]
            clear = all(abs(a - b) > 2e-3 for a, hint in found for b, other in found if hint != other)
            # Who looks at each color alone has not looked at the first only; who trusts the largest product at the last
            # place has not stopped before it.
            alone = [_ONE_COLOR(*(x[[color]] for x in case)) for color in range(3)]
            stopped = [value for value, hint in found if hint == _STOPPED] if loud else []
            if clear and max(alone) > alone[0] + 2e-3 and all(abs(_LOUDEST(*case) - v) > 2e-3 for v in stopped):
                return case


#: Sizes of the small and the large filter, where the small one is hidden (off the diagonal, and at every border), and
#: where it is loud: once at the last place, to tell who trusts the largest product from who stops too early.
_PLACES = ((2, 4, 0, 2, 0), (3, 5, 2, 0, 0), (2, 5, 1, 3, 3), (2, 4, 2, 1, 0), (3, 3, 0, 0, 0))
