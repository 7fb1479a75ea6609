"""The pooling explorer: move the image, and see how much the map, the pooled map and the global pool notice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from helpers import data
from helpers.explorers.base import Explorer
from helpers.explorers.parts import inches, menu, panel, slider
from helpers.filters import convolve, kernels
from helpers.filters.shifts import change
from helpers.plots.style import COLORS, FAINT, INK, SIGNED, Kind, colormap, figure, legible, limit

REACH = 8  # pixels by which the image can be moved
MARGIN = 10  # of the black canvas on which it lies, so that no response is lost on the way
SHIFTS = np.arange(-REACH, REACH + 1)
ACTIVATIONS = {"none": lambda x: x, "ReLU": lambda x: np.maximum(x, 0), "tanh": np.tanh}
NAMES = ("map", "pooled map", "global pool")


class PoolingExplorer(Explorer):
    """Filter, activation, pooling and a shift; map, pooled map and global pool, and how much of each has changed.

    The image lies on a black canvas with a margin of ten pixels, so that nothing is lost when it is moved.

    Args:
        images: name → image (H, W) in [0, 1]; digits, a square and a thin line if not given.
        values: starting values of the controls, such as ``activation="tanh", size=4, right=1``.
    """

    alt = (
        "Pooling explorer: an image that can be moved, its feature map after the activation, the pooled map, the "
        "global pool as one number, and curves of how much each of the three changes with the shift."
    )

    def __init__(self, images: Mapping[str, np.ndarray] | None = None, **values: Any) -> None:
        if images is None:
            digits = data.load("mnist", first=8).train.images[:, 0]
            square = np.zeros((28, 28), np.float32)
            square[8:20, 8:20] = 1
            line = np.zeros((28, 28), np.float32)
            line[4:24, 14] = 1
            images = {"digit: 3": digits[7], "digit: 0": digits[1], "square": square, "thin line": line}
        self.images = {name: np.asarray(image, dtype=np.float32) for name, image in images.items()}
        for name, array in self.images.items():
            if array.ndim != 2 or min(array.shape) < 3:
                raise ValueError(f"{name!r} has shape {array.shape}: give one gray image (H, W) of 3×3 pixels or more.")
        self._seen: tuple[Any, ...] | None = None
        super().__init__(**{"right": 2} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, kernel, activation; kind and size of the pooling; the shift to the right and down."""
        names = [name for name in kernels.NAMES if "blur" not in name]
        return {
            "image": menu("image", self.images),
            "kernel": menu("kernel", names, "vertical edges"),
            "activation": menu("activation", ACTIVATIONS, "ReLU"),
            "pooling": menu("pooling", ["max", "average"]),
            "size": slider("pool size", 1, 8, 4),
            "right": slider("shift right", -REACH, REACH, 0),
            "down": slider("shift down", -REACH, REACH, 0),
        }

    def build(self) -> Figure:
        """Image, map, pooled map and a cell for the global pool above the curves of their changes."""
        drawn = figure(10.2, 4.9, layout=None)
        panels = [inches(drawn, x, 2.0, 2.6, 2.6) for x in (0.1, 2.95, 5.8)] + [inches(drawn, 8.75, 2.85, 0.9, 0.9)]
        self._pictures, self._titles = zip(*(panel(axes, size=11, pad=4) for axes in panels), strict=True)
        self._pool = panels[3].text(0, 0, "", ha="center", va="center", fontsize=14)
        self._note = panels[3].text(0.5, -0.12, "", ha="center", va="top", fontsize=11, color=FAINT)
        self._note.set_transform(panels[3].transAxes)
        edge = {"fill": False, "edgecolor": "#ffd400", "linewidth": 1.6}
        self._home = panels[0].add_patch(Rectangle((0, 0), 1, 1, linestyle=(0, (3, 3)), **edge))
        chart = inches(drawn, 0.98, 0.55, 6.64, 1.12)
        chart.set(xlim=(-REACH, REACH), ylim=(-0.03, 1.03), xlabel="shift to the right (pixels)", ylabel="change")
        chart.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
        chart.set_xticks(range(-REACH, REACH + 1, 2))
        chart.grid(axis="y", alpha=0.25)
        self._lines: list[Line2D] = []
        self._dots: list[Line2D] = []
        self._shares = []
        for i, (name, color) in enumerate(zip(NAMES, COLORS, strict=False)):
            self._lines += chart.plot(SHIFTS, 0 * SHIFTS, color=color)
            self._dots += chart.plot([0], [0], "o", color=color, markeredgecolor=INK, markersize=8, zorder=4)
            y = 0.92 - 0.36 * i
            chart.text(1.04, y, name, transform=chart.transAxes, color=color, weight="bold", va="center")
            place = {"transform": chart.transAxes, "ha": "right", "va": "center", "color": color, "weight": "bold"}
            self._shares.append(chart.text(1.36, y, "", **place))
        self._marker = chart.axvline(0, color=FAINT, linewidth=1, linestyle="--")
        return drawn

    # -- what is computed ---------------------------------------------------------------------------------------------

    def _looks(self, right: int, down: int) -> tuple[np.ndarray, ...]:
        """The moved image, its map, the pooled map, and the global pool (1, 1)."""
        name, kernel, size, activation, pooling = self._choice
        moved = np.roll(np.pad(self.images[name], MARGIN), (down, right), axis=(0, 1))  # only black runs over the edge
        answer = ACTIVATIONS[activation](convolve.correlate2d(moved, kernels.get(kernel), padding=1))
        pooled = convolve.pool2d(answer, size, kind=pooling)
        whole = answer.max() if pooling == "max" else convolve.global_average(answer)
        return moved, answer, pooled, np.full((1, 1), whole)

    @property
    def changes(self) -> dict[str, float]:
        """How much the map, the pooled map and the global pool differ now from those of the image in its place."""
        right, down = self.values["right"], self.values["down"]
        pairs = zip(self._looks(0, 0)[1:], self._looks(right, down)[1:], strict=True)
        return {name: change(*pair) for name, pair in zip(NAMES, pairs, strict=True)}

    def draw(self, image: str, kernel: str, size: int, activation: str, pooling: str, right: int, down: int) -> None:
        """Move, filter, pool; put the pictures into the kept panels and the shift on the curves."""
        self._choice = (image, kernel, size, activation, pooling)
        if self._seen != (*self._choice, down):
            self._seen = (*self._choice, down)
            home = self._looks(0, 0)
            every = [self._looks(int(shift), down) for shift in SHIFTS]
            self._curves = np.array([[change(a, b) for a, b in zip(home[1:], one[1:], strict=True)] for one in every])
            self._top = limit(home[1:3])
            for line, curve in zip(self._lines, self._curves.T, strict=True):
                line.set_ydata(curve)
        looks = self._looks(right, down)
        kind: Kind = "activation" if activation == "ReLU" else "response"
        palettes: list[Kind] = ["image", kind, kind, kind]
        after = "" if activation == "none" else f", {activation}"
        names = ["image", f"map{after}", f"{pooling} pooling {size}×{size}", f"global {pooling}"]
        for picture, title, pixels, palette, name in zip(
            self._pictures, self._titles, looks, palettes, names, strict=True
        ):
            height, width = pixels.shape
            picture.set_data(pixels)
            picture.set_cmap(colormap(palette))
            top = 1.0 if palette == "image" else self._top
            picture.set_clim(-top if palette in SIGNED else 0, top)
            title.set_text(f"{name}  {height}×{width}" if height > 1 else name)
        height, width = self.images[image].shape
        self._home.set_bounds(MARGIN - 0.5, MARGIN - 0.5, width, height)
        value = float(looks[3][0, 0])
        self._pool.set(text=f"{value + 0.0:.2g}".replace("-", "−"), color=legible(self._pictures[3].to_rgba(value)))
        count, kept = looks[1].size, looks[2].size
        self._note.set_text(f"{count:,} numbers\n→ {kept:,} → 1")
        self._marker.set_xdata([right, right])
        for dot, share, now in zip(self._dots, self._shares, self._curves[right + REACH], strict=True):
            dot.set_data([right], [now])
            share.set_text(f"{now:.0%}")
