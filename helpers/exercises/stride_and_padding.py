"""Questions and checks of the lesson "Stride and padding"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import trials, whole
from helpers.filters import convolve

LESSON = Lesson("stride_and_padding")

LESSON.ask(
    "how-many",
    "A row of 10 pixels, a window of 3, steps of 2, no padding. How many windows fit?",
    Option("5", "That is 10 / 2, one start at every second pixel. The last one, at pixel 8, would need pixels 8, 9 and "
           "10, and there is no pixel 10."),
    Option("4", "They start at 0, 2, 4 and 6. The room is 7 pixels, 7 / 2 = 3.5, and the floor makes 3 steps of it, "
           "plus the first place. Pixel 9 is left over.", right=True),
    Option("4.5", "That is the formula without its floor. Half a window is no window."),
    Option("3", "These are the steps. There is one more place than there are steps: the one it starts from."),
)  # fmt: skip

LESSON.ask(
    "leftover",
    "Eight pixels, a window of 3, steps of 2: the last pixel is left over. You add one zero on each side. What is left "
    "over now?",
    Option("Nothing, now it fits", "The room for steps was 5 and is 7: two zeros more, and it is still odd. Padding on "
           "both sides adds an even number, and to steps of 2 that makes no difference."),
    Option("The same pixel", "The windows now start one place earlier, and there is one more of them: the last one "
           "covers the last pixel."),
    Option("A zero of the padding", "10 − 3 = 7 is odd, so one place is left over again. But the windows start at the "
           "first zero now, and what they miss is the last one.", right=True),
)  # fmt: skip

LESSON.ask(
    "frame",
    "A photograph of a roof under a bright, empty sky. You pad it with zeros, and the filter for vertical edges "
    "(1, 0, −1 in each row) draws its map. Where are its strongest responses?",
    Option("At the edges of the roof", "They are strong, but there is a sharper step from bright to dark in this "
           "picture: the one that the padding makes."),
    Option("Along the left and right border of the map", "The sky is about 0.9 and the padding is 0. To the filter "
           "that is the sharpest vertical edge there is: 3 · 0.9 = 2.7, more than any edge of the roof.", right=True),
    Option("Along all four borders of the map", "Above and below the photograph there are zeros too, but that edge is "
           "horizontal: the weights of each row add up to zero."),
    Option("Nowhere in particular: zeros add nothing", "Zero is a brightness like any other. It is the brightness of "
           "black paper, and black beside a bright sky is an edge."),
)  # fmt: skip


@LESSON.check("output-size")
def output_size(answer: Any) -> str:
    """Write how many windows fit, with stride, padding and dilation."""
    cases = [(28, 3, 1, 0, 1), (28, 7, 2, 0, 1), (28, 5, 1, 2, 1), (28, 3, 1, 0, 3), (9, 3, 2, 0, 4), (2, 5, 3, 2, 1)]
    for rng in trials(60):
        n, k, s, p, d = (int(v) for v in rng.integers((3, 1, 1, 0, 1), (60, 7, 7, 6, 5)))
        cases.append((max(n, d * (k - 1) + 1 - 2 * p), k, s, p, d))  # at least one window fits
    down = "The last window would run over the edge: half a step is no step, round down (`//`)."
    first = "One too few: the place where the window starts counts too, so add 1 to the steps."
    mistakes = [
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s, first),
        (lambda n, k, s, p, d: -((d * (k - 1) + 1 - n - 2 * p) // s) + 1, down),
        (lambda n, k, s, p, d: round((n + 2 * p - d * (k - 1) - 1) / s) + 1, f"Rounding may round up. {down}"),
        (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1, "There is padding on both sides: it counts twice."),
        (
            lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1,
            "The padding is missing: it makes the row longer, by p on each side.",
        ),
        (
            lambda n, k, s, p, d: (n - 2 * p - d * (k - 1) - 1) // s + 1,
            "Padding makes the row longer: add 2p, do not subtract it.",
        ),
        (
            lambda n, k, s, p, d: (n + 2 * p - k) // s + 1,
            "The dilation is missing: samples that lie d apart make the window span d·(k−1)+1 pixels.",
        ),
        (
            lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1,
            "A window of k samples has k − 1 gaps between them: it spans d·(k−1)+1 pixels, not d·k.",
        ),
        (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s + 1,
            "A window of one sample spans one pixel, not none: it is d·(k−1)+1 pixels wide, not d·(k−1).",
        ),
        (
            lambda n, k, s, p, d: (n + 2 * p - d * (k - 1)) // s,
            "Add 1 after the division: what is divided are the steps, n + 2p − d·(k−1) − 1.",
        ),
        (
            lambda n, k, s, p, d: n + 2 * p - d * (k - 1),
            "The stride is missing: it divides the room that is left for steps.",
        ),
        (lambda n, k, s, p, d: (n + 2 * p) // s, "That counts starting points. The last window has to fit whole, too."),
    ]

    def otherwise(case: tuple[int, ...], answer: int, wanted: int) -> str:
        about = ", ".join(f"{name}={value}" for name, value in zip("nkspd", case, strict=True))
        return f"For {about} it should be {wanted}, yours says {answer}."

    only = [
        (lambda n, k, s, p, d: s > 1, "Right with stride 1, wrong with larger ones. How many steps have room?"),
        (lambda n, k, s, p, d: p > 0, "Right without padding, wrong with it: there are p more pixels on each side."),
        (lambda n, k, s, p, d: d > 1, "Right without dilation, wrong with it: how many pixels does the window span?"),
    ]
    compare(answer, cases, convolve.output_size, mistakes, otherwise, only, _whole, None, defaults=(1, 0, 1))
    return "Your formula agrees with counting, on 66 windows: you can now read the shape of any convolutional network."


def _whole(answer: Any) -> int:
    return whole(answer, "one whole number")


@LESSON.check("same-padding")
def same_padding(answer: Any) -> str:
    """Write the padding that keeps the size of a map."""
    cases = [(k, d) for d in range(1, 6) for k in (3, 1, *range(5, 16, 2))]
    span = "With dilation the window spans d·(k−1)+1 pixels."
    mistakes = [
        (lambda k, d: d * (k - 1), "That is what both sides need together. Half of it goes on each side."),
        (lambda k, d: (k - 1) // 2, f"The dilation is missing. {span}"),
        (lambda k, d: d * k // 2, "A pixel too much here and there: what hangs over is d·(k−1), not d·k."),
        (lambda k, d: (d * k - 1) // 2, "What hangs over is d·(k−1), not d·k − 1."),
        (lambda k, d: (k - 1) // 2 + d - 1, f"The dilation stretches all gaps between the samples. {span}"),
        (lambda k, d: d * (k + 1) // 2, "A window of 1 hangs over nowhere: k − 1, not k + 1."),
        (lambda k, d: -(d * (k - 1) // 2), "The padding is not negative: what is missing on each side is added."),
    ]

    def otherwise(case: tuple[int, int], answer: int, wanted: int) -> str:
        (k, d), size = case, 28 + 2 * answer - case[1] * (case[0] - 1)
        return f"With k={k}, d={d} and your padding of {answer}, 28 pixels become {max(size, 0)}."

    only = [(lambda k, d: d > 1, f"Right without dilation, wrong with it. {span}")]
    compare(answer, cases, lambda k, d: d * (k - 1) // 2, mistakes, otherwise, only, _whole, None, defaults=(1,))
    return "For a 3×3 window it is 1: the padding you meet in nearly every modern network."


@LESSON.check("mirror")
def mirror(answer: Any) -> str:
    """Pad an image with its own mirror image."""
    cases = []
    for trial, rng in enumerate(trials(6)):
        p = (1, 2, 3, 1, 2, 0)[trial]
        # Tall and wide ones; in the fifth p is as large as it may be.
        height, width = (p + 1 if trial == 4 else p + 3, p + 5)[:: (1, -1)[trial % 2]]
        cases.append((rng.random((height, width)).astype(("float64", "float32")[trial % 2]), p))
    turned = "The mirror reverses: the first pixel outside is the second one inside, the next is the third one inside."
    mistakes = [
        (_padded("symmetric"), "You repeat the border pixel. A mirror that stands on it shows its neighbor first."),
        (_padded("edge"), "That repeats the border pixel all the way out. Beyond it, go back into the image."),
        (_padded("constant"), "That is padding with zeros. Beyond the border, show the image again, mirrored."),
        (_padded("wrap"), "That goes on at the opposite side of the image. Turn around at the border instead."),
        (_shifted, turned),
        (lambda v, p: np.pad(v, ((p, p), (0, 0)), mode="reflect"), "Rows are added above and below; columns are not."),
        (lambda v, p: np.pad(v, ((0, 0), (p, p)), mode="reflect"), "Columns are added left and right; rows are not."),
        (lambda v, p: np.pad(v, ((p, 0), (p, 0)), mode="reflect"), "Only one side is padded: p on each of the four."),
        (lambda v, p: np.pad(v, ((0, p), (0, p)), mode="reflect"), "Only one side is padded: p on each of the four."),
        (lambda v, p: np.pad(v, 2 * p, mode="reflect"), "That is too much: p on each side, 2p in all."),
        (lambda v, p: np.pad(v, 1, mode="reflect"), "Your border is one pixel wide whatever `p` says."),
        (_cornerless, "The corners are still zero. Mirror the rows first, then the columns of the result."),
        (lambda v, p: v, "Nothing was added: the result is 2p rows and 2p columns larger."),
        (lambda v, p: np.pad(v, p, mode="reflect").T, "Rows and columns of the result are exchanged."),
    ]

    def otherwise(case: tuple[np.ndarray, int], answer: np.ndarray, wanted: np.ndarray) -> str:
        about = f"image {case[0].shape[0]}×{case[0].shape[1]}, p = {case[1]}"
        if answer.shape != wanted.shape:
            return f"{about}: the result has the shape {wanted.shape}; yours is {answer.shape}."
        row, column = np.argwhere(~np.isclose(answer, wanted, atol=1e-4))[0]
        return f"The shape is right, but not the pixel in row {row}, column {column} of the result ({about})."

    only = [
        (lambda v, p: p == 0, "Right, but not without padding: p = 0 gives the image back. `-0` is 0 in a slice."),
        (
            lambda v, p: p == min(v.shape) - 1,
            "Right, but not where p is one less than the height or the width. Does a slice backward to the first pixel "
            "end at −1? To Python that is the last one.",
        ),
    ]
    compare(answer, cases, lambda v, p: np.pad(v, p, mode="reflect"), mistakes, otherwise, only, atol=1e-5)
    return 'The same as `np.pad(image, p, mode="reflect")`, and what `padding_mode="reflect"` means in PyTorch.'


def _padded(mode: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda values, p: np.pad(values, p, mode=mode)


def _shifted(values: np.ndarray, p: int) -> np.ndarray:
    """The border rows and columns copied outward in their own order, not reversed."""
    tall = np.concatenate([values[1 : p + 1], values, values[len(values) - p - 1 : -1]])
    return np.concatenate([tall[:, 1 : p + 1], tall, tall[:, tall.shape[1] - p - 1 : -1]], axis=1)


def _cornerless(values: np.ndarray, p: int) -> np.ndarray:
    padded = np.pad(values, p, mode="reflect")
    ends = [(slice(None, p), slice(len(padded) - p, None)), (slice(None, p), slice(padded.shape[1] - p, None))]
    for rows in ends[0]:
        for columns in ends[1]:
            padded[rows, columns] = 0
    return padded
