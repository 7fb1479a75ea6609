"""The kernel playground: write nine numbers, and see at once what they make of an image."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import WIDTH, color_bar, inches, menu, panel, picker, slider
from helpers.filters import convolve, kernels
from helpers.plots.style import Kind, colormap, figure, legible, limit

OWN = "your own"
SIDE, LARGEST = 160, 400


def _gray(image: Any) -> np.ndarray:
    """Any picture as gray (H, W) in [0, 1]: an array of at most 400 pixels keeps its size, others become squares."""
    if not isinstance(image, str | PathLike | bytes | memoryview):
        image = data.own(image, side=None, gray=True)
        if max(image.shape) <= LARGEST:
            return image
    return data.own(image, side=SIDE, gray=True)


class KernelPlayground(Explorer):
    """Nine editable weights, presets, stride, padding and pooling; original, filtered and pooled picture side by side.

    The response is drawn around zero: white is no response, red positive, blue negative. A button takes a photograph of
    your own.

    Args:
        images: name → what :func:`helpers.data.own` takes: an array of any size, gray or color, from 0 to 1 or to 255,
            or the name of a file; photographs and two digits if not given.
        values: starting values of the controls, such as ``preset="sobel x"``.
    """

    alt = (
        "Kernel playground: nine weights in a grid, a preset, stride, padding and pooling to choose; side by side the "
        "nine weights, the original image, the signed response of the filter, and the pooled response."
    )

    _taking = False

    def __init__(self, images: Mapping[str, Any] | None = None, **values: Any) -> None:
        if images is None:
            digits = data.load("mnist", first=2).train.images
            images = {f"photo: {name}": data.own(data.photo(name), SIDE) for name in ("china", "flower", "hopper")}
            images |= {"digit: 5": digits[0, 0], "digit: 0": digits[1, 0]}
        self.images = {name: _gray(image) for name, image in images.items()}
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
        self._picker = picker(self.take)
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
        """The weights as a 3×3 grid, the choices beside them, the pictures below."""
        grid = widgets.GridBox(self._weights, layout=widgets.Layout(grid_template_columns="repeat(3, 68px)"))
        left = widgets.VBox([controls["image"], controls["preset"], self._meaning])
        middle = widgets.VBox([self._picker, controls["stride"], controls["padding"]])
        right = widgets.VBox([controls["pooling"], controls["size"], controls["relu"]])
        return self.page(flow(grid, left, middle, right))

    def build(self) -> Figure:
        """The weights, three pictures, and a color bar whose ends are the strongest responses (99.5th percentile)."""
        drawn = figure(11.0, 3.06, layout=None)
        grid = inches(drawn, 0.08, 0.56, 2.12, 2.12)
        self._grid, self._sum = panel(grid, "weights", size=12)
        for lines in (grid.hlines, grid.vlines):
            lines([0.5, 1.5], -0.5, 2.5, colors="white", linewidth=1.2)
        self._name = grid.text(0.5, -0.06, "", transform=grid.transAxes, ha="center", va="top", fontsize=12)
        self._written = [grid.text(i % 3, i // 3, "", ha="center", va="center", fontsize=13) for i in range(9)]
        kinds: tuple[Kind, ...] = ("image", "response", "response")
        places = [(2.4 + 2.74 * i, 0.06, 2.62, 2.62) for i in range(3)]
        self._panels = [panel(inches(drawn, *at), kind, size=12) for at, kind in zip(places, kinds, strict=True)]
        bar = inches(drawn, 10.6, 0.3, 0.11, 2.1)
        color_bar(drawn, ScalarMappable(Normalize(-1, 1), colormap("response")), bar)
        return drawn

    def take(self, name: str, source: Any) -> None:
        """Add a picture to the menu and show it; what is no picture is explained in a line.

        Args:
            name: as it stands in the menu.
            source: what :func:`helpers.data.own` takes: the name of a file, its bytes, an array.
        """
        try:
            self.images[name] = _gray(source)
        except ValueError as error:
            self._explain(str(error))
            return
        with self.quiet():
            self._controls["image"].options = list(self.images)
        self.set(image=name)

    @property
    def kernel(self) -> np.ndarray:
        """The present weights, (3, 3)."""
        return np.array([cell.value for cell in self._weights], dtype=np.float32).reshape(3, 3)

    def draw(self, image: str, stride: int, padding: int, relu: bool, pooling: str, size: int, **_: Any) -> None:
        """Filter, pool, and put the three pictures into the kept panels."""
        original = self.images[image]
        self._write_weights()
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
        self._name.set_text(preset)
        self._meaning.value = "" if preset == OWN else f"<small>{kernels.describe(preset)}</small>"

    def _write_weights(self) -> None:
        """Draw the nine numbers on their colors, which reach to the largest of them, if they have changed."""
        kernel = self.kernel
        if np.array_equal(kernel, self._grid.get_array()):
            return
        top = float(np.abs(kernel).max()) or 1.0
        self._grid.set_data(kernel)
        self._grid.set_clim(-top, top)
        for text, weight in zip(self._written, kernel.ravel(), strict=True):
            text.set_text(f"{weight:.3g}".replace("-", "−"))
            text.set_color(legible(self._grid.to_rgba(weight)))
        self._sum.set_text(f"weights, sum {kernel.sum() + 0.0:.3g}".replace("-", "−"))

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
