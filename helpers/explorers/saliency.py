"""The saliency explorer: every map of one image and one class, and what is left when its strongest pixels go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers.explorers.base import KeptExplorer
from helpers.inside import attribution, faithfulness
from helpers.network import running
from helpers.network.hooks import record
from helpers.plots.style import as_array, colormap, figure, frame, limit

METHODS = (
    "gradient",
    "gradient × input",
    "SmoothGrad",
    "integrated gradients",
    "guided backpropagation",
    "deconvnet",
    "Grad-CAM",
    "occlusion 7×7",
)
SHARE = 0.04


def attribution_map(method: str, model: nn.Module, image: Tensor, target: int, layer: str = "") -> Tensor:
    """The signed map of one image ``(C, H, W)`` for one class, with its channels: ``(C or 1, H, W)``.

    Raises:
        ValueError: if there is no such method, or it does not fit the network or the layer.
    """
    x = image[None]
    if method == "gradient":
        return attribution.saliency(model, x, target, signed=True)[0]
    if method == "gradient × input":
        return attribution.gradient_times_input(model, x, target)[0]
    if method == "SmoothGrad":
        return attribution.smoothgrad(model, x, target, samples=12)[0]
    if method == "integrated gradients":
        return attribution.integrated_gradients(model, x, target, steps=24)[0]
    if method == "guided backpropagation":
        return attribution.guided_backprop(model, x, target)[0]
    if method == "deconvnet":
        return attribution.deconvnet(model, x, target)[0]
    if method == "Grad-CAM":
        return attribution.upscale(attribution.grad_cam(model, x, target, layer), image.shape[-2:])
    if method == "occlusion 7×7":
        try:
            found = attribution.occlusion(model, image, 7, incremental=True)
        except ValueError:  # the network is not a chain of layers
            found = attribution.occlusion(model, image, 7)
        return found.maps[target][None]
    raise ValueError(f"The method is one of {', '.join(METHODS)}; got {method!r}.")


class SaliencyExplorer(KeptExplorer):
    """An image, the map of a method for one class, and the image without the pixels that the map puts first.

    Args:
        model: the network.
        images: (N, C, H, W) in [0, 1].
        labels: true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    alt = (
        "Saliency explorer: an image, the map of a chosen method for a chosen class over the outline of the image, "
        "and the image without the four percent of its pixels that the map puts first, with its new logit."
    )
    inert: Mapping[str, str] = {"layer": "only Grad-CAM asks for a layer"}

    def __init__(self, model: nn.Module, images: Any, labels: Any, classes: Sequence[str], **values: Any) -> None:
        self.model, self.classes = model, [str(name) for name in classes]
        self.images, self.labels = torch.as_tensor(images), torch.as_tensor(labels)
        self._found: tuple[Any, Tensor] | None = None
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Method, image, class, the layer of Grad-CAM, and whether the sign counts."""
        style = {"style": {"description_width": "56px"}, "layout": widgets.Layout(width="270px")}
        classes = [("true class", -1), *((name, i) for i, name in enumerate(self.classes))]
        layers = self._layers()
        return {
            "method": widgets.Dropdown(options=list(METHODS), description="method", **style),
            "image": widgets.IntSlider(max=len(self.images) - 1, description="image", **style),
            "target": widgets.Dropdown(options=classes, description="class", **style),
            "signed": widgets.Checkbox(value=True, description="with its sign", indent=False),
            "layer": widgets.Dropdown(options=layers, value=layers[-1], description="layer", **style),
        }

    def build(self) -> Figure:
        """Image, map and what is left, side by side."""
        drawn = figure(9.4, 3.3, layout=None)
        height, width = self.images.shape[-2:]
        blank = np.zeros((height, width))
        places = [drawn.add_axes((left, 0.02, 0.28, 0.8)) for left in (0.005, 0.305, 0.71)]
        gray = {"cmap": colormap("image"), "vmin": 0, "vmax": 1}
        self._shown = places[0].imshow(blank, **gray)
        self._map = places[1].imshow(blank, cmap=colormap("response"), vmin=-1, vmax=1)
        self._outline = places[1].imshow(np.zeros((height, width, 4)))
        self._left = places[2].imshow(blank, **gray)
        self._titles = [axes.set_title("", fontsize=12) for axes in places]
        for axes in places:
            frame(axes)
        self._bar = drawn.colorbar(self._map, cax=drawn.add_axes((0.596, 0.08, 0.012, 0.66)))
        self._bar.outline.set_visible(False)
        self._signed: bool | None = None
        self.moving = [self._shown, self._map, self._outline, self._left, *self._titles]
        return drawn

    def still(self) -> bool | None:
        """The color bar, which knows whether there is a sign."""
        return self._signed

    def draw(self, method: str, image: int, target: int, signed: bool, layer: str) -> None:
        """Compute the map once for each method, image, class and layer, and delete what it puts first."""
        self._controls["layer"].disabled = method != "Grad-CAM"
        original, truth = self.images[image], int(self.labels[image])
        chosen = truth if target < 0 else target
        raw = self._computed((method, image, chosen, layer if method == "Grad-CAM" else ""), original)
        shown = raw.sum(0) if signed else raw.abs().amax(0)
        gone = faithfulness.segment(shown[None], SHARE)[0]
        rest = torch.where(gone, torch.zeros(()), original)
        before, after = running.predict(self.model, torch.stack([original, rest]))
        top = limit([as_array(shown)], 99)
        if signed != self._signed:
            self._palette(signed)
        self._shown.set_data(as_array(original).mean(axis=0))
        self._map.set_data(as_array(shown) / top)
        outline = np.zeros((*shown.shape, 4))
        outline[..., :3] = 0.0 if signed else 1.0
        outline[..., 3] = 0.22 * (as_array(original).mean(axis=0) > 0.5)
        self._outline.set_data(outline)
        self._left.set_data(as_array(rest).mean(axis=0))
        said, name = int(before.argmax()), self.classes[chosen]
        now, chance = int(after.argmax()), float(after.softmax(0).max())
        texts = (
            f"a {self.classes[truth]}, it says {self.classes[said]}\nlogit of {name}: {before[chosen]:.1f}",
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

    def _computed(self, key: tuple, image: Tensor) -> Tensor:
        if self._found is None or self._found[0] != key:
            self._found = (key, attribution_map(key[0], self.model, image, key[2], key[3]))
        return self._found[1]

    def _layers(self) -> list[str]:
        """Names of the layers whose answer is a stack of maps, in the order in which the image passes them."""
        names = [name for name, module in self.model.named_modules() if name and not list(module.children())]
        with record(self.model, names) as store:
            running.predict(self.model, self.images[:1])
        found = [name for name in names if store.calls[name] and store[name].ndim == 4 and store[name].shape[-1] > 1]
        if not found:
            raise ValueError("This network has no layer with feature maps: the explorer is for convolutional networks.")
        return found
