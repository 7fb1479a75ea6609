"""Questions and checks of the lesson "Hand-crafted edge filters"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.filters import convolve

LESSON = Lesson("edge_filters")

LESSON.ask(
    "all-ones",
    "A white patch, all ones, under the filter with 21 weights of +1 and 21 of −1. What is the response?",
    Option("49", "49 is the sum of the pixels. The filter also has a say: 21 of its weights are −1 and 7 are 0."),
    Option("21", "21 is what the orange half collects. The purple half is just as full, and it counts against."),
    Option("0", "21 − 21 = 0: the two halves see the same and cancel. The filter is blind to brightness.", right=True),
    Option("−21", "That would be ink under the purple half only. In a white patch the orange half has its say too."),
)

LESSON.ask(
    "reversed-edge",
    "The matching edge scores +21. What does the reversed edge score, the one that is white below the diagonal?",
    Option("0, it is not the edge the filter looks for", "Zero means no difference. Here the difference is as large as "
           "can be, it only points the other way."),
    Option("−21", "All the ink lies under the purple weights: the strongest possible no.", right=True),
    Option("+21, an edge is an edge", "The filter knows left from right: a sign tells which side is bright. A filter "
           "that says +21 to both would have to forget the sign afterward."),
)  # fmt: skip

LESSON.ask(
    "where-on-the-three",
    "The filter wants ink above a falling diagonal and none below. Where on the 3 will its map be most positive?",
    Option("In the middle of the thick strokes", "There both halves of the filter lie on ink and cancel: a response "
           "near zero."),
    Option("Where ink has empty paper to its lower left", "Ink under the orange corner (top right), paper under the "
           "purple one (bottom left): that is the wish of this filter.", right=True),
    Option("Where ink has empty paper to its upper right", "There the ink lies under the purple weights: the most "
           "negative places, blue in the map."),
    Option("In the empty corners", "Black pixels are zeros, and zero times any weight is zero."),
)  # fmt: skip

LESSON.ask(
    "opposite",
    "You turn the sign of all 49 weights. What happens to the feature map?",
    Option("It does not change", "Every product changes its sign, so every sum does too."),
    Option("It is mirrored: left and right are swapped", "Nothing moves: each response stays where it was. Mirroring "
           "would need a mirrored image."),
    Option("Every response changes its sign", "Red becomes blue and blue red, cell by cell.", right=True),
)  # fmt: skip

LESSON.ask(
    "ones-on-top",
    "Kernel B has ones in the top row and minus ones in the bottom row. Which edges does it answer to?",
    Option("Vertical edges: its numbers change vertically", "The tempting answer. The numbers do change from top to "
           "bottom, and that is why it notices borders you cross from top to bottom. Those borders lie flat."),
    Option("Horizontal edges", "It compares above with below, and only a horizontal edge makes these two differ.",
           right=True),
    Option("Both kinds", "On a vertical edge the top row and the bottom row see the same pixels and cancel."),
)  # fmt: skip

LESSON.ask(
    "depth",
    "A filter of shape (3, 3, 3) slides over a color image of shape (3, 200, 200). How many maps does it draw?",
    Option("Three, one per color", "There are three maps on the way, one per channel. They are added up: a response is "
           "one number per place."),
    Option("One", "27 products, one sum. The depth of the input is used up.", right=True),
    Option("Nine", "Nine is the number of weights per channel. Each place still gets one sum."),
)  # fmt: skip


def _patches() -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng()
    return chance.normal(size=(5, 5)), chance.normal(size=(5, 5))


def _close(answer: Any, wanted: Any) -> bool:
    answer = np.asarray(answer)
    return answer.shape == np.shape(wanted) and np.allclose(answer, wanted, atol=1e-4)


@LESSON.check("response")
def _(response: Any) -> str:
    patch, weights = _patches()
    answer = call(response, patch, weights)
    if np.ndim(answer):
        if _close(answer, patch * weights):
            raise Wrong("These are the products, one per pixel. The response is one number: add them up.")
        raise Wrong(f"The response is one number; this is an array of shape {np.shape(answer)}.")
    if _close(answer, (patch @ weights).sum()):
        raise Wrong("`@` multiplies rows with columns. Here each pixel meets the weight that lies on it: use `*`.")
    if _close(answer, (patch * weights).mean()):
        raise Wrong("The mean divides by the number of pixels. The response is the plain sum.")
    if _close(answer, np.abs(patch * weights).sum()):
        raise Wrong("Without their signs the two sides of an edge can no longer cancel: leave out `abs`.")
    if not _close(answer, (patch * weights).sum()):
        raise Wrong("Not the sum of the 25 products. Multiply what lies on each other, then add everything up.")
    return "One line, and it is all that a neuron of a convolutional layer computes before its bias."


@LESSON.check("four-edges")
def _(left: Any, right: Any, top: Any, bottom: Any) -> str:
    base = np.array([[1, 1, -1, -1]] * 4, dtype=float)
    wanted = {"bright_left": base, "bright_right": -base, "bright_top": base.T, "bright_bottom": -base.T}
    for (name, goal), given in zip(wanted.items(), (left, right, top, bottom), strict=True):
        answer = np.asarray(given)
        if answer.shape != (4, 4):
            raise Wrong(f"`{name}` has to be 4×4 like the first one; its shape is {answer.shape}.")
        if np.array_equal(answer, goal):
            continue
        if np.array_equal(answer, -goal):
            raise Wrong(
                f"`{name}` looks the right way and wants the wrong side: it is bright on the other one. Negate it."
            )
        if np.array_equal(answer, goal.T) or np.array_equal(answer, -goal.T):
            raise Wrong(f"`{name}` answers to edges of the other direction: transpose it with `.T`.")
        raise Wrong(f"`{name}` is not made of the first filter by a minus sign and `.T` alone.")
    return "Four detectors out of one: negation changes the side, transposition the direction."


@LESSON.check("feature-map")
def _(feature_map: Any) -> str:
    chance = np.random.default_rng()
    for (height, width), size, stride in (((9, 12), 3, 1), ((28, 28), 7, 2), ((11, 8), 3, 3)):
        image, weights = chance.normal(size=(height, width)), chance.normal(size=(size, size))
        answer = np.asarray(call(feature_map, image, weights, stride))
        wanted = convolve.correlate2d(image, weights, stride=stride)
        about = f"{height}×{width} image, {size}×{size} filter, stride {stride}"
        if answer.shape == wanted.shape:
            if _close(answer, convolve.convolve2d(image, weights, stride=stride)):
                raise Wrong("You flip the filter: that is a mathematician's convolution. Slide it as it is.")
            if not _close(answer, wanted):
                raise Wrong(
                    f"The shape is right, the numbers are not ({about}). Does the window start at row · stride?"
                )
            continue
        if stride > 1 and answer.shape == (height - size + 1, width - size + 1):
            raise Wrong(f"You step by one pixel; with stride {stride} the window jumps {stride} at a time.")
        if answer.shape == wanted.T.shape:
            raise Wrong(f"Rows and columns are exchanged: the map of a {about} has shape {wanted.shape}.")
        if answer.ndim == 2 and min(np.subtract(wanted.shape, answer.shape)) >= 0:
            raise Wrong(
                f"Some windows are missing: {about} gives {wanted.shape}, yours is {answer.shape}. The last one starts "
                "at H − k, and a range stops before its end: `range(0, H - k + 1, stride)`."
            )
        raise Wrong(f"The map of a {about} has shape {wanted.shape}; yours is {answer.shape}.")
    return "The same numbers as `convolve.correlate2d`, on three random images: you have written a convolution."


@LESSON.check("only-blue")
def _(weights: Any) -> str:
    try:
        weights = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        raise Wrong("Three numbers are needed, one each for red, green and blue.") from None
    if weights.size != 3:
        raise Wrong(f"Three weights are needed, one each for red, green and blue; these are {weights.size}.")
    red, green, blue = weights.ravel()
    if blue < 1:
        raise Wrong(f"Pure blue, (0, 0, 1), gets {blue:g}; it has to get at least 1. Which weight meets it?")
    white = red + green + blue
    if abs(white) > 1e-6:
        raise Wrong(f"White is (1, 1, 1) and gets {white:g}, the sum of your weights: make that sum zero.")
    if red > 0 or green > 0:
        name, value = ("red", red) if red > 0 else ("green", green)
        raise Wrong(f"Pure {name} gets {value:g}, and it must not be positive: that color has to count against.")
    return "Gray and white cancel, blue survives: try `convolve.conv_layer` with it on the photograph."
