"""The window stepper: walk a window over an image and watch the feature map fill, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from traitlets import link

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.parts import inches, menu, panel, slider
from helpers.filters import convolve, kernels
from helpers.filters.geometry import span
from helpers.plots.style import BAD, FAINT, INK, Kind, colormap, figure, legible, limit

WIDE, HIGH = 10.2, 3.75
NUMBERED = 5  # largest kernel whose numbers are written into its cells
PADDING = np.array([0.16, 0.25, 0.36])  # the color of padding: zeros like black pixels, but not of the image
UNREACHED = np.array([0.84, 0.37, 0.0])
WINDOW = "#ffd400"
Settings = tuple[str, str, int, int, int]


def _images() -> dict[str, np.ndarray]:
    digits = data.load("mnist", first=8).train.images[:, 0]
    square = np.zeros((12, 12), np.float32)
    square[3:9, 3:9] = 1
    return {
        "digit: 3, small": convolve.pool2d(digits[7], 2, kind="average"),
        "digit: 3": digits[7],
        "square": square,
        "ramp": np.tile(np.linspace(0, 1, 8, dtype=np.float32), (8, 1)),
    }


def _kernels() -> dict[str, np.ndarray]:
    return {
        **{name: kernels.get(name) for name in kernels.NAMES},
        "mean 2×2": np.full((2, 2), 0.25, np.float32),
        "bright left 4×4": kernels.four_edges(4)[1],
        "diagonal 5×5": kernels.diagonal(5),
        "diagonal 7×7": kernels.diagonal(7),
    }


class WindowStepper(Explorer):
    """Play, pause or step a window over an image; patch, products and their sum; the output filled cell by cell.

    A combination that does not fit is shown as such: pixels that no window reaches are orange, and a window that is
    larger than the image sticks out of it, with a sentence that says why nothing can be computed.

    Args:
        images: name → image (H, W) in [0, 1]; small digits and shapes if not given. Your own array goes in here.
        filters: name → kernel (k, k); the presets of :mod:`helpers.filters.kernels` and larger ones if not given.
        values: starting values of the controls, such as ``kernel="sobel x", stride=2, position=5``; a little over half
            of the positions are done at the start if ``position`` is not given.
    """

    alt = (
        "Window stepper: an image with a window on it, the patch under the window times the weights of the kernel, "
        "their products and the sum, and the feature map filled up to this place; below it the formula of its size."
    )
    inert: Mapping[str, str] = {"speed": "it sets the pace of playing, not what is drawn"}

    def __init__(
        self,
        images: Mapping[str, np.ndarray] | None = None,
        filters: Mapping[str, np.ndarray] | None = None,
        **values: Any,
    ) -> None:
        images, filters = images or _images(), filters or _kernels()
        self.images = {name: np.asarray(image, dtype=np.float32) for name, image in images.items()}
        self.kernels = {name: np.asarray(kernel, dtype=np.float32) for name, kernel in filters.items()}
        for name, array in (self.images | self.kernels).items():
            if array.ndim != 2 or not array.size or not np.isfinite(array).all():
                raise ValueError(
                    f"{name!r} has shape {array.shape}: give finite numbers (H, W), one gray image or kernel."
                )
        if "vertical edges" in self.kernels:
            values = {"kernel": "vertical edges"} | values
        self._known: Settings | None = None
        position = values.pop("position", None)
        super().__init__(**values)
        last = self._controls["position"].max
        self.set(position=round(0.55 * last) if position is None else position)

    # -- controls -----------------------------------------------------------------------------------------------------

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Play with its pace, back, forward, the position; image, kernel, stride, padding, dilation."""
        button = widgets.Layout(width="44px")
        play = widgets.Play(interval=100, show_repeat=True, repeat=False)
        position = slider("window", 0, 100, width="420px")
        back = widgets.Button(icon="step-backward", layout=button, tooltip="one step back")
        forward = widgets.Button(icon="step-forward", layout=button, tooltip="one step forward")
        pace = [("2 a second", 500), ("5 a second", 200), ("10 a second", 100), ("15 a second", 64)]
        speed = widgets.Dropdown(options=pace, value=100, layout=widgets.Layout(width="150px"))
        shape = {
            "image": menu("image", self.images),
            "kernel": menu("kernel", self.kernels),
            "stride": slider("stride", 1, 5),
            "padding": slider("padding", 0, 4),
            "dilation": slider("dilation", 1, 4),
        }
        self._play, self._position, self._shape = play, position, shape
        play.observe(self._tick, names="value")
        position.observe(lambda change: setattr(play, "value", change["new"]), names="value")
        link((speed, "value"), (play, "interval"))
        back.on_click(lambda _: self._step(-1))
        forward.on_click(lambda _: self._step(1))
        for control in shape.values():
            control.observe(self._restart, names="value")
        self._restart(None)
        return {"play": play, "back": back, "forward": forward, "position": position, **shape, "speed": speed}

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """How to walk in the first row, what to walk with below, then the picture."""
        walk = flow(*(controls[name] for name in ("play", "back", "forward", "position", "speed")))
        return self.page(walk, flow(*self._shape.values()))

    def set(self, **values: Any) -> None:
        """Set several controls at once and draw once; the position last, because the others send it back to 0."""
        position = {name: values.pop(name) for name in ("position",) if name in values}
        super().set(**values, **position)

    def _tick(self, change: Any) -> None:
        """Follow the play button, but not the ticks that were on their way when another window made it stop."""
        if self._play.playing or change["new"] in (0, self._play.max):  # its stop button sends 0
            self._position.value = change["new"]
        else:
            self._play.value = self._position.value

    def _step(self, by: int) -> None:
        self._play.playing = False
        self._position.value = min(max(self._position.value + by, 0), self._position.max)

    def _restart(self, _: Any) -> None:
        """Another image or window: stop, count its places anew, and go back to the first."""
        with self.quiet():
            rows, columns = self.grid
            last = max(rows * columns - 1, 0)
            self._play.playing = False
            self._position.value = 0
            self._position.max = self._play.max = last
            self._play.disabled = self._position.disabled = last == 0

    def _changed(self, change: Any) -> None:
        if change["owner"] is not self._play:  # it moves the position, and that one draws
            super()._changed(change)

    # -- what is computed ---------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """Image, kernel, stride, padding and dilation now."""
        return tuple(control.value for control in self._shape.values())

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output; (0, 0) when no window fits."""
        image, kernel, stride, padding, dilation = self.settings
        sizes = zip(self.images[image].shape, self.kernels[kernel].shape, strict=True)
        try:
            rows, columns = (convolve.output_size(n, k, stride, padding, dilation) for n, k in sizes)
        except ValueError:
            return 0, 0
        return rows, columns

    # -- the figure ---------------------------------------------------------------------------------------------------

    def build(self) -> Figure:
        """Image, patch, weights, products and output as panels that stay; only what a step changes is drawn anew."""
        drawn = figure(WIDE, HIGH, layout=None)
        places = [(0.1, 0.42, 2.9), *((3.25 + 1.42 * i, 1.62, 1.22) for i in range(3)), (7.6, 0.67, 2.5)]
        kinds: list[Kind] = ["image", "image", "weights", "response", "response"]
        axes = [inches(drawn, x, y, side, side) for x, y, side in places]
        made = [panel(a, kind, size=11, pad=4) for a, kind in zip(axes, kinds, strict=True)]
        (self._image, *self._pictures, self._map), titles = zip(*made, strict=True)
        self._input, *small, self._output = axes
        self._titles = [titles[0], titles[-1]]
        self._map.set_cmap(colormap("response").with_extremes(bad="#e6eaee"))
        self._numbers = [[a.text(0, 0, "", ha="center", va="center") for _ in range(NUMBERED**2)] for a in small]
        for title, name in zip(titles[1:4], ("patch", "weights", "products"), strict=True):
            title.set_text(name)
        signs = [drawn.text((4.57 + 1.42 * i) / WIDE, 2.23 / HIGH, s, fontsize=16) for i, s in enumerate("×=")]
        for sign in signs:
            sign.set(ha="center", va="center")
        self._small = [*small, *signs]
        self._sum = drawn.text(5.28 / WIDE, 1.05 / HIGH, "", ha="center", fontsize=17, weight="bold")
        self._place = drawn.text(5.28 / WIDE, 0.7 / HIGH, "", ha="center", fontsize=11, color=FAINT)
        self._formula = drawn.text(0.1 / WIDE, 0.1 / HIGH, "", fontsize=11)
        self._verdict = drawn.text(6.5 / WIDE, 1.9 / HIGH, "", ha="center", va="center", fontsize=13, color=BAD)
        edge = {"fill": False, "linewidth": 3.5, "edgecolor": "black", "zorder": 4}
        self._frames = [a.add_patch(Rectangle((0, 0), 1, 1, **edge)) for a in (self._input, self._input, self._output)]
        self._frames[1].set(edgecolor=WINDOW, linewidth=2.0)
        self._frames[2].set(edgecolor=INK, linewidth=2.0)
        dots = {"color": WINDOW, "markeredgecolor": "black", "markersize": 5, "linestyle": "", "marker": "o"}
        (self._dots,) = self._input.plot([], [], **dots)
        return drawn

    def draw(self, position: int, stride: int, dilation: int, **_: Any) -> None:
        """Move the window to this place, show what lies under it, and fill the output up to it."""
        if self._known != self.settings:
            self._prepare()
            self._known = self.settings
        rows, columns = self.grid
        kernel = self.kernels[self.settings[1]]
        height, width = (span(k, dilation) for k in kernel.shape)
        row, column = divmod(position, columns) if columns else (0, 0)
        top, left = row * stride, column * stride
        for box in self._frames[:2]:
            box.set_bounds(left - 0.5, top - 0.5, width, height)
        if not columns:
            return
        patch = self._padded[top : top + height : dilation, left : left + width : dilation]
        ys, xs = np.mgrid[top : top + height : dilation, left : left + width : dilation]
        self._dots.set_data(xs.ravel(), ys.ravel())
        products = patch * kernel
        for index, grid in ((0, patch), (2, products)):
            self._fill(index, grid)
        done = np.full(rows * columns, np.nan)
        done[: position + 1] = self._response.flat[: position + 1]
        self._map.set_data(done.reshape(rows, columns))
        self._frames[2].set_bounds(column - 0.5, row - 0.5, 1, 1)
        self._sum.set_text(f"sum {products.sum() + 0.0:+.2f}".replace("-", "−").replace("+0.00", "0"))
        self._place.set_text(f"goes to row {row}, column {column} of the map")

    def _prepare(self) -> None:
        """Everything that stays while the window walks: image with padding, weights, scales, titles, verdict."""
        name, chosen, stride, padding, dilation = self.settings
        image, kernel, (rows, columns) = self.images[name], self.kernels[chosen], self.grid
        self._padded = np.pad(image, padding)
        tall, wide = self._padded.shape
        colors = np.repeat(np.clip(self._padded, 0, 1)[..., None], 3, axis=2)
        outside = np.pad(np.zeros(image.shape, bool), padding, constant_values=True)
        colors[outside] = PADDING
        size = f"image {image.shape[0]}×{image.shape[1]}" + (f", padding {padding}" if padding else "")
        self._titles[0].set_text(size)
        need = [span(k, dilation) for k in kernel.shape]
        margin = 0 if columns else 1  # a window that sticks out is seen to stick out
        _room(self._input, max(tall, need[0] + margin), max(wide, need[1] + margin))
        self._image.set_data(colors)
        for artist in (*self._small, self._output, self._frames[2], self._sum, self._place):
            artist.set_visible(columns > 0)
        self._dots.set_visible(columns > 0 and dilation > 1)
        self._frames[1].set_edgecolor(WINDOW if columns else BAD)
        self._formula.set_text(self._size_in_words(image.shape, kernel.shape, stride, padding, dilation))
        self._verdict.set_text("")
        if not columns:
            self._verdict.set_text(
                f"Does not fit: the window spans {need[0]}×{need[1]} pixels,\nthe image with its padding "
                f"has {tall}×{wide}.\n\nTake a smaller kernel or dilation, or more padding."
            )
            return
        lost = [
            convolve.leftover(n, k, stride, padding, dilation) for n, k in zip(image.shape, kernel.shape, strict=True)
        ]
        unseen = np.zeros(self._padded.shape, bool)
        unseen[tall - lost[0] :], unseen[:, wide - lost[1] :] = True, True
        colors[unseen] = 0.45 * colors[unseen] + 0.55 * UNREACHED
        self._image.set_data(colors)
        self._response = convolve.correlate2d(image, kernel, stride, padding, dilation)
        self._titles[1].set_text(f"feature map {rows}×{columns}")
        _room(self._output, rows, columns)
        self._map.set_clim(-limit([self._response]), limit([self._response]))
        top = limit([kernel])
        for picture, end, low in zip(self._pictures, (1, top, top), (0, -top, -top), strict=True):
            picture.set_data(kernel)
            picture.set_clim(low, end)
        self._fill(1, kernel)

    def _size_in_words(self, image: tuple, kernel: tuple, stride: int, padding: int, dilation: int) -> str:
        room = image[1] + 2 * padding - span(kernel[1], dilation)
        terms = f"({image[1]} + 2·{padding} − {dilation}·({kernel[1]}−1) − 1) / {stride}"
        if room < 0:
            return f"columns: {terms} is negative: no window fits"
        size, lost = room // stride + 1, room % stride
        said = f"columns: ⌊{terms}⌋ + 1 = ⌊{room / stride:.3g}⌋ + 1 = {size}"
        pixels = "pixel is" if lost == 1 else "pixels are"
        return said + (f"      {lost} {pixels} left over (orange): one more step would run off" if lost else "")

    def _fill(self, index: int, grid: np.ndarray) -> None:
        """Colors, and numbers where they are legible, of patch (0), weights (1) or products (2)."""
        picture, texts = self._pictures[index], self._numbers[index]
        picture.set_data(grid)
        small = max(grid.shape) <= NUMBERED
        if not small:
            for text in texts:
                text.set_visible(False)
            return
        values = grid.ravel() + 0.0
        colors = picture.to_rgba(values)
        height, width = grid.shape
        places = 2 if max(height, width) <= 3 else 1
        for i, text in enumerate(texts):
            text.set_visible(i < values.size)
            if i < values.size:
                text.set(x=i % width, y=i // width, text=_short(values[i], places))
                text.set(color=legible(colors[i]), fontsize=min(28 / max(height, width), 11.0))


def _short(value: float, places: int) -> str:
    """A number with at most so many decimals, as it would be written by hand."""
    said = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if said in ("-0", "") else said.replace("-", "−")


def _room(axes: Axes, tall: int, wide: int) -> None:
    """Let the limits of a panel leave room for so many rows and columns."""
    axes.set(xlim=(-0.5, wide - 0.5), ylim=(tall - 0.5, -0.5))
