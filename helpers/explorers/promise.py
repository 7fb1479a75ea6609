"""The promise explorer: what the gradient says that a pixel will do to a score, and what the pixel does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from helpers.explorers.parts import ImageExplorer, color_bar, panel, shade, slider
from helpers.inside.attribution import pixel_curve, saliency
from helpers.plots.pixels import pixels
from helpers.plots.style import COLORS, FAINT, as_array, figure, limit

VALUES = torch.linspace(0, 1, 41)


class PromiseExplorer(ImageExplorer):
    """One pixel of an image gets another value: the logit bends, and the gradient at the old value is a straight line.

    Left, the image with the pixel framed. Middle, the gradient of the class. Right, how far the logit moves when the
    pixel takes each value from black to white, and how far the gradient says.
    """

    alt = (
        "Promise explorer: an image with one framed pixel whose value a slider sets, the signed gradient of a class "
        "with the same frame, and a chart of what the pixel does to the logit beside the line that the gradient "
        "promises."
    )

    _found: tuple[Hashable, Tensor, Tensor] | None = None

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, class, the place of the pixel, and the value that it gets."""
        height, width = self.images.shape[-2:]
        return {
            "image": self.image_slider(),
            "target": self.class_menu(),
            "row": slider("row", 0, height - 1, height // 2),
            "column": slider("column", 0, width - 1, width // 2),
            "value": slider("value", 0.0, 1.0, 1.0, step=0.025),
        }

    def build(self) -> Figure:
        """Image, map and chart side by side."""
        drawn = figure(9.6, 3.2, layout=None)
        places = [drawn.add_axes((left, 0.05, 0.255, 0.765)) for left in (0.005, 0.275)]
        made = [panel(axes, kind) for axes, kind in zip(places, ("image", "response"), strict=True)]
        (self._shown, self._map), self._titles = zip(*made, strict=True)
        self._outline = pixels(places[1])
        self._frames = []
        for axes in places:
            for color, width in (("black", 3.4), ("#ffd400", 1.8)):
                frame = Rectangle((0, 0), 1, 1, fill=False, edgecolor=color, linewidth=width)
                self._frames.append(axes.add_patch(frame))
        color_bar(drawn, self._map, (0.54, 0.13, 0.012, 0.6))
        chart = drawn.add_axes((0.665, 0.165, 0.33, 0.65))
        chart.axhline(0, color=FAINT, linewidth=0.8)
        # What moves lies above axes and legend, so that these are not drawn again.
        self._truth = chart.plot([], [], color=COLORS[0], label="what happens", zorder=3)[0]
        self._line = chart.plot([], [], color=COLORS[1], linestyle="--", label="the promise", zorder=3)[0]
        self._dot = chart.plot([], [], "o", color=COLORS[0], markersize=9, zorder=3)[0]
        self._end = chart.plot([], [], "o", color=COLORS[1], markersize=9, zorder=3)[0]
        chart.set(xlim=(-0.04, 1.04), ylim=(-2.8, 2.0), xlabel="value of the pixel", ylabel="change of the logit")
        chart.legend(loc="lower left", fontsize=11).set_zorder(2.6)
        self._titles = (*self._titles, chart.set_title("", fontsize=12, zorder=3))
        return drawn

    def draw(self, image: int, target: int, row: int, column: int, value: float) -> None:
        """Compute gradient and curve once for each image, class and pixel; the value only moves the dots."""
        original, truth = self.images[image], int(self.labels[image])
        chosen = truth if target < 0 else target
        slope_map, change = self._computed(image, chosen, row, column)
        old, slope = float(original[0, row, column]), float(slope_map[row, column])
        changed = as_array(original).mean(axis=0).copy()
        changed[row, column] = value
        self._shown.set_data(changed)
        top = limit([as_array(slope_map)], 99)
        self._map.set_data(as_array(slope_map) / top)
        self._outline.set_data(shade(as_array(original).mean(axis=0) > 0.5))
        for frame in self._frames:
            frame.set_xy((column - 0.5, row - 0.5))
        values = as_array(VALUES)
        now = float(np.interp(value, values, as_array(change)))
        self._truth.set_data(values, as_array(change))
        self._line.set_data([0, 1], [-slope * old, slope * (1 - old)])
        self._dot.set_data([value], [now])
        self._end.set_data([value], [slope * (value - old)])
        texts = (
            f"a {self.classes[truth]}, pixel {old:.2g} → {value:.2g}",
            f"gradient of {self.classes[chosen]}, ±{top:.2g}",
            f"promised {slope * (value - old):+.2f}, happens {now:+.2f}",
        )
        for title, text in zip(self._titles, texts, strict=True):
            title.set_text(text.replace("-", "−"))

    def _computed(self, image: int, target: int, row: int, column: int) -> tuple[Tensor, Tensor]:
        key = (image, target, row, column)
        if self._found is None or self._found[0] != key:
            x = self.images[image : image + 1]
            slopes = saliency(self.model, x, target, signed=True)[0].sum(0)
            self._found = (key, slopes, pixel_curve(self.model, x, target, (row, column), VALUES))
        return self._found[1:]
