"""Questions and checks of the lesson "Images are numbers"."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call
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
    Option("Nothing: the two cancel", "Ink is positive everywhere. Only numbers of opposite sign can cancel, and that "
           "is what the filters of the next lesson bring."),
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
    Option("11", "The last start with 7 pixels to its right is 21, the last even one 20: 0, 2, ... 20 are eleven.",
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
def _(ink: Any) -> str:
    chance = np.random.default_rng()
    scan = chance.integers(20, 236, (6, 9)).astype(np.uint8)
    given = scan.copy()
    answer = np.asarray(call(ink, given))
    if not np.array_equal(given, scan):
        raise Wrong("Your function changes the picture it is given. Build a new array instead of writing into `scan`.")
    wanted = 1 - scan / 255
    if answer.shape != scan.shape:
        raise Wrong(f"The picture keeps its shape, {scan.shape}; yours is {answer.shape}.")
    if np.allclose(answer, scan / 255, atol=1e-5):
        raise Wrong("The range is right, but ink is still dark. In our images ink is white: turn it around.")
    if np.allclose(answer, 255.0 - scan):
        raise Wrong("Ink is white now, but the values still run to 255: divide, so that they lie between 0 and 1.")
    lowest, highest = scan.min(), scan.max()
    if np.allclose(answer, (highest - scan.astype(float)) / (highest - lowest), atol=1e-5) or np.allclose(
        answer, 1 - scan / highest, atol=1e-5
    ):
        raise Wrong(
            "You stretch each picture to its own range, so a blank sheet would come out as strokes. "
            "Divide by 255, the largest value there can be."
        )
    if answer.dtype.kind in "iu" or not np.any(answer % 1):
        raise Wrong("Whole numbers again: every gray is rounded away. Divide with `/`, not with `//`.")
    if not np.allclose(answer, wanted, atol=1e-5):
        raise Wrong("Paper (255) has to become 0, full ink (0) has to become 1, and everything between lies between.")
    return "Paper is 0, ink is 1, whatever else is in the picture: the convention of all twelve lessons."


#: What each expression of the exercise is: True for a view, with the reason.
_VIEWS = {
    "image[4:11, 4:11]": (True, "a slice notes where it starts and how far to step; nothing is copied"),
    "image[::2, ::2]": (True, "a larger step is still a step, and the memory stays where it is"),
    "image.T": (True, "the transpose only exchanges the two steps"),
    "image[[4, 5, 6]]": (False, "rows picked from a list may lie anywhere, so NumPy has to gather them in new memory"),
    "image[image > 0.5]": (False, "the pixels of a mask lie anywhere, so NumPy has to gather them in new memory"),
    "image + 0": (False, "arithmetic writes its results into new memory, even when nothing changes"),
}


@LESSON.check("views")
def _(answers: Any) -> str:
    if not isinstance(answers, dict) or set(answers) != set(_VIEWS):
        raise Wrong("Keep the dictionary with its six expressions and write True or False behind each.")
    chosen = {name: bool(answer) for name, answer in answers.items()}
    wrong = [name for name, (view, _) in _VIEWS.items() if chosen[name] != view]
    if len(wrong) == len(_VIEWS):
        raise Wrong("All six are the wrong way round. True stands for a view: no pixel of its own.")
    if wrong:
        name = wrong[0]
        more = f" {len(wrong) - 1} more to find." if len(wrong) > 1 else ""
        raise Wrong(f"Look at `{name}` again: write into it and look at the image. {_hint(name)}{more}")
    return "Slices and transposes look, lists and masks and arithmetic copy: regular steps are all that a view can do."


def _hint(name: str) -> str:
    if _VIEWS[name][0]:
        return "Can it be described by a start and a regular step?"
    return "Could a start and a regular step describe where its numbers lie?"


@LESSON.check("cut")
def _(cut: Any) -> str:
    chance = np.random.default_rng()
    for (height, width), size, stride in (((6, 9), 3, 3), ((28, 28), 7, 2), ((11, 8), 4, 3)):
        image = chance.random((height, width))
        try:
            answer = np.asarray(call(cut, image, size, stride))
        except ValueError as error:
            if "inhomogeneous" in str(error):
                raise Wrong(
                    "Your patches are of different sizes: the last ones run off the edge. A window of k pixels has to "
                    "start at H − k or before."
                ) from None
            raise
        wanted = convolve.patches(image, size, stride)
        about = f"{height}×{width} image, {size}×{size} patches, stride {stride}"
        if answer.shape == wanted.shape:
            if np.array_equal(answer, wanted):
                continue
            if np.array_equal(answer, wanted.transpose(0, 1, 3, 2)):
                raise Wrong("Every patch is transposed. The first index counts rows, downward.")
            raise Wrong(f"The shape is right, the pixels are not ({about}). Patch (r, c) starts at pixel (r·s, c·s).")
        if answer.dtype == object or answer.ndim < 3:
            raise Wrong(f"All patches together should be one array of shape {wanted.shape}; yours is {answer.shape}.")
        if answer.shape == (wanted.shape[0] * wanted.shape[1], size, size):
            raise Wrong(
                f"The patches are all there, in one long row. Keep the grid: {wanted.shape}, one list for each row."
            )
        if answer.shape == (wanted.shape[1], wanted.shape[0], size, size):
            raise Wrong("Rows and columns of the grid are exchanged: the outer loop runs over the rows.")
        if answer.ndim == 4 and answer.shape[2:] == (size, size):
            if answer.shape[0] > wanted.shape[0]:
                raise Wrong(f"Too many patches ({about}): with stride {stride} the window jumps {stride} at a time.")
            raise Wrong(
                f"Some patches are missing ({about}): {answer.shape[:2]} instead of {wanted.shape[:2]}. A range stops "
                "before its end: `range(0, H - k + 1, stride)`."
            )
        raise Wrong(f"{about}: the result has shape {wanted.shape}, yours {answer.shape}.")
    return "A window onto every part of the image: everything in this series begins with these two loops."


@LESSON.check("padding")
def _(padding: Any) -> str:
    for n, size, stride in ((28, 7, 2), (28, 7, 7), (10, 3, 1), (11, 4, 5), (12, 2, 4), (9, 3, 4)):
        answer = call(padding, n, size, stride)
        last = (math.ceil(n / stride) - 1) * stride
        wanted = max(last + size - n, 0)
        about = f"{n} pixels, windows of {size}, stride {stride}"
        if np.ndim(answer) or not float(answer).is_integer():
            raise Wrong(f"The answer is a whole number of pixels; for {about} yours is {answer}.")
        if answer < 0:
            raise Wrong(f"For {about} you answer {answer}: when no window runs off, the padding is 0, not negative.")
        if answer == wanted:
            continue
        if answer == size - 1:
            raise Wrong(
                f"{size - 1} is what a window at the very last pixel would need. With stride {stride} the last "
                f"starting point is {last}: {wanted} would do for {about}."
            )
        if answer == (stride - (n - size) % stride) % stride:
            raise Wrong(
                "You round up to the next whole step, so that no pixel is lost. The question asks for more: EVERY "
                "starting point below n keeps its window."
            )
        if abs(answer - wanted) == 1:
            raise Wrong(f"One off for {about}: the last window starts at {last} and covers {size} pixels from there.")
        raise Wrong(f"For {about} the last window starts at {last}. Where does it end, and how far is that beyond n?")
    return "Just enough black for the last window, and none when it already fits."


@LESSON.check("ledger")
def _(weights: Any) -> str:
    for side, window, stride, units, outputs in ((28, 10, 1, 20, 10), (28, 7, 2, 8, 5), (32, 5, 3, 6, 100)):
        answer = call(weights, side, window, stride, units, outputs)
        places = ((side - window) // stride + 1) ** 2
        filters, values = (window**2 + 1) * units, places * units
        wanted = filters + (values + 1) * outputs
        about = (
            f"a {side}×{side} image, {units} units with {window}×{window} windows, stride {stride}, {outputs} outputs"
        )
        if np.ndim(answer):
            raise Wrong("The answer is one number: all the weights together.")
        if answer == wanted:
            continue
        hints = {
            filters: "These are the filters alone. The next layer reads every value, and has weights too.",
            (values + 1) * outputs: "This is the next layer alone. The filters have weights too, few as they are.",
            window**2 * units + values * outputs: "Every unit has a bias, in both layers: count one more for each.",
            filters + values * outputs: "Every output has a bias too: count one more weight for each.",
            window**2 * units + (values + 1) * outputs: "Every filter has a bias too: count one more weight for each.",
            filters * places + (values + 1) * outputs: "You pay for the filters at every place. They are shared: once.",
            filters + (units + 1) * outputs: "Each unit passes on one value for every place at which its window lands.",
        }
        if answer in hints:
            raise Wrong(hints[answer])
        along = (side - window) // stride + 1
        if answer == filters + (along * units + 1) * outputs:
            raise Wrong(f"The window slides in two directions: {along} times {along} places.")
        if stride > 1:
            raise Wrong(f"For {about} there are {wanted:,} weights. Along one axis the window takes {along} places.")
        raise Wrong(f"For {about} you count {answer:,}. Filters first, then values passed on, then the next layer.")
    return "The whole ledger in one function: cheap filters, an expensive reader behind them."
