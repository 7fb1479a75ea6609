"""The attack explorer: how little noise, well chosen, makes a network say something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from helpers.explorers.base import Explorer
from helpers.inside import maximize
from helpers.network import running
from helpers.plots.style import BAD, COLORS, GOOD, as_array, figure, frame

KINDS = {"gradient sign": "gradient", "random sign": "random"}


class AttackExplorer(Explorer):
    """An image, a noise of strength ε, their sum, and what the network says of it.

    Args:
        model: the network.
        images: (N, 1, H, W) in [0, 1].
        labels: their true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    alt = (
        "Attack explorer: an image, the kind of noise and its strength to choose; image, noise, their sum, and the "
        "probabilities the network gives the sum."
    )

    def __init__(self, model: nn.Module, images: Any, labels: Any, classes: Sequence[str], **values: Any) -> None:
        self.model, self.classes = model, [str(name) for name in classes]
        self.images, self.labels = torch.as_tensor(images), torch.as_tensor(labels)
        directions = maximize.direction(model, self.images, self.labels)
        chance = torch.Generator().manual_seed(0)
        random = torch.randint(0, 2, self.images.shape, generator=chance).to(self.images.dtype) * 2 - 1
        self._directions = {"gradient": directions.cpu(), "random": random}
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, strength of the noise, kind of noise."""
        style = {"style": {"description_width": "64px"}}
        return {
            "image": widgets.IntSlider(max=len(self.images) - 1, description="image", **style),
            "epsilon": widgets.FloatSlider(
                value=0.15, max=0.4, step=0.005, readout_format=".3f", description="ε", **style
            ),
            "noise": widgets.ToggleButtons(options=KINDS, description="noise", **style),
        }

    def build(self) -> Figure:
        """Three panels and the bars of the probabilities."""
        drawn = figure(9.4, 2.75, layout=None)
        shape = tuple(self.images.shape[-2:])
        self._artists, self._titles = [], []
        for i in range(3):
            axes = drawn.add_axes((0.005 + 0.235 * i, 0.02, 0.22, 0.84))
            palette = {"cmap": "PiYG", "vmin": -0.4, "vmax": 0.4} if i == 1 else {"cmap": "gray", "vmin": 0, "vmax": 1}
            self._artists.append(axes.imshow(np.zeros(shape), **palette))
            frame(axes)
            self._titles.append(axes.set_title("", fontsize=12))
        axes = drawn.add_axes((0.8, 0.1, 0.19, 0.76))
        self._bars = axes.barh(range(len(self.classes)), [0] * len(self.classes), color=COLORS[0])
        axes.set_yticks(range(len(self.classes)), self.classes, fontsize=10 if len(self.classes) <= 10 else 7)
        axes.set(xlim=(0, 1), xticks=[0, 1])
        axes.invert_yaxis()
        self._answer = axes.set_title("", fontsize=12)
        return drawn

    def draw(self, image: int, epsilon: float, noise: str) -> None:
        """Add the noise, ask the network, show both."""
        original = self.images[image : image + 1]
        change = epsilon * self._directions[noise][image : image + 1]
        changed = (original + change).clamp(0, 1)
        chances = as_array(running.predict(self.model, changed).softmax(1))[0]
        for artist, shown in zip(self._artists, (original, change, changed), strict=True):
            artist.set_data(as_array(shown)[0, 0])
        truth, said = int(self.labels[image]), int(chances.argmax())
        for i, (bar, chance) in enumerate(zip(self._bars, chances, strict=True)):
            bar.set_width(float(chance))
            bar.set_color(GOOD if i == truth else (BAD if i == said else COLORS[0]))
        texts = (f"a {self.classes[truth]}", f"noise, ε = {epsilon:.3f}", "image + noise")
        for title, text in zip(self._titles, texts, strict=True):
            title.set_text(text)
        self._answer.set_text(f"it says {self.classes[said]}, {chances[said]:.0%}")
