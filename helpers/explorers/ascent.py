"""The ascent explorer: watch ten pictures climb, one per class, under different rules of the climb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import menu, panel, slider
from helpers.inside.maximize import Ascent
from helpers.plots.style import COLORS, FAINT, INK, as_array, figure


class AscentExplorer(Explorer):
    """Ten images on their way up, step by step, beside the score of one of them.

    Args:
        climbs: name of the rule → what :func:`helpers.inside.maximize.class_images` found with ``frames`` kept.
        classes: names of the classes, one per image.
        values: starting values of the controls.
    """

    alt = (
        "Ascent explorer: a rule, a step and a class to choose; ten pictures, one per class, at that step of the "
        "climb, and the curve of the chosen class's logit with a dot at the step."
    )

    _limits: tuple[tuple[float, float], tuple[float, float]] | None = None

    def __init__(self, climbs: Mapping[str, Ascent], classes: tuple[str, ...], **values: Any) -> None:
        if not climbs or any(climb.frames.numel() == 0 for climb in climbs.values()):
            raise ValueError("Every climb has to have kept frames: pass frames=40 to maximize.class_images.")
        self.climbs, self.classes = dict(climbs), classes
        self._last = min(len(climb.steps) for climb in climbs.values()) - 1
        super().__init__(**{"rule": list(climbs)[-1], "frame": self._last} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Rule, step (with play and pause) and class."""
        self._play = widgets.Play(max=self._last, interval=120, show_repeat=False)
        frame = slider("frame", 0, self._last)
        widgets.jslink((self._play, "value"), (frame, "value"))
        return {
            "rule": menu("rule", self.climbs),
            "frame": frame,
            "shown": menu("curve of", [(name, i) for i, name in enumerate(self.classes)]),
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """Play button beside the slider it moves."""
        return self.page(flow(controls["rule"], self._play, controls["frame"], controls["shown"]))

    def build(self) -> Figure:
        """Ten panels at the left, the curve at the right."""
        drawn = figure(9.6, 3.1, layout=None)
        count = len(self.classes)
        columns = (count + 1) // 2
        places = [(0.005 + i % columns * 0.66 / columns, 0.5 - 0.495 * (i // columns)) for i in range(count)]
        self._panels = [panel(drawn.add_axes((*place, 0.63 / columns, 0.41)), size=10, pad=3) for place in places]
        self._curve_axes = drawn.add_axes((0.735, 0.18, 0.245, 0.7))
        # What moves lies above the numbers at the axes, so that these are not drawn again.
        (self._curve,) = self._curve_axes.plot([], [], color=COLORS[0], zorder=3)
        (self._dot,) = self._curve_axes.plot([], [], "o", color=COLORS[1], markersize=9, zorder=3)
        self._curve_axes.set(xlabel="step")
        self._curve_axes.grid(axis="y", alpha=0.25)
        self._name = self._curve_axes.set_title("", fontsize=11, zorder=3)
        return drawn

    def draw(self, rule: str, frame: int, shown: int) -> None:
        """Put the images of that step into their panels, stretched to the range that the climb reached."""
        climb = self.climbs[rule]
        images, step = as_array(climb.frames[frame])[:, 0], climb.steps[frame]
        low, high = min(float(images.min()), 0.0), max(float(images.max()), 1.0)
        history = as_array(climb.history)
        for i, (artist, title) in enumerate(self._panels):
            artist.set_data((images[i] - low) / (high - low))
            title.set_text(f"{self.classes[i]}: {history[step, i]:,.0f}")
            title.set_color(COLORS[0] if i == shown else (INK if low > -0.5 else FAINT))
        scores = history[:, shown]
        self._curve.set_data(np.arange(len(scores)), scores)
        self._dot.set_data([step], [scores[step]])
        self._name.set_text(f"logit of {self.classes[shown]}: {scores[step]:,.1f}")
        margin = 0.06 * (scores.max() - scores.min() + 1e-6)
        limits = (0, len(scores) - 1), (scores.min() - margin, scores.max() + margin)
        if limits != self._limits:  # another curve; setting limits draws the axes and their numbers again
            self._limits = limits
            self._curve_axes.set(xlim=limits[0], ylim=limits[1])
