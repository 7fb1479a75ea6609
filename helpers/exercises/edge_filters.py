"""Questions and checks of the lesson "Hand-crafted edge filters"."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, trials
from helpers.filters import convolve

LESSON = Lesson("edge_filters")

LESSON.ask(
    "by-hand",
    "Each of the three rows of the patch reads 1 1 0, and each row of the filter 1 0 −1. What is the response?",
    Option("6", "That is the sum of the patch, whatever the filter says. The middle column of ones meets weights of 0 "
           "and counts for nothing."),
    Option("3", "In each row 1·1 + 1·0 + 0·(−1) = 1, and there are three rows.", right=True),
    Option("0", "It would be 0 if the right column were bright too. It is dark, so nothing counts against."),
    Option("1", "That is one row. Add up all three."),
)  # fmt: skip

LESSON.ask(
    "all-ones",
    "A white patch, all ones, lies under the filter. What is the response?",
    Option("49", "That is the sum of the pixels. The filter also has a say: 21 of its weights are −1 and 7 are 0."),
    Option("21", "21 is what the orange half collects. The purple half is just as full, and it counts against."),
    Option("0", "21 − 21 = 0: the two halves see the same and cancel. The filter is blind to brightness.", right=True),
    Option("−21", "That would be ink under the purple half only. In a white patch the orange half has its say too."),
)

LESSON.ask(
    "reversed-edge",
    "The matching edge is white where the weights are +1, so it scores as high as a patch can. What does the reversed "
    "edge score?",
    Option("0, it is not the edge that the filter looks for", "Zero means no difference. Here the difference is as "
           "large as it can be, but it points the other way."),
    Option("As low as a patch can", "All of its ink meets weights of −1: 21 for the matching edge, −21 for this one.",
           right=True),
    Option("The same, an edge is an edge", "The filter knows the two sides apart: the sign says which one is bright. A "
           "filter that scores both alike would have to forget the sign afterward."),
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
    "ones-on-top",
    "Kernel B has ones in the top row and minus ones in the bottom row. Which edges does it respond to?",
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


@LESSON.check("response")
def response(answer: Any) -> str:
    """Write the response of a filter to one patch: multiply and sum."""
    cases = []
    for trial, rng in enumerate(trials(6)):
        shape = (
            ((5, 5), (9, 3), (2, 8), (8, 9))[trial] if trial < 4 else tuple(rng.choice(range(2, 8), 2, replace=False))
        )
        patch, weights = rng.normal(size=(2, *shape))
        if abs((patch * weights).sum()) < 0.5:
            patch = patch + weights  # never so near zero that a sign would not show
        if ((patch * weights).sum() > 0) != trial % 2:
            weights = -weights  # a ReLU or `abs` shows in every second case
        kind = ("float64", "float32")[trial // 2 % 2]
        cases.append((patch.astype(kind), weights.astype(kind)))
    mistakes = [
        (
            lambda p, w: (p @ w).sum(),
            "`@` multiplies rows by columns. Here each pixel meets the weight in the same position: use `*`.",
        ),
        (lambda p, w: (p @ w.T).sum(), "`@` multiplies rows by columns. Here each pixel meets one weight: use `*`."),
        (lambda p, w: p * w, "These are the products, one per pixel. The response is one number: add them up."),
        (lambda p, w: (p * w).sum(axis=0), f"{_ROWS} Python's own `sum` stops there: use `.sum()` or `np.sum`."),
        (lambda p, w: (p * w).sum(axis=1), f"{_ROWS} Leave out `axis`."),
        (lambda p, w: (p * w).mean(), "The mean divides by the number of pixels. The response is the plain sum."),
        (lambda p, w: np.abs(p * w).sum(), f"{_SIGNS} leave out `abs`."),
        (lambda p, w: abs((p * w).sum()), f"{_SIGNS} leave out `abs`."),
        (lambda p, w: max((p * w).sum(), 0), "A response may be negative. A ReLU comes later, and is not part of it."),
        (lambda p, w: -(p * w).sum(), "Every response has the wrong sign."),
        (lambda p, w: (p * w[::-1, ::-1]).sum(), "You flip the filter. Slide it as it is."),
        (
            lambda p, w: (p + w).sum(),
            "You add pixels and weights. Multiply those in the same position.",
        ),
        (lambda p, w: p.sum() * w.sum(), "Multiply first, pixel by pixel, and add up afterward."),
        (lambda p, w: (p * w).max(), "That is the largest product. The response is the sum of them all."),
        (lambda p, w: np.prod(p * w), "You multiply the products with each other. Add them up."),
        (lambda p, w: (p[0] * w[0]).sum(), "Only the first row counts. Collect the products of all rows."),
        (lambda p, w: (p[-1] * w[-1]).sum(), "Only the last row counts: collect with `+=` instead of `=`."),
        (lambda p, w: p[-1, -1] * w[-1, -1], "Only the last pixel counts: collect with `+=` instead of `=`."),
        (
            lambda p, w: sum(p[i, j] * w[i, j] for i in range(len(p)) for j in range(min(p.shape[1], len(p)))),
            "Right for square patches, wrong for others: the columns are `patch.shape[1]`.",
        ),
    ]

    def otherwise(case: tuple[np.ndarray, np.ndarray], answer: Any, wanted: float) -> str:
        if np.ndim(answer):
            return f"The response is one number; this is an array of shape {np.shape(answer)}."
        return f"Not the sum of the {case[0].size} products, each of a pixel and the weight in the same position."

    def read(answer: Any) -> Any:
        values = array(answer, what="one number")
        return values.item() if values.size == 1 and not isinstance(answer, list | tuple) else values

    try:
        compare(answer, cases, lambda p, w: (p * w).sum(), mistakes, otherwise, read=read)
    except IndexError as error:
        raise Wrong(f"{error}: patches are not always 7×7, and not always square. Ask `patch.shape`.") from None
    except ValueError as error:
        if "not aligned" in str(error) or "mismatch" in str(error):
            raise Wrong("A matrix product multiplies rows by columns. Use `*`, and add up.") from None
        raise
    return "One line, and it is all that a unit of a convolutional layer computes before its bias."


_ROWS = "You add up in one direction only, and the response is one number."
_SIGNS = "Without their signs the two sides of an edge can no longer cancel, and bright left looks like bright right:"


def _map(image: np.ndarray, weights: np.ndarray, down: int, right: int | None = None) -> np.ndarray:
    """The feature map with a stride for each direction."""
    return convolve.correlate2d(image, np.ascontiguousarray(weights), stride=(down, down if right is None else right))


@LESSON.check("feature-map")
def feature_map(answer: Any) -> str:
    """Slide a filter over an image, any size and any stride."""
    cases = []
    for trial, rng in enumerate(trials(8)):
        size, stride = (int(n) for n in rng.integers((2, 1), (6, 5)))
        if trial < 5:  # stride and size differ; four times the windows just fit, the fifth time as few as can be
            size, stride = ((3, 1), (4, 1), (3, 2), (2, 3), (2, 4))[trial]
        # Two square ones of other sizes: what is right on both is right on square images, not by luck on the first.
        rows, columns = (5, 5) if trial in (0, 3) else ((4, 6), (6, 4))[trial % 2]
        rest = rng.integers(0, stride, 2) if trial > 4 else (stride - 1,) * 2 if trial == 4 else (0, 0)
        height, width = ((n - 1) * stride + size + int(r) for n, r in zip((rows, columns), rest, strict=True))
        kind = ("float64", "float32")[trial // 2 % 2]
        cases.append(
            (rng.normal(size=(height, width)).astype(kind), rng.normal(size=(size, size)).astype(kind), stride)
        )
    missing = "Some windows are missing. The last one starts at H − k, and a range stops before its end: "
    missing += "`range(0, H - k + 1, stride)`."
    reads = "Multiply each pixel of a window by the weight in the same position and add up"
    mistakes = [
        (lambda i, w, s: _map(i[:-1, :-1], w, s), missing),
        (lambda i, w, s: _map(i[:-1], w, s), missing),
        (lambda i, w, s: _map(i[:, :-1], w, s), missing),
        (lambda i, w, s: _map(i[:-1, :-1], w, 1), f"{missing} And the stride is missing from yours."),
        (
            lambda i, w, s: _map(i, w, s)[:-1, :-1],
            "The last row and the last column are missing: (H − k) // stride + 1 windows fit, one more than steps.",
        ),
        (lambda i, w, s: _spread(i, w, s, s), "Your map is as large as the image. The responses fill a smaller one."),
        (lambda i, w, s: _spread(i, w, s, 1), "Your map is as large as the image. The responses fill a smaller one."),
        (lambda i, w, s: _map(i, w, 1), "Your window moves by one pixel; it should jump by the stride."),
        (lambda i, w, s: _map(i, w, len(w)), "Your window moves by its own size; it should jump by the stride."),
        (lambda i, w, s: _map(i, w, s, 1), "To the right your window moves by one pixel, not by the stride."),
        (lambda i, w, s: _map(i, w, 1, s), "Downward your window moves by one pixel, not by the stride."),
        (
            lambda i, w, s: _map(i, w, 1)[: (len(i) - len(w)) // s + 1, : (i.shape[1] - len(w)) // s + 1],
            "Response (row, column) belongs to the window that starts at row · stride and column · stride.",
        ),
        (
            lambda i, w, s: _map(i, w[::-1, ::-1], s),
            "You flip the filter: that is a mathematician's convolution. Slide it as it is.",
        ),
        (lambda i, w, s: _map(i, w.T, s), "Your filter is transposed: its rows lie on the rows of the patch."),
        (lambda i, w, s: _map(i, w[::-1], s), "Your filter is upside down: slide it as it is."),
        (lambda i, w, s: _map(i, w[:, ::-1], s), "Your filter is mirrored: slide it as it is."),
        (lambda i, w, s: _map(i, w, s).T, "Rows and columns of the map are exchanged."),
        (lambda i, w, s: _map(i, w, s) / w.size, "The mean divides by the number of pixels. It is the plain sum."),
        (lambda i, w, s: np.abs(_map(i, w, s)), "A response may be negative: leave out `abs`."),
        (lambda i, w, s: np.maximum(_map(i, w, s), 0), "A response may be negative. A ReLU comes later: leave it out."),
        (lambda i, w, s: -_map(i, w, s), "Every response has the wrong sign."),
        (
            lambda i, w, s: np.trunc(_map(i, w, s)),
            "Only whole numbers are left: is your map made with an integer type? `np.zeros(...)` makes floats.",
        ),
        (lambda i, w, s: np.sign(_map(i, w, s)), "Only the signs are left. A response is the sum itself."),
        (lambda i, w, s: _windows(i, w, s).sum(axis=(2, 3)), f"{reads}: yours leaves out the weights."),
        (lambda i, w, s: (_windows(i, w, s) * w).max(axis=(2, 3)), f"{reads}: yours takes the largest product."),
        (lambda i, w, s: np.abs(_windows(i, w, s) * w).sum(axis=(2, 3)), "Leave out `abs`: the two sides may cancel."),
        (
            lambda i, w, s: (_windows(i, w, s) @ w).sum(axis=(2, 3)),
            f"{reads}: with `*`, not `@`.",
        ),
        (lambda i, w, s: (_windows(i, w, s) + w).sum(axis=(2, 3)), f"{reads}: yours adds the weights to the pixels."),
        (lambda i, w, s: _windows(i, w, s) * w, "These are the products of every window. A response is their sum."),
        (lambda i, w, s: _map(i, w, s).ravel(), "The responses are all there, in one long row. Keep the grid."),
    ]

    def otherwise(case: tuple[np.ndarray, np.ndarray, int], answer: np.ndarray, wanted: np.ndarray) -> str:
        (height, width), size, stride = case[0].shape, len(case[1]), case[2]
        about = f"{height}×{width} image, {size}×{size} filter, stride {stride}"
        if answer.shape == wanted.shape:
            return f"The shape is right, the numbers are not ({about}). {reads}."
        return f"{about}: the map has the shape {wanted.shape}; yours is {answer.shape}."

    only = [
        (lambda i, w, s: i.shape[0] != i.shape[1], "Right on square images, wrong on others: which axis is which?"),
        (lambda i, w, s: s > 1, "Right with stride 1, wrong with larger ones: windows start at row · stride."),
    ]
    try:
        compare(answer, cases, _map, mistakes, otherwise, only, defaults=(1,))
    except (IndexError, ValueError) as error:
        if isinstance(error, IndexError) or "broadcast" in str(error):
            raise Wrong(
                f"{error}: a window runs off the image. 7, 2 and 11 belong to one filter, stride and image; ask "
                "`len(weights)`, `stride` and `image.shape`."
            ) from None
        raise
    return "The same numbers as `convolve.correlate2d`, on eight random images: you have written a convolution."


def _spread(image: np.ndarray, weights: np.ndarray, stride: int, step: int) -> np.ndarray:
    """The map written into an array as large as the image, every ``step`` pixels."""
    responses = _map(image, weights, stride)
    spread = np.zeros(image.shape)
    spread[: step * responses.shape[0] : step, : step * responses.shape[1] : step] = responses
    return spread


def _windows(image: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    return convolve.patches(image, len(weights), stride)


@LESSON.check("only-blue")
def only_blue(answer: Any) -> str:
    """Design a filter that fires on blue, and on nothing without color."""
    weights = array(answer, what="three numbers, one each for red, green and blue")
    if weights.size != 3:
        raise Wrong(f"Three weights are needed, one each for red, green and blue; yours has {weights.size}.")
    red, green, blue = weights.ravel()
    tiny = 1e-6 * max(1.0, float(np.abs(weights).max()))  # float32 sums of thirds
    white = red + green + blue
    if blue < 1 - 1e-6:
        raise Wrong(f"Pure blue, (0, 0, 1), gets {blue:g}; it has to get at least 1. Which weight meets it?")
    if abs(white) > tiny:
        raise Wrong(f"White is (1, 1, 1) and gets {white:g}, the sum of your weights: make that sum zero.")
    if max(red, green) > tiny:
        name, value = ("red", red) if red > 0 else ("green", green)
        raise Wrong(f"Pure {name} gets {value:g}, and it must not be positive: that color has to count against.")
    return "Gray and white cancel, blue survives: try `convolve.conv_layer` with it on the photograph."
