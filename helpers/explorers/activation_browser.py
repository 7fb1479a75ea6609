"""The activation browser: one image, one layer, every map of it, and what one channel looks at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import inches, menu, panel, slider
from helpers.filters.geometry import ReceptiveField, receptive_field
from helpers.network import checkpoints, running
from helpers.network.hooks import activations
from helpers.network.models import layer_table
from helpers.plots.pictures import tile
from helpers.plots.pixels import pixels
from helpers.plots.style import FAINT, Kind, as_picture, colormap, figure, limit

ALL, OWN = "all", "your own"
SAMPLE = 100  # images whose strongest response sets the color scale of a layer
MARK = "#00b4d8"  # stands out on gray, on black-to-yellow and on blue-to-red alike


class ActivationBrowser(Explorer):
    """Image, layer and channel; the image beside all maps of the layer, one map enlarged, and the patch it responds to.

    Convolutions are drawn before the ReLU, signed around zero; all later layers from black (zero) up. A scale belongs
    to a stage of the network and stays the same for every image, so that maps can be compared while a slider moves.

    Args:
        model: a network with a ``features`` part whose convolutions and poolings stand one behind the other; the MNIST
            checkpoint if not given.
        images: a split with labels, or an array (N, C, H, W); the MNIST test set if not given.
        own: your own image (H, W) or several (N, H, W), in [0, 1], white on black; shown first when given.
        classes: names of the classes; "0", "1"... if not given.
        values: starting values of the controls, such as ``image=22, layer="relu1", channel=3``.

    Raises:
        ValueError: if an image does not have the size that the network takes.
    """

    alt = (
        "Activation browser: an image with the receptive field of one unit marked, all maps of the chosen layer as a "
        "contact sheet, the chosen channel enlarged with its strongest unit marked, the patch of the image which that "
        "unit sees and, in the first layer, the weights of the channel's filter."
    )

    def __init__(
        self,
        model: nn.Module | None = None,
        images: Any = None,
        *,
        own: Any = None,
        classes: tuple[str, ...] | None = None,
        **values: Any,
    ) -> None:
        self.model = checkpoints.load("mnist") if model is None else model
        images = data.load("mnist").test if images is None else images
        labels = getattr(images, "labels", None)
        self._labels = None if labels is None else np.asarray(labels)
        self._images = _batch(getattr(images, "images", images), "images")
        self._own = None if own is None else _batch(own, "own", self._images.shape[1])
        if self._own is not None and self._own.shape[1:] != self._images.shape[1:]:
            size, given = ("×".join(map(str, x.shape[-2:])) for x in (self._images, self._own))
            raise ValueError(f"own is an image of {given} pixels: the network takes {size}.")
        table = [x for x in layer_table(self.model, tuple(self._images.shape[1:])) if len(x.output_shape) == 3]
        self._names = {x.name.split(".")[-1]: x.name for x in table}
        self._shapes = {x.name.split(".")[-1]: x.output_shape for x in table}
        self._modules = {short: self.model.get_submodule(name) for short, name in self._names.items()}
        self._fields = self._find_fields()
        count = running.predict(self.model, self._images[:1]).shape[1]
        self.classes = tuple(classes or map(str, range(count)))
        self._seen: tuple[str, int] | None = None
        self._laid_out = ""
        self._tops = self._find_tops()
        first = "relu1" if "relu1" in self._names else next(iter(self._names))
        start = {"digits": ALL if own is None else OWN, "image": 22 if own is None else 0, "layer": first, "channel": 3}
        start["image"] = min(start["image"], len(self._chosen(start["digits"])) - 1)
        start["channel"] = min(start["channel"], self._shapes[values.get("layer", first)][0] - 1)
        super().__init__(**start | values)

    @property
    def inert(self) -> dict[str, str]:
        """The image slider, where there is one image."""
        single = self._own is not None and len(self._own) == 1
        return {"image": "a single image of your own leaves nothing to slide through"} if single else {}

    # -- what is known before a slider moves --------------------------------------------------------------------------

    def _find_fields(self) -> dict[str, ReceptiveField]:
        chain = []
        for module in self._modules.values():
            size, stride, padding = (
                getattr(module, n, d) for n, d in (("kernel_size", 1), ("stride", 1), ("padding", 0))
            )
            chain.append(tuple(x[0] if isinstance(x, tuple) else x for x in (size, stride, padding)))
        return dict(zip(self._modules, receptive_field(chain), strict=True))

    def _find_tops(self) -> dict[str, float]:
        """End of the color scale of each layer: a convolution, its ReLU and its pooling share one."""
        sample = activations(self.model, self._images[:SAMPLE], list(self._names.values()))
        tops, top = {}, 1.0
        for short, name in self._names.items():
            if isinstance(self._modules[short], nn.Conv2d):
                answers = sample[name].numpy()
                top = limit([answers[answers > 0]], 99.5)
            tops[short] = top
        return tops

    def _chosen(self, digits: str) -> np.ndarray:
        """Indices of the images that the slider runs over."""
        if digits == OWN:
            return np.arange(len(self._own))
        if digits == ALL or self._labels is None:
            return np.arange(len(self._images))
        return np.flatnonzero(self._labels == self.classes.index(digits))

    def _filter(self, layer: str) -> Tensor | None:
        """Weights of the last convolution up to this layer, (out, in, k, k)."""
        found = None
        for short, module in self._modules.items():
            found = module.weight.detach() if isinstance(module, nn.Conv2d) else found
            if short == layer:
                break
        return found

    # -- controls -----------------------------------------------------------------------------------------------------

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Digits to choose from, the image among them, the layer, the channel."""
        present = [] if self._labels is None else [c for i, c in enumerate(self.classes) if (self._labels == i).any()]
        groups = [ALL, *present, *([OWN] if self._own is not None else [])]
        chosen = {
            "digits": menu("show", groups, width="210px"),
            "image": slider("image", 0, len(self._images) - 1, width="380px"),
            "layer": widgets.ToggleButtons(
                options=list(self._names),
                tooltips=["×".join(map(str, shape)) for shape in self._shapes.values()],
                style={"button_width": "64px"},
                layout=widgets.Layout(width="auto"),
            ),
            "channel": slider("channel", 0, 0, width="380px"),
        }
        chosen["digits"].observe(self._take_digits, names="value")
        chosen["layer"].observe(self._take_layer, names="value")
        chosen["channel"].max = self._shapes[chosen["layer"].value][0] - 1
        self._sliders = chosen
        return chosen

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """Which image above, which map below it, and the picture."""
        # ToggleButtons put a description of their own above themselves, where nothing else stands.
        word = widgets.Label("layer", layout=widgets.Layout(width="88px", display="flex", justify_content="flex-end"))
        layer = widgets.HBox([word, controls["layer"]])
        return self.page(flow(controls["digits"], controls["image"]), flow(layer, controls["channel"]))

    def _take_digits(self, change: Any) -> None:
        with self.quiet():
            slider, last = self._sliders["image"], len(self._chosen(change["new"])) - 1
            slider.max = last
            slider.value = min(slider.value, last)
            slider.disabled = last == 0

    def _take_layer(self, change: Any) -> None:
        with self.quiet():
            slider, last = self._sliders["channel"], self._shapes[change["new"]][0] - 1
            slider.max = last
            slider.value = min(slider.value, last)

    # -- the figure ---------------------------------------------------------------------------------------------------

    def build(self) -> Figure:
        """Five panels and a color bar, all in units of their own panel, so that a redraw moves no axis."""
        wide, high = 9.7, 4.2
        drawn = figure(wide, high, layout=None)
        places = [(0.1, 1.52, 2.15), (2.7, 0.1, 3.57), (6.44, 1.07, 2.6), (0.1, 0.1, 1.0), (1.25, 0.1, 1.0)]
        panels = [panel(inches(drawn, x, y, side, side), size=11) for x, y, side in places]
        (self._image, self._sheet, self._map, self._patch, self._weights), titles = zip(*panels, strict=True)
        self._weights.set_cmap(colormap("weights"))
        self._sheet.axes.set_axis_off()
        for artist, title in panels:
            title.set(ha="left", x=0)
            artist.axes.set_anchor("NW")
        self._titles = titles[:3]
        for title, text in zip(titles[3:], ("what it sees", "its filter"), strict=True):
            title.set(text=text, fontsize=11)
        mark = {"fill": False, "edgecolor": MARK, "linewidth": 2.0, "clip_on": False, "zorder": 4}
        self._boxes = [title.axes.add_patch(Rectangle((0, 0), 0, 0, **mark)) for title in self._titles]
        rows = max(-(-shape[0] // _columns(shape[0])) for shape in self._shapes.values())
        place = {"transform": self._sheet.axes.get_yaxis_transform(), "ha": "right", "va": "center", "zorder": -1}
        self._rows = [self._sheet.axes.text(-0.012, 0, "", fontsize=10, color=FAINT, **place) for _ in range(rows)]
        bar = inches(drawn, 9.13, 1.07, 0.1, 2.6)
        bar.set_axis_off()
        self._bar = pixels(bar)
        bar.set_aspect("auto")
        place = {"transform": bar.transAxes, "fontsize": 10, "va": "center", "zorder": -1}
        self._ends = [bar.text(1.5, y, "", **place) for y in (0.0, 0.5, 1.0)]
        self._said = drawn.text(6.44 / wide, 0.93 / high, "", fontsize=10, va="top")
        return drawn

    def _look(self, digits: str, index: int) -> None:
        """Send the image through the network, unless it is the one of the last redraw."""
        if self._seen == (digits, index):
            return
        source = self._own if digits == OWN else self._images
        self._x = source[index : index + 1]
        last = next(reversed(dict(self.model.named_modules())))
        with _one_thread():
            found = activations(self.model, self._x, [*self._names.values(), last])
        self.probabilities = torch.softmax(found[last][0], 0).numpy()
        self._found = {short: found[name][0].numpy() for short, name in self._names.items()}
        self._seen = (digits, index)
        self._image.set_data(as_picture(self._x[0]))

    def draw(self, digits: str, image: int, layer: str, channel: int) -> None:
        """Put the maps of the layer and the chosen channel into the kept panels."""
        index = int(self._chosen(digits)[image])
        self._look(digits, index)
        maps, top = self._found[layer], self._tops[layer]
        kind: Kind = "response" if isinstance(self._modules[layer], nn.Conv2d) else "activation"
        one, columns = maps[channel], _columns(len(maps))
        count, height, width = maps.shape
        sheet = tile(maps, columns)
        self._sheet.set_data(sheet)
        self._map.set_data(one)
        if self._laid_out != layer:
            self._laid_out = layer
            self._lay_out(kind, top, columns, count, height)
        self._draw_filter(layer, channel)
        y, x = divmod(channel, columns)
        self._boxes[1].set_bounds(x * (width + 1) - 0.5, y * (height + 1) - 0.5, width, height)

        winner = int(self.probabilities.argmax())
        truth = f" · a {self.classes[self._labels[index]]}" if digits != OWN and self._labels is not None else ""
        verdict = f"read as {self.classes[winner]} ({self.probabilities[winner]:.0%})"
        name = "your own image" if digits == OWN else f"image {index}"
        self._titles[0].set_text(f"{name}{truth}\n{verdict}")
        self._titles[1].set_text(f"{layer}: {count} maps of {height}×{width}")
        self._titles[2].set_text(f"{layer}, channel {channel}" + (", before ReLU" if kind == "response" else ""))
        self._draw_unit(layer, one)

    def _lay_out(self, kind: Kind, top: float, columns: int, count: int, height: int) -> None:
        """Color scale and row numbers, which only another layer changes."""
        low = -top if kind == "response" else 0.0
        self._bar.set_data(np.linspace(top, low, 256)[:, None])
        for artist in (self._sheet, self._map, self._bar):
            artist.set(cmap=colormap(kind), clim=(low, top))
        for row, text in enumerate(self._rows):
            text.set(text=str(row * columns) if row * columns < count else "", y=row * (height + 1) + height / 2 - 0.5)
        for text, part in zip(self._ends, (-1, 0, 1) if kind == "response" else (0, 0.5, 1), strict=True):
            text.set_text(("≥" if part == 1 else "") + f"{part * top:.2g}".replace("-", "−"))

    def _draw_unit(self, layer: str, one: np.ndarray) -> None:
        """Mark the strongest unit of the map and what it sees of the image."""
        row, column = (int(i) for i in np.unravel_index(one.argmax(), one.shape))
        silent = bool(one[row, column] <= 0)
        for box in (self._boxes[0], self._boxes[2]):
            box.set_visible(not silent)
        on = f"{(one > 0).mean():.0%} of its units are on"
        if silent:
            self._patch.set_data(np.ones((1, 1)))
            self._said.set_text(f"silent here: no unit responds\n{on}")
            return
        self._boxes[2].set_bounds(column - 0.5, row - 0.5, 1, 1)
        rows, columns = self._fields[layer].box(row, column, self._x.shape)
        seen = (columns.stop - columns.start, rows.stop - rows.start)
        self._boxes[0].set_bounds(columns.start - 0.5, rows.start - 0.5, *seen)
        self._patch.set_data(as_picture(self._x[0, :, rows, columns]))
        value = one[row, column]
        self._said.set_text(
            f"strongest: {value:.2f} in row {row}, column {column}\nit sees {seen[1]}×{seen[0]} pixels · {on}"
        )

    def _draw_filter(self, layer: str, channel: int) -> None:
        """The weights of the channel, while they weigh pixels: 32 slices that weigh maps are no picture of anything."""
        weights = self._filter(layer)
        shown = weights is not None and weights.shape[1] == self._images.shape[1]
        self._weights.axes.set_visible(shown)
        if weights is None or not shown:
            return
        own = weights[channel].numpy()
        grid = own[0] if len(own) == 1 else tile(own, _columns(len(own)))
        self._weights.set_data(grid)
        self._weights.set_clim(-limit([own]), limit([own]))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """For one small image, waking a second thread takes longer than it saves, most of all on a busy computer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _columns(count: int) -> int:
    """Columns that make a contact sheet of so many maps about square."""
    return int(np.ceil(np.sqrt(count)))


def _batch(images: Any, name: str, channels: int = 1) -> Tensor:
    """Images as a float tensor (N, C, H, W), numbers from 0 to 1."""
    array = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[None] if array.shape[0] == channels and channels > 1 else array[:, None]
    if array.ndim != 4 or not array.size:
        raise ValueError(f"{name} must be (H, W), (N, H, W) or (N, C, H, W); it has the shape {np.shape(images)}.")
    if array.dtype.kind not in "fiub" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise ValueError(f"{name} must hold numbers from 0 (black) to 1 (white); divide bytes by 255.")
    return torch.as_tensor(np.ascontiguousarray(array, dtype=np.float32))
