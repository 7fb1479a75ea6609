"""Turn the digit: move, turn, scale and blur it with noise, and watch what two networks make of it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers.data import distort
from helpers.explorers.base import Explorer
from helpers.explorers.parts import Bars, inches, panel, slider
from helpers.network.running import predict
from helpers.plots.style import COLORS, FAINT, as_array, figure

#: Angles at which the curve is computed, in degrees.
ANGLES = torch.arange(-180.0, 181.0, 10.0)


class TurnDigit(Explorer):
    """An image to turn, move, scale and cover with noise; the probabilities of each network, and over all the angles.

    Args:
        models: name → network, at most two, to compare.
        images: (N, 1, H, W) in [0, 1].
        labels: their true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls, such as ``angle=40``.

    Raises:
        ValueError: if there is no network, or there are more than two.
    """

    alt = (
        "Turn the digit: an image, its angle, shift, scale and noise to choose; the changed image, the probabilities "
        "two networks give it, and for each the probability of the true class at every angle."
    )

    def __init__(
        self, models: Mapping[str, nn.Module], images: Any, labels: Any, classes: Sequence[str], **values: Any
    ) -> None:
        if not 1 <= len(models) <= 2:
            raise ValueError(f"The tool compares one or two networks; it was given {len(models)}.")
        self.models, self.classes = dict(models), [str(name) for name in classes]
        self.pictures, self.labels = torch.as_tensor(images), torch.as_tensor(labels)
        self._known: tuple[Hashable, list[np.ndarray]] = (None, [])
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, angle, shifts, scale and noise."""
        return {
            "image": slider("image", 0, len(self.pictures) - 1),
            "angle": slider("angle", -180, 180, 0, step=5),
            "scale": slider("scale", 0.4, 1.6, 1.0, step=0.05),
            "right": slider("right", -10, 10, 0),
            "down": slider("down", -10, 10, 0),
            "noise": slider("noise", 0.0, 0.6, step=0.05),
        }

    def build(self) -> Figure:
        """The image, bars for each network, and the curves over the angles."""
        drawn = figure(9.4, 3.0, layout=None)
        self._image, self._title = panel(inches(drawn, 0.05, 0.3, 2.3, 2.3))
        longest = 0.12 + 0.075 * max(map(len, self.classes))
        self._bars = []
        for i in range(len(self.models)):
            bars = Bars(inches(drawn, 2.45 + longest + 1.35 * i, 0.3, 1.15, 2.3), self.classes, title=11)
            bars.axes.tick_params(axis="y", length=0, labelleft=i == 0)
            self._bars.append(bars)
        left = 2.45 + longest + 1.35 * len(self.models) + 0.55
        axes = inches(drawn, left, 0.55, 9.25 - left, 1.62)
        self._curves = [
            axes.plot(ANGLES, 0 * ANGLES, color=color, label=name, zorder=3)[0]
            for color, name in zip(COLORS, self.models, strict=False)
        ]
        # What moves lies above axes and legend, so that these are not drawn again.
        self._now = axes.axvline(0, color=FAINT, linestyle="--", linewidth=1.4, zorder=3)
        axes.set(xlim=(-180, 180), ylim=(-0.02, 1.04), xticks=[-180, -90, 0, 90, 180], xlabel="angle")
        axes.set_ylabel("p of the true class", fontsize=11)
        # Above the curves, which may be anywhere.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=11).set_zorder(2.6)
        return drawn

    def draw(self, image: int, angle: int, scale: float, right: int, down: int, noise: float) -> None:
        """Change the image, ask the networks; the curves are computed anew unless only the angle has changed."""
        one, truth = self.pictures[image : image + 1], int(self.labels[image])
        rest = {"factor": scale, "right": right, "down": down}
        shown = distort.noise(distort.warp(one, float(angle), **rest), noise)
        key = (image, scale, right, down, noise)
        if self._known[0] != key:
            turned = distort.warp(one.expand(len(ANGLES), -1, -1, -1), ANGLES, **rest)
            turned = torch.cat([distort.noise(part, noise) for part in turned.split(1)])
            lines = [as_array(predict(model, turned).softmax(1)[:, truth]) for model in self.models.values()]
            self._known = (key, lines)
        self._image.set_data(as_array(shown)[0, 0])
        self._title.set_text(f"{self.classes[truth]}, turned by {angle}°".replace("-", "−"))
        self._now.set_xdata([angle, angle])
        for bars, curve, line, (name, model) in zip(
            self._bars, self._curves, self._known[1], self.models.items(), strict=True
        ):
            chances = as_array(predict(model, shown).softmax(1))[0]
            said = bars.show(chances, truth)
            bars.title.set_text(f"{name}\n{self.classes[said]}, {chances[said]:.0%}")
            curve.set_ydata(line)
