"""The saliency explorer: every map of one image and one class, and what is left when its strongest pixels go."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.explorers.parts import ImageExplorer, color_bar, menu, panel, shade
from helpers.inside import faithfulness
from helpers.inside.attribution import METHODS
from helpers.network import running
from helpers.network.hooks import map_layers
from helpers.plots.pixels import pixels
from helpers.plots.style import as_array, colormap, figure, limit

SHARE = 0.04


class SaliencyExplorer(ImageExplorer):
    """An image, the map of a method for one class, and the image without the pixels that the map puts first.

    Args:
        model: the network, or several by name, of the same layers, to be compared.
        images: (N, C, H, W) in [0, 1].
        labels: their true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    alt = (
        "Saliency explorer: an image, the map of a chosen method for a chosen class over the outline of the image, "
        "and the image without the four percent of its pixels that the map puts first, with its new logit."
    )
    inert: Mapping[str, str] = {"layer": "only Grad-CAM asks for a layer"}

    _found: tuple[Hashable, Tensor] | None = None
    _signed: bool | None = None

    def __init__(
        self,
        model: nn.Module | Mapping[str, nn.Module],
        images: Any,
        labels: Any,
        classes: Sequence[str],
        **values: Any,
    ) -> None:
        self.models = {"": model} if isinstance(model, nn.Module) else dict(model)
        if not self.models:
            raise ValueError("There is no network to ask: give one, or several by name.")
        super().__init__(next(iter(self.models.values())), images, labels, classes, **values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Network if there are several, method, image, class, the layer of Grad-CAM, and whether the sign counts."""
        layers = map_layers(self.model, self.images[:1])
        networks = {"network": menu("network", self.models)} if len(self.models) > 1 else {}
        return {
            **networks,
            "method": menu("method", METHODS),
            "image": self.image_slider(),
            "target": self.class_menu(),
            "signed": widgets.Checkbox(value=True, description="with its sign", indent=False),
            "layer": menu("layer", layers, layers[-1]),
        }

    def build(self) -> Figure:
        """Image, map and what is left, side by side."""
        drawn = figure(9.4, 3.3, layout=None)
        places = [drawn.add_axes((left, 0.02, 0.28, 0.8)) for left in (0.005, 0.305, 0.71)]
        made = [panel(axes, kind) for axes, kind in zip(places, ("image", "response", "image"), strict=True)]
        (self._shown, self._map, self._left), self._titles = zip(*made, strict=True)
        self._outline = pixels(places[1])
        self._bar = color_bar(drawn, self._map, (0.596, 0.08, 0.012, 0.66))
        return drawn

    def draw(self, method: str, image: int, target: int, signed: bool, layer: str, network: str | None = None) -> None:
        """Compute the map once for each network, method, image, class and layer; delete what it puts first."""
        self.model = self.model if network is None else self.models[network]
        self._controls["layer"].disabled = method != "Grad-CAM"
        original, truth = self.images[image], int(self.labels[image])
        chosen = truth if target < 0 else target
        raw = self._computed(method, image, chosen, layer)
        shown = raw.sum(0) if signed else raw.abs().amax(0)
        gone = faithfulness.segment(shown[None], SHARE)[0]
        rest = torch.where(gone, torch.zeros(()), original)
        before, after = running.predict(self.model, torch.stack([original, rest]))
        top = limit([as_array(shown)], 99)
        if signed != self._signed:
            self._palette(signed)
        self._shown.set_data(as_array(original).mean(axis=0))
        self._map.set_data(as_array(shown) / top)
        self._outline.set_data(shade(as_array(original).mean(axis=0) > 0.5, color=0.0 if signed else 1.0))
        self._left.set_data(as_array(rest).mean(axis=0))
        who, said, name = network or "it", int(before.argmax()), self.classes[chosen]
        now, chance = int(after.argmax()), float(after.softmax(0).max())
        texts = (
            f"a {self.classes[truth]}, {who} says {self.classes[said]}\nlogit of {name}: {before[chosen]:.1f}",
            f"{method}, {name}\n{'±' if signed else '0 to '}{top:.2g}",
            f"without the first {SHARE:.0%}: {self.classes[now]}, {chance:.0%}\nlogit of {name}: {after[chosen]:.1f}",
        )
        for title, text in zip(self._titles, texts, strict=True):
            title.set_text(text.replace(" -", " −"))

    def _palette(self, signed: bool) -> None:
        self._map.set_cmap(colormap("response" if signed else "activation"))
        self._map.set_clim(-1 if signed else 0, 1)
        self._bar.set_ticks([-1, 0, 1] if signed else [0, 1], labels=["−", "0", "+"] if signed else ["0", "max"])
        self._signed = signed

    def _computed(self, method: str, image: int, target: int, layer: str) -> Tensor:
        more = {"layer": layer} if method == "Grad-CAM" else {}
        key = (id(self.model), method, image, target, *more.values())
        if self._found is None or self._found[0] != key:
            self._found = (key, METHODS[method](self.model, self.images[image : image + 1], target, **more)[0])
        return self._found[1]
