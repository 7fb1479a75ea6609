"""Questions and checks of the lesson "Stride, padding and pooling"."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers.exercises.core import Lesson, Option, Wrong, call
from helpers.filters import convolve

LESSON = Lesson("stride_and_pooling")

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
    "signed-max",
    "The map is −3 along the left edge of the square, +3 along the right edge and 0 elsewhere. You apply max pooling "
    "2×2. Each pooling window on an edge also holds a column of zeros. What is left?",
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
    "quarters",
    "Swap the four quarters of a feature map crosswise. Which of these cannot tell the difference?",
    Option("The map pooled 4×4", "Its cells have places too, only larger ones: the quarters of the pooled map are "
           "swapped as well."),
    Option("The global average", "The same numbers in another order have the same mean. Place is all that changed, and "
           "place is what it forgets.", right=True),
    Option("Both", "The pooled map still has 6×6 places, and what was above left is now below right."),
    Option("Neither", "Adding up does not depend on the order, so one of the two is blind to this."),
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


def _sizes() -> list[tuple[int, int, int, int, int]]:
    """Random windows of which at least one fits; the fixed ones first tell the usual mistakes apart."""
    chance = np.random.default_rng()
    fixed = [(28, 3, 1, 0, 1), (28, 7, 2, 0, 1), (28, 5, 1, 2, 1), (28, 3, 1, 0, 3)]
    low, high = [20, 1, 1, 0, 1], [60, 6, 6, 5, 4]
    return fixed + [tuple(int(v) for v in chance.integers(low, high)) for _ in range(60)]


@LESSON.check("output-size")
def _(output_size: Any) -> str:
    halves = False
    for n, k, s, p, d in _sizes():
        answer = call(output_size, n, k, s, p, d)
        wanted = convolve.output_size(n, k, s, p, d)
        exact = (n + 2 * p - d * (k - 1) - 1) / s + 1
        about = f"n={n}, k={k}, s={s}, p={p}, d={d}"
        if np.ndim(answer) or isinstance(answer, str):
            raise Wrong("The size along one side is one number.")
        if answer == wanted:
            halves |= isinstance(answer, float)
            continue
        if answer == wanted - 1:
            raise Wrong(
                f"One too few for {about}: the place where the window starts counts too, so add 1 to the steps."
            )
        if answer == exact or (answer == math.ceil(exact) and wanted != exact):
            raise Wrong(
                f"For {about} the last window would run over the edge: half a step is no step, round down (`//`)."
            )
        if p and answer == convolve.output_size(n + p, k, s, 0, d):
            raise Wrong("There is padding on both sides: it counts twice.")
        if p and answer == convolve.output_size(n, k, s, 0, d):
            raise Wrong("The padding is missing: it makes the row longer, by p on each side.")
        if d > 1 and answer == convolve.output_size(n, k, s, p, 1):
            raise Wrong("The dilation is missing: samples that lie d apart make the window span d·(k−1)+1 pixels.")
        if d > 1 and answer == (n + 2 * p - d * k) // s + 1:
            raise Wrong("A window of k samples has k − 1 gaps between them: it spans d·(k−1)+1 pixels, not d·k.")
        raise Wrong(f"For {about} it should be {wanted}, yours says {answer}.")
    if halves:
        raise Wrong("The numbers are right, but to Python 8.0 is not a whole number: divide with `//` instead of `/`.")
    return "Your formula agrees with counting, on 64 windows: you can now read the shape of any convolutional network."


@LESSON.check("same-padding")
def _(same_padding: Any) -> str:
    for k in (3, 1, 5, 7, 9):
        for d in (1, 2, 3):
            answer, wanted = call(same_padding, k, d), d * (k - 1) // 2
            if np.ndim(answer) or isinstance(answer, str):
                raise Wrong("The padding on each side is one number.")
            if answer == wanted:
                continue
            if answer == 2 * wanted:
                raise Wrong(
                    f"{answer} is what both sides need together for k={k}, d={d}. Half of it goes on each side."
                )
            if d > 1 and answer == (k - 1) // 2:
                raise Wrong(f"Right without dilation. With d={d} the window spans {d * (k - 1) + 1} pixels.")
            if answer == (d * k) // 2:
                raise Wrong(f"For k={k}, d={d} that is one pixel too much: what hangs over is d·(k−1), not d·k.")
            size = 28 + 2 * answer - d * (k - 1)
            raise Wrong(f"With k={k}, d={d} and your padding of {answer}, 28 pixels become {size:g}.")
    return "For a 3×3 window it is 1: the padding you meet in nearly every modern network."


@LESSON.check("max-pool")
def _(max_pool: Any) -> str:
    chance = np.random.default_rng()
    for (height, width), size in (((6, 8), 2), ((9, 6), 3), ((11, 11), 2), ((7, 10), 4)):
        values = chance.normal(size=(height, width)) - 1.0  # mostly negative: a start at 0 shows
        answer = np.asarray(call(max_pool, values.copy(), size))
        wanted = convolve.pool2d(values, size)
        about = f"a {height}×{width} map, window {size}"
        if answer.shape == wanted.shape:
            if np.allclose(answer, wanted):
                continue
            if np.allclose(answer, convolve.pool2d(values, size, kind="average")):
                raise Wrong("That is average pooling. Keep the largest number of each window.")
            if np.allclose(answer, convolve.pool2d(np.abs(values), size)):
                raise Wrong("You take the number farthest from zero. The maximum knows signs: −3 is less than 0.")
            if np.allclose(answer, np.maximum(wanted, 0)):
                raise Wrong("A window may hold only negative numbers: its maximum is then negative, and yours says 0.")
            if np.allclose(answer, convolve.pool2d(values, size, stride=1)[: len(wanted), : wanted.shape[1]]):
                raise Wrong("The shape is right, but your windows overlap: they have to begin at row · size.")
            raise Wrong(f"The shape is right, the numbers are not ({about}). Does each window begin at row · size?")
        if answer.shape == (height - size + 1, width - size + 1):
            raise Wrong(f"Your window steps by one pixel. In pooling it jumps by its own size ({about}).")
        if answer.shape == (-(-height // size), -(-width // size)):
            raise Wrong(f"You keep the incomplete windows at the edge. Drop them: {about} gives {wanted.shape}.")
        if answer.shape == wanted.T.shape:
            raise Wrong(f"Rows and columns are exchanged: {about} gives {wanted.shape}.")
        raise Wrong(f"The result for {about} has shape {wanted.shape}; yours is {answer.shape}.")
    return "The same numbers as `convolve.pool2d`, also where eleven cannot be cut into pairs."


@LESSON.check("twins")
def _(first: Any, second: Any) -> str:
    try:
        one, other = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    except (TypeError, ValueError):
        raise Wrong("A 4×4 array of numbers is needed.") from None
    if one.shape != (4, 4) or other.shape != (4, 4):
        raise Wrong(f"Both maps have to be 4×4; yours are {one.shape} and {other.shape}.")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise Wrong("Only finite numbers, please.")
    if np.array_equal(one, other):
        raise Wrong("The two are the same map. Did you change `second` after copying it (`first.copy()`)?")
    pooled, twin = convolve.pool2d(one, 2), convolve.pool2d(other, 2)
    if not np.array_equal(pooled, twin):
        row, column = np.argwhere(pooled != twin)[0]
        raise Wrong(
            f"Max pooling tells them apart: window ({row}, {column}) has {pooled[row, column]:g} in the first and "
            f"{twin[row, column]:g} in the second. Move numbers only inside a window."
        )
    if not np.isclose(one.mean(), other.mean()):
        raise Wrong(
            f"The pooled maps agree, the averages do not: {one.mean():g} and {other.mean():g}. Move, not change."
        )
    return "Two different maps, and no layer behind the pooling will ever know which of them it was."


@LESSON.check("receptive-field")
def _(receptive_field: Any) -> str:
    chance = np.random.default_rng()
    chains = [[(3, 1)], [(3, 1), (3, 1)], [(3, 1), (2, 2), (3, 1), (2, 2)]]
    chains += [[tuple(int(v) for v in chance.integers([1, 1], [6, 4])) for _ in range(5)] for _ in range(10)]
    for layers in chains:
        answer = call(receptive_field, list(layers))
        if np.shape(answer) != (2,):
            raise Wrong("Return two numbers, the field and the jump: `return field, jump`.")
        field, jump = answer
        last = convolve.receptive_field([(*layer, 0) for layer in layers])[-1]
        if (field, jump) == (last.size, last.jump):
            continue
        if (field, jump) == (last.jump, last.size):
            raise Wrong("The right numbers in the wrong order: first the field, then the jump.")
        about = f"for {layers}"
        if field == last.size:
            raise Wrong(f"The field is right {about}, the jump is not: it is the product of all strides, {last.jump}.")
        if field == 1 + sum(k - 1 for k, _ in layers):
            raise Wrong(
                f"You add k − 1 pixels in each layer {about}. Behind a stride, neighbors lie further apart: times jump."
            )
        if field == math.prod(k for k, _ in layers):
            raise Wrong(
                f"You multiply the windows {about}. Neighboring fields overlap, so the field grows by addition."
            )
        if field == sum(k for k, _ in layers):
            raise Wrong(f"A window of 3 adds two neighbors to what one unit sees, not three {about}.")
        if field == _walk(layers, early=True):
            raise Wrong(
                f"You multiply the jump too early {about}: the window walks over the layer below, with its jump."
            )
        if field == _walk(layers, replace=True):
            raise Wrong(f"The jump is multiplied by each stride, not replaced by it {about}: it ends at {last.jump}.")
        raise Wrong(f"It should be field {last.size} and jump {last.jump} {about}; yours says {field} and {jump}.")
    return "3, 4, 8, 10 for the network of this course, and the right answer for any other chain."


def _walk(layers: list[tuple[int, int]], early: bool = False, replace: bool = False) -> int:
    """The field that comes out of two usual mistakes: the jump multiplied too early, or replaced by the stride."""
    field, jump = 1, 1
    for kernel, stride in layers:
        after = stride if replace else jump * stride
        field += (kernel - 1) * (after if early else jump)
        jump = after
    return field
