"""The weight ledger: what it costs to look at an image whole, through one window, or through a window that slides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from helpers.explorers.base import Explorer
from helpers.explorers.parts import inches, slider
from helpers.filters.geometry import leftover, output_size
from helpers.filters.ledger import accounts, dense_rival
from helpers.plots.style import COLORS, FAINT, INK, figure, frame

FILTERS, PASSED, NEXT = COLORS[0], INK, COLORS[1]
DOTS = 40
"""Dots along a side of the small image at most: more could not be told apart."""


class WeightLedger(Explorer):
    """Four ways of wiring an image to a layer, and their weights as bars and as the arithmetic behind them.

    The last one, a dense layer that passes on as many values as the sliding windows, is what these have to be measured
    by. Its bar is too long for the scale of the others: it leaves the picture, and says how long it would be.

    Args:
        side: side of the square image in pixels.
        values: starting values of the controls, such as ``window=5``.
    """

    alt = (
        "Weight ledger: for a dense layer, one window per unit, a sliding window, and a dense layer that passes on as "
        "many values as the sliding window does, a bar with the weights of the filters and of the next layer, and "
        "below it the arithmetic, with the number of values passed on."
    )

    def __init__(self, side: int = 28, **values: Any) -> None:
        if side < 2:
            raise ValueError(f"The image needs at least 2×2 pixels; side is {side}.")
        self.side = side
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Units, side of the window, stride, and units of the next layer."""
        return {
            "units": slider("units", 1, 64, 20),
            "window": slider("window", 1, self.side, min(10, self.side)),
            "stride": slider("stride", 1, min(10, self.side)),
            "outputs": slider("outputs", 1, 100, 10),
        }

    def build(self) -> Figure:
        """Four rows: a small image with its windows, a bar in two colors, three lines of arithmetic."""
        wide, high, row = 9.4, 5.15, 1.23
        drawn = figure(wide, high, layout=None)
        self._bars, self._totals, self._names, self._sums, self._windows, self._dots = [], [], [], [], [], []
        page = drawn.add_axes((0, 0, 1, 1))
        page.set(xlim=(0, wide), ylim=(high, 0))
        page.set_axis_off()
        self._left, self._full = 1.5, wide - 1.5 - 1.15
        for i in range(4):
            top = 0.08 + i * row
            thumb = inches(drawn, 0.17, high - top - 1.12, 1.08, 1.08)
            thumb.set(xlim=(0, self.side), ylim=(self.side, 0), facecolor="#101418")
            frame(thumb)
            windows = [Rectangle((0, 0), 1, 1, facecolor=FILTERS, alpha=0.55, edgecolor="white", lw=1.4)]
            windows.append(Rectangle((0, 0), 1, 1, fill=False, edgecolor="white", lw=1.4))
            for patch in windows:
                thumb.add_patch(patch)
            self._windows.append(windows)
            self._dots.append(thumb.plot([], [], ".", color="#E69F00", markersize=2.6)[0])
            self._names.append(page.text(self._left, top + 0.13, "", fontsize=13, va="center"))
            pair = [Rectangle((self._left, top + 0.29), 0, 0.36, color=color) for color in (FILTERS, NEXT)]
            for bar in pair:
                page.add_patch(bar)
            self._bars.append(pair)
            self._totals.append(page.text(0, top + 0.47, "", fontsize=13, weight="bold", va="center"))
            self._sums.append(
                [
                    page.text(self._left + x, top + 0.9, "", fontsize=11, color=color, va="center", linespacing=1.35)
                    for x, color in ((0, FILTERS), (2.55, PASSED), (5.1, NEXT))
                ]
            )
        zigzag = (0.0, 0.1, 0.0, 0.1, 0.0)  # a tear across the bar that is too long
        tear = [(x, 0.27 + 0.1 * i) for i, x in enumerate(zigzag)]
        tear += [(x + 0.1, y) for x, y in reversed(tear)]
        corners = [(wide - 0.75 + x, 0.08 + 3 * row + y) for x, y in tear]
        self._tear = page.add_patch(Polygon(corners, facecolor="white"))
        self._note = page.text(self._left, high - 0.09, "", fontsize=11, color=FAINT, va="center")
        return drawn

    def draw(self, units: int, window: int, stride: int, outputs: int) -> None:
        """Set the bars, the windows and the arithmetic."""
        ways = accounts(window, stride, units, outputs, self.side)
        longest = max(book.total for book in ways)
        books = (*ways, dense_rival(ways[2], self.side))
        along = output_size(self.side, window, stride)
        for i, book in enumerate(books):
            self._names[i].set_text(book.name)
            filters, following = self._bars[i]
            filters.set_width(self._full * book.filters / longest)
            following.set_x(self._left + filters.get_width())
            following.set_width(self._full * book.following / longest)
            off = book.total > 1.15 * longest
            self._totals[i].set_text(
                f"{book.total:,}" + f": {book.total / longest:,.0f} times the longest bar above" * off
            )
            self._totals[i].set_x(self._left + (0.12 if off else self._full * book.total / longest + 0.08))
            self._totals[i].set_color("white" if off else INK)
            self._tear.set_visible(off)
            looked = f"{along}·{along}·{units} = {book.values:,}" if i == 2 else f"{book.values:,}, one per unit"
            self._sums[i][0].set_text(f"weights of the filters\n({book.window}+1)·{book.units:,} = {book.filters:,}")
            self._sums[i][1].set_text(f"values passed on\n{looked}")
            self._sums[i][2].set_text(f"weights of the next layer\n({book.values:,}+1)·{outputs} = {book.following:,}")
        self._place(window, stride, along)
        rest = leftover(self.side, window, stride)
        lost = f"The last {rest} rows and columns are never seen." if rest > 1 else "The last row and column are lost."
        self._note.set_text(lost if rest else "")

    def _place(self, window: int, stride: int, along: int) -> None:
        """Put the windows into the small images; a dot stands for each place of the sliding one."""
        middle = (self.side - window) / 2
        step = stride if along > 1 else 0
        whole = ((0, 0, self.side),) * 2
        boxes = (whole, ((middle, middle, window),) * 2, ((0, 0, window), (step, 0, window)), whole)
        for patches, places in zip(self._windows, boxes, strict=True):
            for patch, (x, y, size) in zip(patches, places, strict=True):
                patch.set(x=x, y=y, width=size, height=size)
        skip = -(-along // DOTS)  # in a large image one dot in so many, or drawing them would take half a minute
        starts = [stride * i + 0.5 for i in range(0, along, skip)]
        self._dots[2].set_data([x for x in starts for _ in starts], [y for _ in starts for y in starts])
        self._dots[2].set_markersize(max(1.2, min(4.0, 28 / len(starts))))
