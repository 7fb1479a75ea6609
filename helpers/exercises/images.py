"""Questions and checks of the lesson "Images are numbers"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, number, trials
from helpers.filters import convolve

LESSON = Lesson("images")

LESSON.ask(
    "between",
    "The labels are whole numbers from 0 to 9. You take a 3 and a 5 and average both, image and label. The label is "
    "now 4. What does the image show?",
    Option("A 4", "The labels lie between 3 and 5, the shapes do not. A label is a name written as a number: the "
           "classes could just as well be called A to J."),
    Option("Something between a 3 and a 5 that is neither", "Half of the ink of each, and no sign of a 4. Averaging "
           "names makes no sense, so a network must not be asked for one number between 0 and 9.", right=True),
    Option("Nothing: the two cancel", "Ink is positive everywhere. Only numbers of opposite sign can cancel, and such "
           "numbers come with filters, not with photographs."),
)  # fmt: skip

LESSON.ask(
    "blank-paper",
    "You draw a patch of blank paper, every pixel exactly 1, and do not tell the plotting function which value is "
    "white. What appears?",
    Option("White", "It would, if the function knew that 1 is white. It only knows the patch, and in this one the "
           "smallest and the largest value are the same."),
    Option("Black", "Without a range the smallest value becomes black and the largest white. Here the smallest is 1, "
           "so 1 becomes black.", right=True),
    Option("Gray, halfway", "A reasonable choice, but nobody made it: the smallest value of the picture always becomes "
           "black, whatever it is."),
)  # fmt: skip

LESSON.ask(
    "how-many-fit",
    "The window is 7 pixels wide and moves by 2. How many windows fit whole along an axis of 28 pixels?",
    Option("4", "That is 28 / 7, windows side by side. These overlap, so more of them fit."),
    Option("14", "That is 28 / 2, the starting points. The last ones have no room for 7 pixels: a window that starts "
           "at 26 would need pixel 32."),
    Option("11", "The last start with room for 7 pixels is 21, the last even one 20: 0, 2, ... 20 are eleven.",
           right=True),
    Option("10", "Close. Between 0 and 20 there are ten steps, and so eleven places: count the posts, not the gaps."),
)  # fmt: skip

LESSON.ask(
    "write-after",
    "You cut a patch out of the image, and afterward you write a white bar into the image. What does the patch show?",
    Option("The old pixels: it was cut out before", "A slice is not cut out, whatever we call it. NumPy only notes "
           "where it starts and how far to step, and copies nothing."),
    Option("The white bar", "The patch is a window onto the image's memory. Nothing was copied, so there is nothing "
           "that could be old.", right=True),
    Option("An error: the image is in use", "NumPy lets you write. It does not even keep a list of who is looking."),
)  # fmt: skip

LESSON.ask(
    "slid-total",
    "Now each of the 20 units slides its 10×10 window over the whole image, with the same 101 weights at every place. "
    "How many weights does the network need in all, the 10 outputs included?",
    Option("2,230, as before: sliding adds no weight", "It adds none to the filters. But each unit now delivers "
           "hundreds of numbers instead of one, and every output wants a weight for each of them."),
    Option("Between 2,230 and 15,910: more than one window, less than all pixels", "That is the hope. It forgets the "
           "layer that has to read all those numbers."),
    Option("More than 15,910, the dense layer", "The filters cost 2,020 as before. The 10 outputs read 7,220 numbers "
           "each and cost 72,210.", right=True),
)  # fmt: skip


@LESSON.check("ink")
def ink(answer: Any) -> str:
    """Turn a scan, uint8 and dark on white, into floats from 0 (paper) to 1 (ink)."""
    cases = []
    for trial, rng in enumerate(trials(5)):
        low, high = ((20, 236), (0, 256), (90, 256), (0, 200), (0, 60))[trial]
        sides = np.sort(rng.choice(range(4, 12), 2, replace=False))[:: (1, -1)[trial % 2]]  # wide and tall ones
        cases.append((rng.integers(low, high, sides).astype(np.uint8),))
    own = (
        "You stretch each picture to its own range, so a blank sheet would come out as strokes. Divide by 255, the "
        "largest value there can be."
    )
    wraps = "`uint8` holds only 0 to 255 and wraps around: 1 − 20 becomes 237. Divide first, that makes floats."
    whole = "Whole numbers again: every gray is rounded away. Divide with `/`, not with `//`, and keep the floats."
    still = "The range is right, but ink is still dark. In our images ink is white: turn it around."
    mistakes = [
        (lambda scan: scan / 255, still),
        (lambda scan: scan, "Nothing has changed: ink is still dark, and the values run to 255."),
        (
            lambda scan: 255 - scan,
            "Ink is white now, but the values still run to 255: divide, so that they lie between 0 and 1.",
        ),
        (lambda scan: (scan.max() - scan.astype(float)) / np.ptp(scan), own),
        (lambda scan: 1 - scan / scan.max(), own),
        (lambda scan: (scan - scan.min().astype(float)) / np.ptp(scan), own),
        (lambda scan: scan / scan.max(), own),
        (lambda scan: scan / 255 - 1, "The sizes are right, and all of them negative: which from which do you take?"),
        (lambda scan: 1 - scan, wraps),
        (lambda scan: (1 - scan) / 255, wraps),
        (lambda scan: -scan / 255, wraps),
        (lambda scan: 1 - scan / 256, "White paper is 255, and has to become exactly 0: divide by 255, not by 256."),
        (lambda scan: (255 - scan) / 256, "Full ink has to become exactly 1: divide by 255, not by 256."),
        (lambda scan: 1 - scan // 255, whole),
        (lambda scan: (255 - scan) // 255, whole),
        (lambda scan: np.round(1 - scan / 255), whole),
        (lambda scan: scan // 255, whole),
    ]

    def otherwise(case: tuple[np.ndarray], answer: np.ndarray, wanted: np.ndarray) -> str:
        if answer.shape != wanted.shape:
            return f"The picture keeps its shape, {wanted.shape}; yours is {answer.shape}."
        return "Paper (255) has to become 0, full ink (0) has to become 1, and everything between lies between."

    compare(answer, cases, lambda scan: 1 - scan / 255, mistakes, otherwise, atol=1e-5)
    return "Paper is 0, ink is 1, whatever else is in the picture: the convention of the whole series."


#: Which expressions of the exercise are views: they can be described by a start and regular steps.
_VIEWS = {
    "image[4:11, 4:11]": True,
    "image[::2, ::2]": True,
    "image.T": True,
    "image[[4, 5, 6]]": False,
    "image[image > 0.5]": False,
    "image + 0": False,
}


@LESSON.check("views")
def views(answers: Any) -> str:
    """Tell the views from the copies: a dictionary of True and False."""
    if not isinstance(answers, dict) or set(answers) != set(_VIEWS):
        raise Wrong("Keep the dictionary with its six expressions and write True or False next to each.")
    chosen = {}
    for name, answer in answers.items():
        chosen[name] = number(answer, f"True or False next to `{name}`")
        if chosen[name] not in (0, 1):
            raise Wrong(f"Write True or False next to `{name}`, not {answer}.")
    wrong = [name for name, view in _VIEWS.items() if chosen[name] != view]
    if len(wrong) == len(_VIEWS):
        raise Wrong("All six are the wrong way round. True stands for a view: no pixel of its own.")
    if wrong:
        more = f" {len(wrong) - 1} more to find." if len(wrong) > 1 else ""
        raise Wrong(
            f"Look at `{wrong[0]}` again: call it `part`, write into it with `part[:] = 2`, and look at `image`. "
            f"Could a start and a regular step describe where its numbers lie?{more}"
        )
    return "Slices and transposes look, lists and masks and arithmetic copy: regular steps are all that a view can do."


def _patches(image: np.ndarray, size: int, down: int, right: int) -> np.ndarray:
    """The whole patches (rows, columns, size, size), with a stride for each direction."""
    return np.ascontiguousarray(sliding_window_view(image, (size, size))[::down, ::right])


@LESSON.check("cut")
def cut(answer: Any) -> str:
    """Cut all whole patches out of an image, any size and any stride."""
    cases = []
    for trial, rng in enumerate(trials(8)):
        size, stride = (int(n) for n in rng.integers((2, 1), (6, 5)))
        if trial < 5:  # stride and size differ; four times the windows just fit, the fifth time as few as can be
            size, stride = ((3, 2), (2, 3), (4, 1), (2, 4), (4, 3))[trial]
        # Two square ones of other sizes: what is right on both is right on square images, not by luck on the first.
        rows, columns = (4, 4) if trial in (0, 3) else ((3, 5), (5, 3))[trial % 2]
        rest = rng.integers(0, stride, 2) if trial > 4 else (stride - 1,) * 2 if trial == 4 else (0, 0)
        height, width = ((n - 1) * stride + size + int(r) for n, r in zip((rows, columns), rest, strict=True))
        cases.append((rng.random((height, width)).astype(("float32", "float64")[trial % 2]), size, stride))
    swapped = (
        "Rows and columns are exchanged. The outer loop runs over the rows, and the first index counts them: "
        "`image[y : y + k, x : x + k]`."
    )
    missing = "Some patches are missing: a range stops before its end. `range(0, H - k + 1, stride)`."
    mistakes = [
        (lambda i, k, s: _patches(i[:-1, :-1], k, s, s), missing),
        (lambda i, k, s: _patches(i[:-1], k, s, s), missing),
        (lambda i, k, s: _patches(i[:, :-1], k, s, s), missing),
        (lambda i, k, s: _patches(i, k, 1, 1), "Your window moves by one pixel; it should jump by the stride."),
        (lambda i, k, s: _patches(i, k, k, k), "Your window moves by its own size; it should jump by the stride."),
        (lambda i, k, s: _patches(i, k, s, 1), "To the right your window moves by one pixel, not by the stride."),
        (lambda i, k, s: _patches(i, k, 1, s), "Downward your window moves by one pixel, not by the stride."),
        (lambda i, k, s: _patches(i, k, s, s).transpose(1, 0, 2, 3), swapped),
        (lambda i, k, s: _patches(i, k, s, s).transpose(0, 1, 3, 2), "Every patch is transposed: rows stay rows."),
        (lambda i, k, s: _patches(i, k, s, s).transpose(1, 0, 3, 2), swapped),
        (
            lambda i, k, s: _patches(i, k, s, s).reshape(-1, k, k),
            "The patches are all there, in one long row. Keep the grid: (rows, columns, size, size).",
        ),
        (
            lambda i, k, s: _patches(i, k, s, s).transpose(2, 3, 0, 1),
            "The axes are in another order: the place of a patch comes first, (rows, columns, size, size).",
        ),
    ]

    def otherwise(case: tuple[np.ndarray, int, int], answer: np.ndarray, wanted: np.ndarray) -> str:
        (height, width), size, stride = case[0].shape, *case[1:]
        about = f"{height}×{width} image, {size}×{size} patches, stride {stride}"
        if answer.shape == wanted.shape:
            return f"The shape is right, the pixels are not ({about}). Patch (r, c) starts at pixel (r·s, c·s)."
        return f"{about}: all patches together are one array of shape {wanted.shape}; yours is {answer.shape}."

    ragged = "patches of one size: a window that starts beyond H − k, or W − k, runs off the edge"

    try:
        compare(
            answer,
            cases,
            lambda i, k, s: convolve.patches(i, k, s),
            mistakes,
            otherwise,
            [(lambda i, k, s: i.shape[0] != i.shape[1], _SQUARE), (lambda i, k, s: s > 1, _STRIDE)],
            read=lambda patches: array(patches, what=ragged),
            atol=1e-5,
        )
    except ValueError as error:
        if any(word in str(error) for word in ("inhomogeneous", "must have the same shape", "equal size")):
            raise Wrong(f"Your patches have different sizes. It asks for {ragged}.") from None
        raise
    return "A window onto every part of the image: everything in this series begins with these two loops."


_SQUARE = "Right on square images, wrong on others: `shape[0]` counts the rows, `shape[1]` the columns."
_STRIDE = "Right with stride 1, wrong with larger ones: patch (r, c) starts at pixel (r·s, c·s)."


@LESSON.check("ledger")
def ledger(answer: Any) -> str:
    """Count the weights of a network whose units slide a window and whose outputs read every value."""
    # The last has three quarters of a step left over, which rounding takes for a whole one.
    cases = [(28, 10, 1, 20, 10), (28, 7, 2, 8, 5), (32, 5, 3, 6, 100), (30, 7, 4, 8, 5)]
    for trial, rng in enumerate(trials(12)):
        side, window, stride, units, outputs = (int(v) for v in rng.integers((12, 2, 1, 2, 2), (40, 11, 6, 30, 20)))
        cases.append((side, window, stride if trial % 3 else 1, units, outputs))

    def total(n: int, k: int, s: int, u: int, o: int, along: Any = None, bias: int = 1, second: int = 1) -> Any:
        along = (n - k) // s + 1 if along is None else along
        return (k * k + bias) * u + (along**2 * u + second) * o

    def places(n: int, k: int, s: int) -> int:
        return ((n - k) // s + 1) ** 2

    around = "The window has to fit whole: along one axis it takes (side − window) // stride + 1 places."
    mistakes = [
        (
            lambda n, k, s, u, o: (k * k + 1) * u,
            "These are the filters alone. The next layer reads every value, and has weights too.",
        ),
        (
            lambda n, k, s, u, o: (places(n, k, s) * u + 1) * o,
            "This is the next layer alone. The filters have weights too, few as they are.",
        ),
        (
            lambda *case: total(*case, bias=0, second=0),
            "Every unit has a bias, in both layers: count one more for each.",
        ),
        (lambda *case: total(*case, second=0), "Every output has a bias too: count one more weight for each."),
        (lambda *case: total(*case, bias=0), "Every filter has a bias too: count one more weight for each."),
        (
            lambda n, k, s, u, o: places(n, k, s) * ((k * k + 1) * u + u * o) + o,
            "You pay for the filters at every place. They are shared: once.",
        ),
        (
            lambda *case: total(*case, along=1),
            "Each unit passes on one value for every place at which its window lands.",
        ),
        (
            lambda n, k, s, u, o: (k * k + 1) * u + (((n - k) // s + 1) * u + 1) * o,
            "The window slides in two directions: count the places along one axis, squared.",
        ),
        (
            lambda n, k, s, u, o: (k + 1) * u + (places(n, k, s) * u + 1) * o,
            "The window has two sides: window · window weights, and a bias.",
        ),
        (
            lambda n, k, s, u, o: (k * k + 1) * u + (places(n, k, s) + 1) * o,
            "Each of the units has a map of its own, and the outputs read them all: places times units.",
        ),
        (
            lambda n, k, s, u, o: (k * k + 1) * u + places(n, k, s) * (u + 1) * o,
            "Each output has one bias, not one for every place.",
        ),
        (
            lambda n, k, s, u, o: (k * k + 1) * u * o + (places(n, k, s) * u + 1) * o,
            "The outputs share the filters: count those once, not for every output.",
        ),
        (lambda n, k, s, u, o: total(n, k, 1, u, o), "You leave out the stride: it makes the places fewer."),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=(n - k) / s + 1), f"Half a step is no step. {around}"),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=-((k - n) // s) + 1), f"Half a step is no step. {around}"),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=(n - k) // s), f"The first place counts, too. {around}"),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=(n - k + 1) // s), around),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=n // s), around),
        (lambda n, k, s, u, o: total(n, k, s, u, o, along=-(-n // s)), around),
    ]

    def otherwise(case: tuple[int, ...], answer: float, wanted: int) -> str:
        side, window, stride, units, outputs = case
        return (
            f"For a {side}×{side} image, {units} units with {window}×{window} windows, stride {stride} and {outputs} "
            f"outputs you count {answer:,.12g}; it is {wanted:,}. Filters first, then values passed on, then the next "
            "layer."
        )

    compare(
        answer,
        cases,
        total,
        mistakes,
        otherwise,
        [(lambda n, k, s, u, o: s > 1, "Right with stride 1, wrong with larger ones. " + around)],
        read=lambda weights: number(weights, "one number: all the weights together"),
        atol=None,
    )
    return "The whole ledger in one function: cheap filters, an expensive reader behind them."
