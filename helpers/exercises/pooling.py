"""Questions and checks of the lesson "Pooling and receptive fields"."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers.exercises.cases import compare
from helpers.exercises.core import Lesson, Option
from helpers.exercises.judge import Wrong, array, same, trials
from helpers.filters import convolve

LESSON = Lesson("pooling")

LESSON.ask(
    "signed-max",
    "The map is −3 along the left edge of the square, +3 along the right edge (less at their ends) and 0 elsewhere. "
    "You apply max pooling 2×2. Each pooling window on an edge also holds a column of zeros. What is left?",
    Option("Both edges, at full strength", "Max takes the largest number, not the one farthest from zero. Compare −3 "
           "with the 0 beside it."),
    Option("Only the right edge", "The larger of 0 and +3 is +3, the larger of −3 and 0 is 0. A pooling that takes the "
           "maximum is on the side of the positive.", right=True),
    Option("Both edges, at half strength", "That is what average pooling does: (0 − 3) / 2 and (0 + 3) / 2."),
    Option("Nothing: they cancel", "−3 and +3 never lie in one pooling window, and a maximum does not add anything "
           "up."),
)  # fmt: skip

LESSON.ask(
    "shift",
    "You move 100 digits by one pixel. How much does the map after max pooling 4×4 change, compared with the map "
    "before the pooling?",
    Option("Not at all, pooling makes it invariant", "The most common overstatement about pooling. One pixel is enough "
           "to push a strong response over the border into the next window."),
    Option("Less than the map, but it changes", "Most responses stay in their window, some cross its border. It is "
           "calmer, not deaf.", right=True),
    Option("As much as the map", "Inside a window the maximum does not care about the place, so part of the "
           "movement is absorbed."),
    Option("More, because each cell stands for 16 numbers", "Each cell keeps one number out of 16, and that number "
           "mostly stays in the cell."),
)  # fmt: skip

LESSON.ask(
    "pairs",
    "The means of bright left and bright right agree, and so do those of bright above and bright below. Why?",
    Option("Luck: this 3 happens to be like that", "Try it with other digits in the tool above: it holds wherever the "
           "ink keeps away from the border. It is a sum that has to come out like that."),
    Option("The strokes of a 3 are nearly symmetric", "A 4 is not symmetric at all, and its means come in pairs too."),
    Option("A stroke has as much left side as right side: together, all responses add up to zero",
           "Every pixel of ink meets every weight once, and the weights add up to zero. So what is positive in the "
           "map, one filter's share, equals what is negative, the opposite filter's share.", right=True),
    Option("A mean is always the same, whatever the filter", "The diagonals say otherwise: 0.21 and 0.27."),
)  # fmt: skip

LESSON.ask(
    "thin-line",
    "A white line, one pixel wide, moves to the right pixel by pixel. The filter for vertical edges (1, 0, −1 in each "
    "row) looks at it with stride 2, then ReLU. What happens to the strongest response?",
    Option("It stays the same", "It would with stride 1. With stride 2 the filter only lands in every second column, "
           "and its middle weights are zero."),
    Option("It jumps between its full value and zero", "If the line meets the middle column of a filter, weight 0, the "
           "next filter to the left or right is two pixels away and misses it.", right=True),
    Option("It is half as strong all the time", "The stride leaves responses out. Those that are computed are as "
           "strong as ever."),
)  # fmt: skip

LESSON.ask(
    "field",
    "An image goes through a convolution 3×3, a pooling 2×2 with stride 2, and a second convolution 3×3. How many "
    "pixels wide is the square that one unit of the second convolution sees?",
    Option("3", "3 is what it sees of the pooled map. Each of these three numbers stands for several pixels."),
    Option("6", "That adds 2, 1 and 2 to one pixel. It would be right without the stride: behind it, neighbors lie two "
           "pixels apart, so the last window adds 4."),
    Option("8", "3 after the first convolution, 4 after the pooling, and two further neighbors that lie two pixels "
           "apart: 4 + 2·2 = 8.", right=True),
    Option("12", "That multiplies 4 by 3 as if neighbors shared no pixels. The fields of neighbors overlap: 4 wide, 2 "
           "apart."),
)  # fmt: skip

LESSON.ask(
    "blind",
    "You make each of the 784 pixels brighter in turn, and 108 of them change none of the ten outputs. Which?",
    Option("Scattered ones, where MNIST never has any ink", "The weights of a convolution are used at every position, "
           "so no pixel has weights of its own that could have stayed untrained. And a network without any training "
           "has the same 108."),
    Option("A frame, one pixel wide, on all four sides", "It has 108 pixels as well, but the first window starts at "
           "the first row and column: there the network looks, if only once."),
    Option("The last two rows and the last two columns", "28 → 26 → 13 → 11 → 5: the last row and column of the 11×11 "
           "map are left over, and nothing else looked at these pixels: 784 − 26·26 = 108.", right=True),
    Option("Pixels in the middle of thick strokes", "An edge filter is silent there, but make such a pixel brighter, "
           "and there is an edge around it."),
)  # fmt: skip


def _tiles(values: np.ndarray, size: int) -> np.ndarray:
    """The complete windows, side by side, each as a row: (rows, columns, size · size)."""
    windows = sliding_window_view(values, (size, size))[::size, ::size]
    return windows.reshape(*windows.shape[:2], size * size)


def _with_remainder(values: np.ndarray, size: int) -> np.ndarray:
    height, width = (-(-n // size) * size for n in values.shape)
    filled = np.full((height, width), -np.inf)
    filled[: values.shape[0], : values.shape[1]] = values
    return _tiles(filled, size).max(axis=2)


@LESSON.check("max-pool")
def max_pool(answer: Any) -> str:
    """Write max pooling, any map and any window size."""
    cases = []
    for trial, rng in enumerate(trials(8)):
        size = (2, 3, 2, 4)[trial] if trial < 4 else int(rng.integers(2, 6))
        # Two square ones of other sizes: what is right on both is right on square maps, not by luck on the first.
        rows, columns = (3, 3) if trial in (0, 3) else ((2, 4), (4, 2))[trial // 2 % 2]
        rest = (0, 0) if trial < 2 else (size - 1,) * 2 if trial < 4 else rng.integers(0, size, 2)
        height, width = (int(n) * size + int(r) for n, r in zip((rows, columns), rest, strict=True))
        values = 3 * rng.normal(size=(height, width))
        if trial % 2:
            values -= values.max() + (1.5, 2e4)[trial // 4]  # negative only: a start at 0, at −1 or at −9999 shows
        else:
            values += max(0, 0.5 - convolve.pool2d(values, size).min())  # both signs, and no window without a positive
        if trial == 2:
            values[0, 0] = values.max() + 1  # a start at the first number of the map shows
        cases.append((values.astype(("float64", "float32")[trial // 2 % 2]), size))
    keep = "That keeps {} of each window. Keep the largest number."
    mistakes = [
        (lambda v, n: _tiles(v, n).mean(axis=2), "That is average pooling. Keep the largest number of each window."),
        (lambda v, n: _tiles(v, n).min(axis=2), keep.format("the smallest number")),
        (lambda v, n: _tiles(v, n).sum(axis=2), keep.format("the sum")),
        (lambda v, n: np.median(_tiles(v, n), axis=2), keep.format("the median")),
        (lambda v, n: _tiles(v, n)[..., 0], keep.format("the first number")),
        (lambda v, n: _tiles(v, n)[..., -1], keep.format("the last number")),
        (lambda v, n: _tiles(v, n).argmax(axis=2), "That is the place of the largest number: `max`, not `argmax`."),
        (lambda v, n: np.abs(_tiles(v, n)).max(axis=2), _FARTHEST),
        (
            lambda v, n: np.take_along_axis(_tiles(v, n), np.abs(_tiles(v, n)).argmax(2)[..., None], 2)[..., 0],
            _FARTHEST,
        ),
        (
            lambda v, n: np.maximum(_tiles(v, n).max(axis=2), 0),
            "A window may hold only negative numbers: its maximum is then negative, and yours says 0.",
        ),
        (
            lambda v, n: np.trunc(_tiles(v, n).max(axis=2)),
            "Only whole numbers are left: is your map made with an integer type? `np.zeros(...)` makes floats.",
        ),
        (
            lambda v, n: convolve.pool2d(v, n, stride=1)[: len(v) // n, : v.shape[1] // n],
            "The shape is right, but your windows overlap: they have to begin at row · size and column · size.",
        ),
        (
            lambda v, n: convolve.pool2d(v, n, stride=1),
            "Your window steps by one pixel. In pooling it jumps by its own size.",
        ),
        (_with_remainder, "You keep the incomplete windows at the edge. Drop them: H // size and W // size are left."),
        (lambda v, n: _tiles(v, n).max(axis=2).T, "Rows and columns of the result are exchanged."),
        (
            lambda v, n: _tiles(v[:-1, :-1], n).max(axis=2),
            "Windows that just fit are missing: a range ends too early.",
        ),
        (lambda v, n: convolve.pool2d(v, 2), "Your windows are 2×2 whatever `size` says."),
    ]

    def otherwise(case: tuple[np.ndarray, int], answer: np.ndarray, wanted: np.ndarray) -> str:
        (height, width), size = case[0].shape, case[1]
        about = f"map {height}×{width}, window {size}"
        if answer.shape == wanted.shape:
            return f"The shape is right, the numbers are not ({about}). Each is the largest of one window."
        return f"{about}: the result has the shape {wanted.shape}; yours is {answer.shape}."

    only = [
        (lambda v, n: v.shape[0] != v.shape[1], "Right on square maps, wrong on others: which axis is which?"),
        (lambda v, n: v.max() < 0, "Wrong where all numbers are negative: which number does your maximum start from?"),
        (
            lambda v, n: v.shape[0] % n or v.shape[1] % n,
            "Wrong where a remainder is left: drop incomplete windows.",
        ),
    ]
    compare(answer, cases, lambda v, n: convolve.pool2d(v, n), mistakes, otherwise, only, atol=1e-5)
    return "The same numbers as `convolve.pool2d`, also where eleven cannot be cut into pairs."


_FARTHEST = "You take the number farthest from zero. The maximum knows signs: −3 is less than 0."
_GIVEN = np.array([[9, 1, 2, 6], [5, 4, 0, 3], [7, 2, 8, 1], [0, 6, 4, 5]], dtype=float)


@LESSON.check("twins")
def twins(first: Any, second: Any) -> str:
    """Find another map with the same pooled map and the same average."""
    one, other = (
        array(given, what=f"a 4×4 map for `{name}`") for given, name in ((first, "first"), (second, "second"))
    )
    if one.shape != (4, 4) or other.shape != (4, 4):
        raise Wrong(f"Both maps have to be 4×4; yours are {one.shape} and {other.shape}.")
    if same(one, other, atol=1e-6, rtol=0):
        raise Wrong("The two are the same map. Did you change `second` after copying it (`first.copy()`)?")
    if not same(one, _GIVEN):
        raise Wrong(
            "`first` is not the map that you were given. Did you write into it? `second = first.copy()` makes a copy "
            "to write into; `second = first` does not."
        )
    pooled, twin = convolve.pool2d(one, 2), convolve.pool2d(other, 2)
    if not same(pooled, twin, atol=1e-6, rtol=0):
        row, column = np.argwhere(np.abs(pooled - twin) > 1e-6)[0]
        raise Wrong(
            f"Max pooling tells them apart: window ({row}, {column}) has {pooled[row, column]:g} in the first and "
            f"{twin[row, column]:.6g} in the second. Move numbers only inside a window."
        )
    if abs(one.mean() - other.mean()) > 1e-6:
        raise Wrong(
            f"The pooled maps agree, the averages do not: {one.mean():.7g} and {other.mean():.7g}. Move, not change."
        )
    return "Two different maps, and no layer behind the pooling will ever know which of them it was."


@LESSON.check("receptive-field")
def receptive_field(answer: Any) -> str:
    """Write the receptive field and the jump after a chain of layers."""
    chains = [[(3, 1)], [(3, 1), (3, 1)], [(3, 1), (2, 2), (3, 1), (2, 2)], [(7, 2), (3, 3), (5, 1)], [(4, 3)]]
    for rng in trials(12):
        length = int(rng.integers(1, 7))
        chains.append([tuple(int(v) for v in pair) for pair in rng.integers((1, 1), (8, 5), (length, 2))])
    overlap = "Neighboring fields overlap, so the field grows by addition: do not multiply the windows."
    stretch = "Behind a stride, neighbors lie further apart: each layer adds k − 1 times the jump."
    two = "A window of k adds k − 1 neighbors to what one unit sees, not k."
    early = "You multiply the jump too early: the window walks over the layer below, with its jump."
    product = "The jump is the product of all strides."
    mistakes = [
        (lambda layers: _walk(layers)[::-1], "The right numbers in the wrong order: first the field, then the jump."),
        (lambda layers: (_walk(layers)[0] - 1, _walk(layers)[1]), "Start with a field of 1, the pixel itself."),
        (lambda layers: (_walk(layers)[0] + 1, _walk(layers)[1]), "Start with a field of 1, the pixel itself."),
        (lambda layers: _walk(layers, grows=lambda k, jump: k * jump), two),
        (lambda layers: _walk(layers, early=True), early),
        (
            lambda layers: _walk(layers, jumps=lambda jump, s: s),
            "Each stride multiplies the jump, it does not replace it.",
        ),
        (lambda layers: _walk(layers, jumps=lambda jump, s: jump + s), f"You add up the strides. {product}"),
        (
            lambda layers: _walk(layers[::-1]),
            "That is what the layers would see in backward order: field + (k − 1) · jump goes from the first layer "
            "to the last, (field − 1) · stride + k from the last to the first.",
        ),
    ]
    for field, hint in (
        (lambda layers: 1 + sum(k - 1 for k, _ in layers), stretch),
        (lambda layers: 1 + sum((k - 1) * s for k, s in layers), f"You multiply with a layer's own stride. {stretch}"),
        (lambda layers: sum(k for k, _ in layers), two),
        (lambda layers: math.prod(k for k, _ in layers), overlap),
        (lambda layers: _walk(layers, early=True)[0], early),
        (lambda layers: _walk(layers, jumps=lambda jump, s: s)[0], f"{product} In each layer: `jump *= stride`."),
    ):
        for jump in (lambda layers: 1, lambda layers: layers[-1][1], lambda layers: _walk(layers)[1]):
            mistakes.append((lambda layers, field=field, jump=jump: (field(layers), jump(layers)), hint))

    def otherwise(case: tuple[Any], answer: tuple[float, float], wanted: tuple[int, int]) -> str:
        if answer[0] == wanted[0]:
            return f"The field is right for {case[0]}, the jump is not: it is the product of all strides, {wanted[1]}."
        field, jump = wanted
        return f"It should be field {field} and jump {jump} for {case[0]}; yours says {answer[0]:g} and {answer[1]:g}."

    def read(answer: Any) -> tuple[float, float]:
        pair = array(answer, what="two numbers, the field and the jump: `return field, jump`")
        if pair.shape != (2,):
            raise Wrong("Return two numbers, the field and the jump: `return field, jump`.")
        return tuple(pair.tolist())

    compare(answer, [(chain,) for chain in chains], _walk, mistakes, otherwise, read=read, atol=None)
    return "3, 4, 8, 10 for the network of this course, and the right answer for any other chain."


def _walk(
    layers: list[tuple[int, int]],
    early: bool = False,
    grows: Callable[[int, int], int] = lambda k, jump: (k - 1) * jump,
    jumps: Callable[[int, int], int] = lambda jump, stride: jump * stride,
) -> tuple[int, int]:
    """Field and jump; the arguments make mistakes: the jump multiplied too early, other rules of growing."""
    field, jump = 1, 1
    for kernel, stride in layers:
        after = jumps(jump, stride)
        field += grows(kernel, after if early else jump)
        jump = after
    return field, jump
