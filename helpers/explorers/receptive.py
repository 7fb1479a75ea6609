"""The receptive field explorer: pick a unit of any layer, and see which pixels of the image can reach it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import ipywidgets as widgets
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers import data
from helpers.explorers.base import KeptExplorer
from helpers.filters import convolve
from helpers.plots.style import COLORS, FAINT, INK, RC, colormap, figure, frame

#: The canonical network as windows: (kernel, stride, padding) of each layer, ReLU as a window of one pixel.
NETWORK: dict[str, tuple[int, int, int]] = {
    "conv1": (3, 1, 0),
    "relu1": (1, 1, 0),
    "pool1": (2, 2, 0),
    "conv2": (3, 1, 0),
    "relu2": (1, 1, 0),
    "pool2": (2, 2, 0),
    "hidden": (5, 1, 0),  # a dense layer looks through a window as large as the whole map
    "output": (1, 1, 0),
}
DRAWN = ("conv1", "pool1", "conv2", "pool2")  # the maps that have a panel; a ReLU has the places of its convolution
PANEL = {"relu1": "conv1", "relu2": "conv2"}
MARK = COLORS[4]


def paths(layer: str, row: int, column: int, size: int = 28) -> np.ndarray:
    """In how many ways each pixel reaches a unit of the canonical network, (size, size): 0 outside its field.

    A way goes through one place of each layer. Close to the middle of the field there are more of them.
    """
    names = list(NETWORK)
    ways = np.ones((1, 1))
    corner = np.array([row, column])
    for name in reversed(names[: names.index(layer) + 1]):
        kernel, stride, _ = NETWORK[name]
        below = np.zeros([(n - 1) * stride + kernel for n in ways.shape])
        for y, x in np.ndindex(ways.shape):
            below[y * stride : y * stride + kernel, x * stride : x * stride + kernel] += ways[y, x]
        ways, corner = below, corner * stride
    reached = np.zeros((size, size))
    reached[corner[0] : corner[0] + len(ways), corner[1] : corner[1] + ways.shape[1]] = ways
    return reached


class ReceptiveFieldExplorer(KeptExplorer):
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
        self.digit = np.asarray(data.load("mnist").train.images[7, 0] if image is None else image, dtype=np.float32)
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
        wide = {"style": {"description_width": "60px"}, "layout": widgets.Layout(width="330px")}
        buttons = {"description_width": "60px", "button_width": "72px"}
        layer = widgets.ToggleButtons(options=list(NETWORK), description="layer", style=buttons)
        self._row = widgets.IntSlider(min=0, max=25, description="row", **wide)
        self._column = widgets.IntSlider(min=0, max=25, description="column", **wide)
        layer.observe(self._take_layer, names="value")
        weigh = widgets.Checkbox(value=False, description="weigh pixels by their paths", indent=False)
        return {"layer": layer, "row": self._row, "column": self._column, "weigh": weigh}

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The layer in the first row, the place of the unit in the second, then the picture."""
        row = widgets.Layout(flex_flow="row wrap", grid_gap="4px 18px", align_items="center")
        place = widgets.HBox([controls[name] for name in ("row", "column", "weigh")], layout=row)
        return widgets.VBox([controls["layer"], place, self.error, self.image])

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
        with matplotlib.rc_context(RC):
            drawn = figure(wide, high, layout=None)
            image = drawn.add_axes((0.1 / wide, 0.55 / high, 2.7 / wide, 2.7 / high))
            frame(image)
            self._image = image.imshow(self.digit, cmap=colormap("image"), vmin=0, vmax=1)
            self._ways = image.imshow(np.full((28, 28), np.nan), cmap="magma", alpha=0.85, vmin=0, vmax=1)
            image.set_title("image 28×28", fontsize=11, pad=4)
            self._lost = [image.add_patch(Rectangle((0, 0), 0, 0, color=COLORS[1])) for _ in range(2)]
            grids = {}
            for i, name in enumerate(DRAWN):
                grids[name] = drawn.add_axes(((3.15 + 1.79 * i) / wide, 1.0 / high, 1.6 / wide, 1.6 / high))
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
        self.moving = [self._ways, *self._lost, *self._seen.values(), self._shadow, self._box]
        self.moving += [self._words, *self._counts]
        return drawn

    def still(self) -> Hashable:
        """The image and the grids of the maps stay for good."""
        return "grids"

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
