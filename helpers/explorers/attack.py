"""The attack explorer: how small a change, well chosen, makes a network say something else."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from helpers.explorers.parts import Bars, ImageExplorer, color_bar, panel, shape, slider
from helpers.inside import maximize
from helpers.network import running
from helpers.plots.style import Kind, as_array, figure

KINDS = {"one step": "step", "ten small steps": "steps", "random signs": "random"}


class AttackExplorer(ImageExplorer):
    """An image, a change of at most ε per pixel, the changed image, and what the network says of it."""

    alt = (
        "Attack explorer: an image, the kind of change and its strength to choose; the image, the change (red adds "
        "ink, blue removes it), the changed image, and the probabilities the network gives it."
    )

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, strength of the change, kind of change."""
        return {
            "image": self.image_slider(),
            "epsilon": slider("ε", 0.0, 0.4, 0.15, step=0.005, readout_format=".3f"),
            "noise": widgets.ToggleButtons(options=KINDS, description="change", **shape("auto")),
        }

    def build(self) -> Figure:
        """Three panels, the scale of the change and the bars of the probabilities."""
        signs = torch.randint(0, 2, self.images.shape, generator=torch.Generator().manual_seed(0))
        self._random = signs.to(self.images.dtype) * 2 - 1
        drawn = figure(9.8, 2.75, layout=None)
        kinds: tuple[Kind, ...] = ("image", "response", "image")
        lefts = (0.005, 0.23, 0.522)
        places = [drawn.add_axes((left, 0.02, 0.211, 0.84)) for left in lefts]
        self._panels = [panel(axes, kind) for axes, kind in zip(places, kinds, strict=True)]
        self._panels[1][0].set_clim(-0.4, 0.4)
        color_bar(drawn, self._panels[1][0], (0.45, 0.1, 0.012, 0.68)).set_ticks(
            [-0.4, 0, 0.4], labels=["−0.4", "0", "0.4"]
        )
        self._bars = Bars(drawn.add_axes((0.8, 0.1, 0.19, 0.76)), self.classes, 10 if len(self.classes) <= 10 else 7)
        return drawn

    def _attacked(self, original: Tensor, image: int, epsilon: float, noise: str) -> Tensor:
        """The image after one step of ε, after ten of ε/10 that each ask for the way again, or after random steps."""
        if noise == "random":
            return (original + epsilon * self._random[image : image + 1]).clamp(0, 1)
        steps = 10 if noise == "steps" else 1
        for _ in range(steps):
            original = maximize.fgsm(self.model, original, int(self.labels[image]), epsilon / steps)
        return original.cpu()

    def draw(self, image: int, epsilon: float, noise: str) -> None:
        """Change the image, ask the network, show what really changed: no pixel leaves the range from 0 to 1."""
        original = self.images[image : image + 1]
        changed = self._attacked(original, image, epsilon, noise)
        chances, truth = as_array(running.predict(self.model, changed).softmax(1))[0], int(self.labels[image])
        texts = (f"class: {self.classes[truth]}", f"change, ε = {epsilon:.3f}", "after the change")
        shown = (original, changed - original, changed)
        for (artist, title), picture, text in zip(self._panels, shown, texts, strict=True):
            artist.set_data(as_array(picture)[0, 0])
            title.set_text(text)
        said = self._bars.show(chances, truth)
        self._bars.title.set_text(f"it says {self.classes[said]}, {chances[said]:.0%}")
