"""Momentum: a ball that rolls over a hump, a path through a valley, and how long an old step still counts."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import shape, slider
from helpers.network.descent import descend, hump, hump_gradient, valley, valley_gradient
from helpers.plots.style import BAD, COLORS, FAINT, INK, figure

STEPS = 120


class MomentumExplorer(Explorer):
    """Choose β and the learning rate, then drag the number of steps: the ball rolls, the path grows.

    Left, a slope with a hump before its lowest point. Middle, a long valley seen from above: steep across, flat along.
    Right, the weights β⁰, β¹, β², … with which the latest step and those before it count.

    Args:
        values: starting values of the controls, such as ``beta=0.0``.
    """

    alt = (
        "Momentum tool with β, learning rate and number of steps: a ball on a slope with a hump, its path through a "
        "narrow valley seen from above, and bars for the weight with which each past step still counts."
    )
    #: Where the ball starts on the slope, and the path in the valley.
    start, far = 0.0, (-4.0, 0.75)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Momentum β, learning rate, and the number of steps taken."""
        rates = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.12, 0.13, 0.15, 0.2]
        return {
            "beta": slider("momentum β", 0.0, 0.99, 0.9, step=0.01),
            "lr": widgets.SelectionSlider(options=rates, value=0.1, description="learning rate", **shape()),
            "steps": slider("steps", 0, STEPS, 40),
        }

    def build(self) -> Figure:
        """The slope and the valley, drawn once; ball, paths and bars are changed."""
        drawn = figure(9.6, 3.7)
        slope, above, past = drawn.subplots(1, 3, width_ratios=[1.45, 1.25, 0.7])
        x = np.linspace(-1.2, 7.6, 400)
        slope.plot(x, hump(x), color=FAINT, linewidth=2)
        self._trail = slope.plot([], [], ".", color=COLORS[0], markersize=5, alpha=0.55)[0]
        self._ball = slope.plot([], [], "o", color=COLORS[1], markersize=13)[0]
        slope.set(xlabel="weight", ylabel="loss", xlim=(-1.2, 7.6), ylim=(-0.06, 1.05), yticks=[])
        columns, rows = np.meshgrid(np.linspace(-4.6, 3.6, 120), np.linspace(-1.35, 1.35, 90))
        levels = np.array([0.02, 0.1, 0.3, 0.8, 1.6, 2.8, 4.5, 7, 10, 14])
        above.contour(columns, rows, valley(np.stack([columns, rows], -1)), levels, colors=FAINT, linewidths=0.8)
        above.plot(0, 0, "+", color=INK, markersize=11, markeredgewidth=2)
        self._path = above.plot([], [], ".-", color=COLORS[0], linewidth=1.4, markersize=4)[0]
        self._end = above.plot([], [], "o", color=COLORS[1], markersize=9)[0]
        above.set(xlabel="weight 1", ylabel="weight 2", xlim=(-4.6, 3.6), ylim=(-1.35, 1.35))
        self._bars = past.bar(range(20), np.zeros(20), color=COLORS[2], width=0.8)
        past.set(xlabel="steps ago", ylabel="how much each counts", ylim=(0, 1.05), xticks=[0, 5, 10, 15])
        self._titles = [axes.set_title("", fontsize=12) for axes in (slope, above, past)]
        return drawn

    def draw(self, beta: float, lr: float, steps: int) -> None:
        """Move the ball and the two paths to the chosen step; set the bars to the powers of β."""
        roll = descend(hump_gradient, self.start, lr, beta, steps)
        path = descend(valley_gradient, self.far, lr, beta, steps)
        self._trail.set_data(roll, hump(roll))
        self._ball.set_data(roll[-1:], hump(roll[-1:]))
        self._path.set_data(*np.clip(path, -1e3, 1e3).T)
        self._end.set_data(*np.clip(path[-1:], -1e3, 1e3).T)
        where = "before the hump" if roll[-1] < 2 else "past the hump"
        self._titles[0].set_text(f"after {steps} steps: {where}")
        away = float(np.hypot(*path[-1]))
        lost = not away < 50
        self._titles[1].set_text("it flew away: lr too large" if lost else f"distance to the cross: {away:.2g}")
        self._titles[1].set_color(BAD if lost else INK)
        weights = beta ** np.arange(len(self._bars))
        for bar, weight in zip(self._bars, weights, strict=True):
            bar.set_height(weight)
        self._titles[2].set_text(f"as long as {1 / (1 - beta):.3g} step{'s' * (beta > 0)}")
