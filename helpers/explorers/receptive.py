"""The receptive field explorer: pick a unit of any layer, and see which pixels of the image can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import LABEL, inches, slider
from helpers.filters import convolve
from helpers.filters.fields import NETWORK, paths
from helpers.plots.pixels import pixels
from helpers.plots.style import COLORS, FAINT, INK, figure, frame

DRAWN = ("conv1", "pool1", "conv2", "pool2")  # the maps that have a panel; a ReLU has the places of its convolution
PANEL = {"relu1": "conv1", "relu2": "conv2"}
MARK = COLORS[4]


class ReceptiveFieldExplorer(Explorer):
    """A unit of any layer of the canonical network: its field on the image and on every map between.

    Args:
        image: (28, 28) in [0, 1]; a 3 if not given.
        values: starting values of the controls, such as ``layer="conv2", row=5, column=5``.
    """

    alt = (
        "Receptive field explorer: the image and the maps of the canonical network side by side; a frame in each shows "
        "what the chosen unit sees of it, and orange pixels at the border of the image never reach it."
    )

    def __init__(self, image: Any = None, **values: Any) -> None:
        if image is None:
            image = data.load("mnist", first=8).train.images[7, 0]
        self.digit = np.asarray(image, dtype=np.float32)
        if self.digit.shape != (28, 28):
            raise ValueError(f"the image has shape {self.digit.shape}: the canonical network takes (28, 28).")
        self.fields = dict(zip(NETWORK, convolve.receptive_field(list(NETWORK.values())), strict=True))
        self.sizes = {name: field.units(28) for name, field in self.fields.items()}
        places = {name: values.pop(name) for name in ("row", "column") if name in values}
        super().__init__(**{"layer": "conv2"} | values)
        last = self._row.max
        self.set(**{"row": last // 2, "column": last // 2} | places)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Layer, row and column of the unit, and whether to weigh the pixels by the ways from them to the unit."""
        buttons = {"description_width": LABEL, "button_width": "92px"}
        layer = widgets.ToggleButtons(options=list(NETWORK), description="layer", style=buttons)
        self._row, self._column = slider("row", 0, 25), slider("column", 0, 25)
        layer.observe(self._take_layer, names="value")
        weigh = widgets.Checkbox(value=False, description="weigh pixels by their paths", indent=False)
        return {"layer": layer, "row": self._row, "column": self._column, "weigh": weigh}

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The layer in the first row, the place of the unit in the second, then the picture."""
        place = flow(*(controls[name] for name in ("row", "column", "weigh")))
        return self.page(controls["layer"], place)

    def _take_layer(self, change: Any) -> None:
        """Go to the unit of the new layer that lies at about the same place."""
        with self.quiet():
            last = self.sizes[change["new"]] - 1
            for slider in (self._row, self._column):
                part = slider.value / slider.max if slider.max else 0.5
                slider.value, slider.max = 0, last
                slider.value = round(part * last)

    def set(self, **values: Any) -> None:
        """Set several controls at once and draw once; the layer first, because it says which rows there are."""
        first = {name: values.pop(name) for name in ("layer",) if name in values}
        super().set(**first, **values)

    def build(self) -> Figure:
        """The image large, the four maps smaller to its right, each as an empty grid."""
        wide, high = 10.2, 3.55
        drawn = figure(wide, high, layout=None)
        image = inches(drawn, 0.1, 0.55, 2.7, 2.7)
        frame(image)
        pixels(image, data=self.digit)
        self._ways = pixels(image, "activation", data=np.full((28, 28), np.nan))
        self._ways.set_alpha(0.85)
        image.set_title("image 28×28", fontsize=11, pad=4)
        self._lost = [image.add_patch(Rectangle((0, 0), 0, 0, color=COLORS[1])) for _ in range(2)]
        grids = {}
        for i, name in enumerate(DRAWN):
            grids[name] = inches(drawn, 3.15 + 1.79 * i, 1.0, 1.6, 1.6)
            frame(grids[name])
            n = self.sizes[name]
            grids[name].set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), facecolor="#e6eaee")
            grids[name].set_xticks(np.arange(1, n) - 0.5, minor=True)
            grids[name].set_yticks(np.arange(1, n) - 0.5, minor=True)
            grids[name].grid(which="minor", color="white", linewidth=0.9)
            grids[name].tick_params(which="minor", length=0)
            grids[name].set_title(f"{name} {n}×{n}", fontsize=11, pad=4)
        ground = {"facecolor": MARK, "edgecolor": INK, "linewidth": 1.6, "zorder": 3}
        self._seen = {name: axes.add_patch(Rectangle((0, 0), 1, 1, **ground)) for name, axes in grids.items()}
        self._shadow = image.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="black", linewidth=4))
        self._box = image.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor="#ffd400", linewidth=2.4))
        self._words = drawn.text(0.1 / wide, 0.16 / high, "", fontsize=12)
        self._counts = [
            drawn.text((3.95 + 1.79 * i) / wide, 0.78 / high, "", ha="center", fontsize=11, color=FAINT)
            for i in range(len(DRAWN))
        ]
        return drawn

    def seen(self, layer: str, row: int, column: int) -> dict[str, tuple[slice, slice]]:
        """Rows and columns that a unit sees of each layer below it, of its own (itself), and of the image."""
        names = list(NETWORK)
        at = names.index(layer)
        boxes = {}
        for depth in range(at + 1):
            chain = [NETWORK[name] for name in names[depth + 1 : at + 1]]
            n = self.sizes[names[depth]]
            if chain:
                boxes[names[depth]] = convolve.receptive_field(chain)[-1].box(row, column, (n, n))
            else:
                boxes[names[depth]] = (slice(row, row + 1), slice(column, column + 1))
        return boxes | {"image": self.fields[layer].box(row, column, (28, 28))}

    def draw(self, layer: str, row: int, column: int, weigh: bool) -> None:
        """Frame what the unit sees of the image and of every map below it, and color what no unit of its layer sees."""
        boxes = self.seen(layer, row, column)
        for name, patch in self._seen.items():
            patch.set_visible(name in boxes)
            if name in boxes:
                _bounds(patch, boxes[name])
        for text, name in zip(self._counts, DRAWN, strict=True):
            rows, columns = boxes.get(name, (slice(0, 0), slice(0, 0)))
            count = (rows.stop - rows.start) * (columns.stop - columns.start)
            own = name in (layer, PANEL.get(layer))
            text.set_text("" if not count else "the unit" if own else f"{count} places")
        for patch in (self._shadow, self._box):
            _bounds(patch, boxes["image"])
        self._draw_lost(layer)
        if weigh:
            ways = paths(layer, row, column)
            self._ways.set_data(np.where(ways > 0, ways / ways.max(), np.nan))
        self._ways.set_visible(weigh)
        field, (ys, xs) = self.fields[layer], boxes["image"]
        self._words.set_text(
            f"{layer}, row {row}, column {column} sees {field.size}×{field.size} pixels: "
            f"rows {ys.start} to {ys.stop - 1}, columns {xs.start} to {xs.stop - 1}.  "
            f"Its neighbor's field lies {field.jump} {'pixel' if field.jump == 1 else 'pixels'} on."
            if self.sizes[layer] > 1
            else f"every unit of {layer} sees {field.size}×{field.size} pixels: rows and columns {ys.start} to "
            f"{ys.stop - 1}.  The orange border never reaches it."
        )

    def _draw_lost(self, layer: str) -> None:
        """Orange where no unit of this layer looks: right and bottom border."""
        last = self.sizes[layer] - 1
        end = self.fields[layer].interval(last, 28).stop
        self._lost[0].set_bounds(end - 0.5, -0.5, 28 - end, 28)
        self._lost[1].set_bounds(-0.5, end - 0.5, end, 28 - end)


def _bounds(patch: Rectangle, box: tuple[slice, slice]) -> None:
    rows, columns = box
    patch.set_bounds(columns.start - 0.5, rows.start - 0.5, columns.stop - columns.start, rows.stop - rows.start)
