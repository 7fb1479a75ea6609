"""The attack explorer: how little noise, well chosen, makes a network say something else."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from helpers.explorers.parts import Bars, ImageExplorer, panel, shape, slider
from helpers.inside import maximize
from helpers.network import running
from helpers.plots.style import as_array, figure

KINDS = {"gradient sign": "gradient", "random sign": "random"}


class AttackExplorer(ImageExplorer):
    """An image, a noise of strength ε, their sum, and what the network says of it."""

    alt = (
        "Attack explorer: an image, the kind of noise and its strength to choose; image, noise, their sum, and the "
        "probabilities the network gives the sum."
    )

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, strength of the noise, kind of noise."""
        return {
            "image": self.image_slider(),
            "epsilon": slider("ε", 0.0, 0.4, 0.15, step=0.005, readout_format=".3f"),
            "noise": widgets.ToggleButtons(options=KINDS, description="noise", **shape("auto")),
        }

    def build(self) -> Figure:
        """Three panels and the bars of the probabilities."""
        signs = torch.randint(0, 2, self.images.shape, generator=torch.Generator().manual_seed(0))
        directions = maximize.direction(self.model, self.images, self.labels).cpu()
        self._directions = {"gradient": directions, "random": signs.to(self.images.dtype) * 2 - 1}
        drawn = figure(9.4, 2.75, layout=None)
        self._panels = [panel(drawn.add_axes((0.005 + 0.235 * i, 0.02, 0.22, 0.84))) for i in range(3)]
        self._panels[1][0].set(cmap="PiYG", clim=(-0.4, 0.4))
        self._bars = Bars(drawn.add_axes((0.8, 0.1, 0.19, 0.76)), self.classes, 10 if len(self.classes) <= 10 else 7)
        return drawn

    def draw(self, image: int, epsilon: float, noise: str) -> None:
        """Add the noise, ask the network, show both."""
        original = self.images[image : image + 1]
        change = epsilon * self._directions[noise][image : image + 1]
        changed = (original + change).clamp(0, 1)
        chances, truth = as_array(running.predict(self.model, changed).softmax(1))[0], int(self.labels[image])
        texts = (f"a {self.classes[truth]}", f"noise, ε = {epsilon:.3f}", "image + noise")
        for (artist, title), shown, text in zip(self._panels, (original, change, changed), texts, strict=True):
            artist.set_data(as_array(shown)[0, 0])
            title.set_text(text)
        said = self._bars.show(chances, truth)
        self._bars.title.set_text(f"it says {self.classes[said]}, {chances[said]:.0%}")
