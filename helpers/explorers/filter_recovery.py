"""Recover a filter from what it does: gradient descent on images and responses alone, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from traitlets import link

from helpers import data
from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, panel, shape
from helpers.filters import convolve, kernels
from helpers.filters.recovery import STEPS, recover
from helpers.plots.style import COLORS, FAINT, Kind, as_array, figure, limit

RATES = (0.05, 0.2, 0.5, 1.0, 1.35, 1.5)
FLOOR = 1e-12
PRESETS = tuple(name for name in kernels.NAMES if name != "identity")


def lessons_material() -> dict[str, np.ndarray]:
    """What there is to learn from: digits, a single one, an image of vertical lines, a blank one."""
    digits = data.load("mnist", first=10).train.images[:, 0]
    lines = np.zeros((1, 28, 28), dtype=np.float32)
    lines[:, :, 4::9] = 1.0
    return {"ten digits": digits, "one digit": digits[:1], "vertical lines": lines, "blank": np.zeros_like(lines)}


class FilterRecovery(Explorer):
    """A target filter, what gradient descent has learned of it at a step, both their maps, and the loss so far.

    Args:
        images: name → images (N, H, W) to learn from; digits, lines and a blank image if not given.
        values: starting values of the controls, such as ``target="laplacian", step=30``.
    """

    alt = (
        "Recovering a filter: the target filter, the filter learned at this step and their difference in numbers; "
        "below them an image and the maps of both; beside them the loss falling over the steps of gradient descent."
    )

    def __init__(self, images: Mapping[str, Any] | None = None, **values: Any) -> None:
        chosen = lessons_material() if images is None else images
        self.images = {name: as_array(stack) for name, stack in chosen.items()}
        if not self.images or any(stack.ndim != 3 for stack in self.images.values()):
            raise ValueError("Give stacks of gray images by name, each of shape (N, H, W).")
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Play, the step, the filter to recover, the images, learning rate, and noise on the responses."""
        last = len(STEPS) - 1
        step = widgets.SelectionSlider(options=STEPS, value=STEPS[-1], description="steps", **shape("420px"))
        self._play = widgets.Play(min=0, max=last, value=last, interval=250)
        link((self._play, "value"), (step, "index"))
        self._play.observe(self._from_the_start, names="playing")
        noise = [("none", 0.0), ("a little", 0.1), ("much", 0.5)]
        return {
            "play": self._play,
            "step": step,
            "target": menu("target", PRESETS),
            "images": menu("learn from", self.images),
            "rate": menu("learning rate", RATES, 1.0, width="200px"),
            "noise": menu("noise", noise, width="200px"),
        }

    def build(self) -> Figure:
        """Three filters above three maps, and the loss at their right."""
        drawn = figure(9.5, 4.3, layout=None)
        places = [(0.01 + 0.192 * (i % 3), 0.515 if i < 3 else 0.02, 0.18, 0.4) for i in range(6)]
        kinds: tuple[Kind, ...] = ("weights",) * 3 + ("image",) + ("response",) * 2
        made = [panel(drawn.add_axes(place), kind) for place, kind in zip(places, kinds, strict=True)]
        self._grids, self._titles = zip(*made, strict=True)
        self._texts = [_cells(grid.axes) for grid in self._grids[:3]]
        self._loss = drawn.add_axes((0.685, 0.15, 0.3, 0.74))
        self._loss.set(xscale="symlog", yscale="log", xlabel="step", xlim=(-0.2, 1.3 * STEPS[-1]))
        self._loss.set_title("mean squared error", fontsize=12)
        self._loss.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
        self._loss.minorticks_off()
        (self._curve,) = self._loss.plot([], [], color=COLORS[0])
        (self._ahead,) = self._loss.plot([], [], color=FAINT, linewidth=1.2, alpha=0.6)
        (self._dot,) = self._loss.plot([], [], "o", color=COLORS[1], markersize=9)
        self._known: Any = None
        return drawn

    def draw(self, step: int, target: str, images: str, rate: float, noise: float, **_: Any) -> None:
        """Show the recorded filter of this step; a new descent is computed when anything but the step changed."""
        if self._known != (target, images, rate, noise):
            self.filters, self.losses = recover(self.images[images], kernels.get(target), rate, noise)
            self._known = (target, images, rate, noise)
            self._shown = np.clip(self.losses, FLOOR, 1e12)
            low, high = self._shown.min(), self._shown.max()
            self._loss.set_ylim(max(low, FLOOR) / 3, max(high, 10 * low) * 3)
        now = STEPS.index(step)
        wanted, learned = kernels.get(target), self.filters[now]
        top = limit([wanted])
        for i, grid in enumerate((wanted, learned, learned - wanted)):
            self._grids[i].set_data(grid / top)
            for text, number in zip(self._texts[i], grid.ravel(), strict=True):
                text.set_text(_written(number))
                text.set_color("white" if abs(number / top) > 0.62 else "black")
        image = self.images[images][0].astype(float)
        maps = [convolve.correlate2d(image, k.astype(float)) for k in (wanted, np.nan_to_num(learned))]
        scale = limit(maps[:1])
        self._grids[3].set_data(image)
        for artist, response in zip(self._grids[4:], maps, strict=True):
            artist.set_data(np.clip(response / scale, -1, 1))
        names = [
            "target",
            f"learned, {step:,} {'step' if step == 1 else 'steps'}",
            "difference",
            "an image",
            "responses, target",
            "responses, learned",
        ]
        for title, name in zip(self._titles, names, strict=True):
            title.set_text(name)
        self._draw_loss(now)

    def _draw_loss(self, now: int) -> None:
        shown = self._shown
        self._curve.set_data(STEPS[: now + 1], shown[: now + 1])
        self._ahead.set_data(STEPS[now:], shown[now:])
        self._dot.set_data([STEPS[now]], [shown[now]])

    def _from_the_start(self, change: Any) -> None:
        if change["new"] and self._play.value == self._play.max:
            self._play.value = 0

    def _changed(self, change: Any) -> None:
        if change["owner"] is not self._play:  # it moves the step, and that one draws
            super()._changed(change)


def _cells(axes: Axes) -> list[Any]:
    """Nine empty texts, one in the middle of each cell."""
    size = 3
    places = [((x + 0.5) / size, 1 - (y + 0.5) / size) for y in range(size) for x in range(size)]
    return [axes.text(x, y, "", transform=axes.transAxes, ha="center", va="center", fontsize=11) for x, y in places]


def _written(number: float) -> str:
    if not np.isfinite(number) or abs(number) >= 1000:
        return "∞"
    text = f"{number:.0f}" if abs(number) >= 10 else f"{number:.2f}"
    return (text.removeprefix("-") if float(text) == 0 else text).replace("-", "−")
