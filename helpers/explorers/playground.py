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
from helpers.explorers.base import KeptExplorer
from helpers.filters import convolve, kernels
from helpers.plots.pixels import captioned, paint, screen_colors
from helpers.plots.style import RC, colormap, figure, limit

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


class KernelPlayground(KeptExplorer):
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

    def __init__(self, images: Mapping[str, np.ndarray] | None = None, **values: Any) -> None:
        if images is None:
            digits = data.load("mnist").train.images
            images = {f"photo: {name}": _gray_square(name) for name in data.PHOTOS}
            images |= {"digit: 5": digits[0, 0], "digit: 0": digits[1, 0]}
        self.images = {name: np.asarray(image, dtype=np.float32) for name, image in images.items()}
        super().__init__(**{"preset": "vertical edges"} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Image, preset, stride, padding, ReLU, pooling, and the nine weights ``w00`` to ``w22`` by row and column."""
        wide = {"style": {"description_width": "64px"}, "layout": widgets.Layout(width="260px")}
        small = widgets.Layout(width="64px")
        cells = {
            f"w{y}{x}": widgets.FloatText(value=0.0, step=0.5, layout=small, tooltip=f"weight in row {y}, column {x}")
            for y in range(3)
            for x in range(3)
        }
        self._weights = list(cells.values())
        preset = widgets.Dropdown(options=[*kernels.NAMES, OWN], value=OWN, description="preset", **wide)
        preset.observe(self._take_preset, names="value")
        for cell in self._weights:
            cell.observe(self._name_weights, names="value")
        return {
            "image": widgets.Dropdown(options=list(self.images), description="image", **wide),
            "preset": preset,
            "stride": widgets.IntSlider(value=1, min=1, max=4, description="stride", **wide),
            "padding": widgets.IntSlider(value=0, min=0, max=4, description="padding", **wide),
            "relu": widgets.Checkbox(value=False, description="ReLU before pooling", indent=False),
            "pooling": widgets.Dropdown(options=["max", "average"], description="pooling", **wide),
            "size": widgets.IntSlider(value=2, min=1, max=8, description="pool size", **wide),
            **cells,
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The weights as a 3×3 grid, the choices beside them, the three pictures below."""
        grid = widgets.GridBox(self._weights, layout=widgets.Layout(grid_template_columns="repeat(3, 68px)"))
        left = widgets.VBox([controls["image"], controls["preset"]])
        middle = widgets.VBox([controls["stride"], controls["padding"]])
        right = widgets.VBox([controls["pooling"], controls["size"], controls["relu"]])
        row = widgets.Layout(flex_flow="row wrap", grid_gap="4px 20px", align_items="center")
        return widgets.VBox([widgets.HBox([grid, left, middle, right], layout=row), self.error, self.image])

    def build(self) -> Figure:
        """Three panels, and a color bar whose two ends are the strongest responses (their 99.5th percentile)."""
        drawn = figure(9.3, 3.2, layout=None)
        made = [captioned(drawn, (0.006 + 0.312 * i, 0.02, 0.3, 0.87), RC["axes.titlesize"], 6) for i in range(3)]
        self._artists, self._titles = zip(*made, strict=True)
        self.moving = [artist for pair in made for artist in pair]
        colors = ScalarMappable(Normalize(-1, 1), colormap("response"))
        bar = drawn.colorbar(colors, cax=drawn.add_axes((0.946, 0.1, 0.012, 0.68)))
        bar.set_ticks([-1, 0, 1], labels=["−", "0", "+"])
        bar.outline.set_visible(False)
        return drawn

    def still(self) -> None:
        """Only the color bar stands still, whatever the controls say."""

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
        colors = [screen_colors(original), *(paint(values, "response", top) for values in (response, pooled))]
        for artist, text, name, shown in zip(self._artists, self._titles, names, colors, strict=True):
            artist.set_data(shown)
            text.set_text(f"{name}   {shown.shape[0]}×{shown.shape[1]}")

    def _take_preset(self, change: Any) -> None:
        if change["new"] == OWN:
            return
        # The base class redraws once, for the preset itself, after the nine weights are in place.
        with self.quiet():
            for cell, weight in zip(self._weights, kernels.get(change["new"]).ravel(), strict=True):
                cell.value = round(float(weight), 4)

    def _name_weights(self, _: Any) -> None:
        if not self._paused:
            with self.quiet():
                self._controls["preset"].value = OWN
