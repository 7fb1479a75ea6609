"""Dropout, seen: which hidden units are off in this very pass, and what the network says without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import Bars, menu, panel, slider
from helpers.network.hooks import activations
from helpers.network.layers import dropout, softmax
from helpers.network.models import ConvNet
from helpers.plots.pixels import pixels
from helpers.plots.style import COLORS, FAINT, INK, figure

PASSES = 200


class DropoutExplorer(Explorer):
    """Turn dropout on a trained network's hidden layer, pass after pass.

    Left, the image. Middle, the hidden units as they leave dropout, those that respond most first: a cross where one is
    off in this pass, the others brighter by 1/(1 − p). Right, the probabilities of this pass as bars, and as marks what
    the whole network says.

    Args:
        model: a :class:`~helpers.network.models.ConvNet`, trained.
        images: (N, C, H, W) to choose from.
        classes: names of the outputs.
        titles: one name per image for the menu.
        values: starting values of the controls, such as ``p=0.2``.
    """

    alt = (
        "Dropout tool with an image, a probability p, the number of the pass and training or test mode: the hidden "
        "units with crosses over those that are off, and the probabilities of this pass beside those of the network."
    )

    def __init__(
        self, model: ConvNet, images: Any, classes: Sequence[str], titles: Sequence[str] | None = None, **values: Any
    ) -> None:
        images = torch.as_tensor(np.asarray(images))
        self.classes = list(classes)
        self.images = images.numpy()
        self.titles = list(titles or (f"image {i}" for i in range(len(images))))
        if len(self.titles) != len(images):
            raise ValueError(f"Every image needs a title: {len(images)} images, {len(self.titles)} titles.")
        self.hidden = activations(model, images, ["classifier.relu3"])["classifier.relu3"].numpy()
        self.weight = model.classifier.output.weight.detach().cpu().numpy()
        self.bias = model.classifier.output.bias.detach().cpu().numpy()
        self.columns = 16 if self.hidden.shape[1] % 16 == 0 else self.hidden.shape[1]
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, probability of being off, the number of the pass, and training or test mode."""
        return {
            "image": menu("image", [(title, index) for index, title in enumerate(self.titles)]),
            "p": slider("p (off)", 0.0, 0.9, 0.5, step=0.05),
            "turn": slider("pass", 1, PASSES),
            "mode": widgets.ToggleButtons(options=["training", "test"], value="training"),
        }

    def build(self) -> Figure:
        """The image, the grid of units and the bars; only their values change later."""
        drawn = figure(9.6, 3.6)
        left, middle, right = drawn.subplots(1, 3, width_ratios=[0.8, 1.75, 1.0])
        self._picture, self._name = panel(left)
        self._picture.set_data(self.images[0, 0])
        self._grid = pixels(middle, "activation", float(self.hidden.max()) * 2 or 1.0)
        self._grid.set_data(np.zeros((self.hidden.shape[1] // self.columns, self.columns)))
        self._said = middle.set_title("", fontsize=12)
        (self._crosses,) = middle.plot([], [], "x", color="#56B4E9", markersize=7, markeredgewidth=1.8)
        middle.set(xticks=[], yticks=[])
        bar = drawn.colorbar(self._grid, ax=middle, orientation="horizontal", shrink=0.8, aspect=30, pad=0.04)
        bar.set_label("activation after dropout")
        bar.outline.set_visible(False)
        self._bars = Bars(right, self.classes)
        places = range(len(self.classes))
        (self._marks,) = right.plot(0.0 * self.bias, places, "|", color=INK, markersize=13, markeredgewidth=2)
        right.set(xlim=(0, 1.02), xlabel="probability")
        right.tick_params(axis="y", length=0)
        self._bars.title.set_text("bars: this pass; marks: all on")
        return drawn

    def compute(self, image: int, p: float, turn: int, mode: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which units are on (H,), what leaves dropout (H,), and the probabilities (K,) of this pass."""
        hidden = self.hidden[image]
        on, left = dropout(hidden, p, [turn, image]) if mode == "training" else (np.ones(len(hidden), bool), hidden)
        return on, left, softmax(self.weight @ left + self.bias)[1]

    def draw(self, image: int, p: float, turn: int, mode: str) -> None:
        """Show one pass."""
        on, left, probabilities = self.compute(image, p, turn, mode)
        whole = self.compute(image, p, turn, "test")[2]
        self._picture.set_data(self.images[image, 0])
        self._name.set_text(self.titles[image])
        strongest = (-self.hidden[image]).argsort(kind="stable")
        self._grid.set_data(left[strongest].reshape(-1, self.columns))
        off = np.flatnonzero(~on[strongest])
        self._crosses.set_data(off % self.columns, off // self.columns)
        said = f"pass {turn}: {len(off)} of {len(on)} units off" if mode == "training" else "test: every unit is on"
        self._said.set_text(said)
        self._bars.patches[self._bars.show(probabilities)].set_color(COLORS[1])
        self._marks.set_xdata(whole)
        self._marks.set_color(FAINT if mode == "test" else INK)
