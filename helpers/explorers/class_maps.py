"""The class-map browser: where in a photograph does a network see each of its thousand classes?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, panel
from helpers.inside.fields import place
from helpers.network import photonet
from helpers.network.photonet import PhotoNet
from helpers.network.running import predict
from helpers.plots.style import as_array, figure

#: How much of a photograph is left where the map of a class is 0.
FAINT = 0.15


def lit(picture: np.ndarray, spot: np.ndarray) -> np.ndarray:
    """A photograph (H, W, 3), nearly white where a map (H, W) is 0 or less, as it is where the map is highest."""
    top = float(spot.max())
    share = (spot / top).clip(0) if top > 0 else np.zeros_like(spot)
    return 1 - (1 - picture) * (FAINT + (1 - FAINT) * share[..., None])


class ClassMapBrowser(Explorer):
    """A photograph, and the same faded by the map of a class before the average that makes it the logit.

    Args:
        models: networks for photographs by name, such as the trained one and one with random weights.
        photographs: name → image (3, H, W) in [0, 1], all of one size.
        classes: names of the classes to choose from; what the first network answers to the photographs if none.
        values: starting values of the controls.

    Raises:
        ValueError: if there is no network or no photograph, or a class that the network does not have.
    """

    alt = (
        "Class-map browser: a photograph with the three most probable classes, and the photograph faded where the map "
        "of a chosen class is low, with the mean of the map, which is the logit, its highest value and the probability."
    )

    _found: tuple[Hashable, Tensor, Tensor] | None = None

    def __init__(
        self,
        models: Mapping[str, PhotoNet],
        photographs: Mapping[str, Tensor],
        classes: tuple[str, ...] = (),
        **values: str,
    ) -> None:
        if not models or not photographs:
            raise ValueError("Give at least one network and one photograph, by name.")
        self.models, self.photographs = dict(models), dict(photographs)
        first = next(iter(self.models.values()))
        if not classes:
            rows = [photonet.answers(first, image[None], 4)[0] for image in self.photographs.values()]
            classes = tuple(dict.fromkeys(name for row in rows for name, _ in row))
        self.classes = {name: photonet.number(name) for name in classes}
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Photograph, class, and network if there are several."""
        networks = {"network": menu("network", self.models)} if len(self.models) > 1 else {}
        return {"photograph": menu("photograph", self.photographs), "target": menu("class", self.classes), **networks}

    def build(self) -> Figure:
        """The photograph at the left, the faded one at the right."""
        drawn = figure(7.6, 4.1, layout=None)
        places = [drawn.add_axes((left, 0.02, 0.46, 0.83)) for left in (0.02, 0.52)]
        (self._shown, self._says), (self._lit, self._title) = (panel(axes, size=13) for axes in places)
        return drawn

    def draw(self, photograph: str, target: str, network: str | None = None) -> None:
        """Compute all maps once for each photograph and network, and fade the photograph by one of them."""
        image, number = self.photographs[photograph], self.classes[target]
        maps, chances = self._maps(photograph, next(iter(self.models)) if network is None else network)
        spot = as_array(place(maps[[number]], self._model, image[None], "maps")[0])
        best = chances.topk(3)
        said = [
            f"{photonet.names()[i]} {v:.0%}" for v, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        picture = as_array(image).transpose(1, 2, 0)
        self._shown.set_data(picture)
        self._says.set_text(f"{said[0]}\n{said[1]}, {said[2]}")
        self._lit.set_data(lit(picture, spot))
        own = maps[number]
        self._title.set_text(
            f"{target}, {float(chances[number]):.0%}\nmap: up to {own.max():.0f}, mean {own.mean():.1f} = logit"
        )

    def _maps(self, photograph: str, network: str) -> tuple[Tensor, Tensor]:
        """Maps (1000, h, w) and probabilities (1000,) of a photograph."""
        self._model, key = self.models[network], (photograph, network)
        if self._found is None or self._found[0] != key:
            image = self.photographs[photograph][None]
            maps = photonet.class_maps(self._model, image)[0]
            self._found = (key, maps, torch.softmax(predict(self._model, image)[0], 0))
        return self._found[1:]
