"""The kernel playground: write nine numbers, and see at once what they make of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import WIDTH, color_bar, menu, panel, slider
from helpers.filters import convolve, kernels
from helpers.plots.style import Kind, colormap, figure, limit

OWN = "your own"
SIDE = 160


def _gray_square(name: str) -> np.ndarray:
    """A photograph as a gray (160, 160) square: the middle of it, brightness weighted as the eye does."""
    photo = data.photo(name) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    edge = min(photo.shape) // SIDE * SIDE
    top, left = (photo.shape[0] - edge) // 2, (photo.shape[1] - edge) // 2
    step = edge // SIDE
    square = photo[top : top + edge, left : left + edge]
    return square.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))


class KernelPlayground(Explorer):
    """Nine editable weights, presets, stride, padding and pooling; original, filtered and pooled picture side by side.

    The response is drawn around zero: white is no response, red positive, blue negative.

    Args:
        images: name → image (H, W) in [0, 1] to choose from; photographs and two digits if not given. Your own array
            goes in here.
        values: starting values of the controls, such as ``preset="sobel x"``.
    """

    alt = (
        "Kernel playground: nine weights in a grid, a preset, stride, padding and pooling to choose; side by side "
        "the original image, the signed response of the filter, and the pooled response."
    )

    _taking = False

    def __init__(self, images: Mapping[str, np.ndarray] | None = None, **values: Any) -> None:
        if images is None:
            digits = data.load("mnist").train.images
            images = {f"photo: {name}": _gray_square(name) for name in data.PHOTOS}
            images |= {"digit: 5": digits[0, 0], "digit: 0": digits[1, 0]}
        self.images = {name: np.asarray(image, dtype=np.float32) for name, image in images.items()}
        super().__init__(**{"preset": "vertical edges"} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, preset, stride, padding, ReLU, pooling, and the nine weights ``w00`` to ``w22`` by row and column."""
        small = widgets.Layout(width="64px")
        cells = {
            f"w{y}{x}": widgets.FloatText(value=0.0, step=0.5, layout=small, tooltip=f"weight in row {y}, column {x}")
            for y in range(3)
            for x in range(3)
        }
        self._weights = list(cells.values())
        preset = menu("preset", [*kernels.NAMES, OWN], OWN)
        preset.observe(self._take_preset, names="value")
        self._meaning = widgets.HTML(layout=widgets.Layout(width=WIDTH))
        for cell in self._weights:
            cell.observe(self._name_weights, names="value")
        return {
            "image": menu("image", self.images),
            "preset": preset,
            "stride": slider("stride", 1, 4),
            "padding": slider("padding", 0, 4),
            "relu": widgets.Checkbox(value=False, description="ReLU before pooling", indent=False),
            "pooling": menu("pooling", ["max", "average"]),
            "size": slider("pool size", 1, 8, 2),
            **cells,
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The weights as a 3×3 grid, the choices beside them, the three pictures below."""
        grid = widgets.GridBox(self._weights, layout=widgets.Layout(grid_template_columns="repeat(3, 68px)"))
        left = widgets.VBox([controls["image"], controls["preset"], self._meaning])
        middle = widgets.VBox([controls["stride"], controls["padding"]])
        right = widgets.VBox([controls["pooling"], controls["size"], controls["relu"]])
        return self.page(flow(grid, left, middle, right))

    def build(self) -> Figure:
        """Three panels, and a color bar whose two ends are the strongest responses (their 99.5th percentile)."""
        drawn = figure(9.3, 3.2, layout=None)
        places = [(0.006 + 0.312 * i, 0.02, 0.3, 0.87) for i in range(3)]
        kinds: tuple[Kind, ...] = ("image", "response", "response")
        self._panels = [panel(drawn.add_axes(at), kind, size=13) for at, kind in zip(places, kinds, strict=True)]
        color_bar(drawn, ScalarMappable(Normalize(-1, 1), colormap("response")), (0.946, 0.1, 0.012, 0.68))
        return drawn

    @property
    def kernel(self) -> np.ndarray:
        """The present weights, (3, 3)."""
        return np.array([cell.value for cell in self._weights], dtype=np.float32).reshape(3, 3)

    def draw(self, image: str, stride: int, padding: int, relu: bool, pooling: str, size: int, **_: Any) -> None:
        """Filter, pool, and put the three pictures into the kept panels."""
        original = self.images[image]
        response = convolve.correlate2d(original, self.kernel, stride=stride, padding=padding)
        pooled = convolve.pool2d(np.maximum(response, 0) if relu else response, size, kind=pooling)
        top = limit([response], 99.5)
        names = ["original", f"response, ±{top:.3g}", f"{pooling} pooling {size}×{size}"]
        for (artist, title), name, shown in zip(self._panels, names, (original, response, pooled), strict=True):
            artist.set_data(shown)
            title.set_text(f"{name}   {shown.shape[0]}×{shown.shape[1]}")
        for artist, _ in self._panels[1:]:
            artist.set_clim(-top, top)
        preset = self._controls["preset"].value
        self._meaning.value = "" if preset == OWN else f"<small>{kernels.describe(preset)}</small>"

    def _take_preset(self, change: Any) -> None:
        if change["new"] == OWN:
            return
        # The base class redraws once, for the preset itself, after the nine weights are in place.
        self._taking = True
        with self.quiet():
            for cell, weight in zip(self._weights, kernels.get(change["new"]).ravel(), strict=True):
                cell.value = round(float(weight), 4)
        self._taking = False

    def _name_weights(self, _: Any) -> None:
        """A weight that was not set by a preset makes the kernel your own."""
        if not self._taking:
            with self.quiet():
                self._controls["preset"].value = OWN
