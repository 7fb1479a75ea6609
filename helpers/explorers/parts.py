"""What many tools share: sliders and menus of one shape, panels for images, bars of probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.text import Text
from torch import nn

from helpers.explorers.base import Explorer
from helpers.plots.charts import verdicts
from helpers.plots.pixels import Pixels, pixels
from helpers.plots.style import COLORS, Kind, as_array, frame

LABEL, WIDTH = "92px", "290px"
#: Color of a frame around one filter or patch among many colored ones.
MARK = "#c1121f"


def shape(width: str = WIDTH) -> dict[str, Any]:
    """Style and layout of a control with its description at its left: all descriptions are equally wide."""
    return {"style": {"description_width": LABEL}, "layout": widgets.Layout(width=width, max_width="100%")}


def slider(
    name: str, low: float, high: float, value: float | None = None, step: float = 1, width: str = WIDTH, **more: Any
) -> widgets.IntSlider | widgets.FloatSlider:
    """A slider over whole numbers, or over real ones if its step is one; it starts at its lowest value if not told."""
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    start = low if value is None else value
    return kind(value=start, min=low, max=high, step=step, description=name, **shape(width), **more)


def menu(name: str, options: Iterable[Any], value: Any = None, width: str = WIDTH, **more: Any) -> widgets.Dropdown:
    """A menu; it starts at its first option if not told."""
    chosen = {} if value is None else {"value": value}
    return widgets.Dropdown(options=list(options), description=name, **chosen, **shape(width), **more)


def picker(take: Callable[[str, memoryview], None]) -> widgets.FileUpload:
    """A button that opens a file from the reader's computer and hands its name and its bytes to ``take``.

    What is chosen travels from the browser to the kernel in one message, and JupyterLab carries up to 10 MB in one.
    """
    button = widgets.FileUpload(
        accept="image/*",
        description="your photograph",
        tooltip="Open a picture from your computer, up to 10 MB",
        layout=widgets.Layout(width="auto", min_width="200px"),
    )

    def chosen(change: Any) -> None:
        for file in change["new"]:
            take(file["name"], file["content"])

    button.observe(chosen, names="value")
    return button


def inches(drawn: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches."""
    wide, high = drawn.get_size_inches()
    return drawn.add_axes((left / wide, bottom / high, width / wide, height / high))


def panel(axes: Axes, kind: Kind = "image", size: float = 12.0, pad: float = 6.0) -> tuple[Pixels, Text]:
    """An image in a thin frame, and the title so many points above it; both are filled by ``draw``."""
    frame(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_visible(False)  # no ticks, no labels: nothing to draw
    # Nothing lies over a title, and below the image it is not redrawn with it. A name with two $ is no formula.
    return pixels(axes, kind), axes.set_title("", fontsize=size, pad=pad, zorder=-1, parse_math=False)


def color_bar(drawn: Figure, artist: Any, place: Axes | tuple[float, float, float, float]) -> Colorbar:
    """The color bar of a signed map whose scale its title tells."""
    bar = drawn.colorbar(artist, cax=place if isinstance(place, Axes) else drawn.add_axes(place))
    bar.set_ticks([-1, 0, 1], labels=["−", "0", "+"])
    bar.outline.set_visible(False)
    return bar


def shade(ink: Any, strength: float = 0.22, color: float = 0.0) -> np.ndarray:
    """Colors (H, W, 4) that lay the ink (H, W) of an image over a map as a transparent gray."""
    array = as_array(ink)
    layer = np.full((*array.shape, 4), color)
    layer[..., 3] = strength * array
    return layer


class Bars:
    """The probabilities of the classes as bars, with a title: the true class is green, a wrong winner red.

    Args:
        axes: where they stand.
        classes: their names, from the top.
        size: of the names, in points.
        ticks: where the axis of the probabilities has numbers.
        title: size of the title, in points.
    """

    def __init__(
        self,
        axes: Axes,
        classes: Sequence[str],
        size: float = 10.0,
        ticks: Sequence[float] = (0, 1),
        title: float = 12.0,
    ) -> None:
        self.axes, self.title = axes, axes.set_title("", fontsize=title)
        self.patches = axes.barh(range(len(classes)), [0.0] * len(classes), color=COLORS[0]).patches
        axes.set_yticks(range(len(classes)), classes, fontsize=size)
        axes.set(xlim=(0, 1), xticks=ticks, axisbelow=True)  # names and ticks are not redrawn with the bars
        axes.invert_yaxis()

    def show(self, chances: np.ndarray, truth: int | None = None) -> int:
        """Set the bars to probabilities (K,); returns the class that wins."""
        for bar, chance, color in zip(self.patches, chances, verdicts(chances, truth), strict=True):
            bar.set(width=float(chance), color=color)
        return int(chances.argmax())


class ImageExplorer(Explorer):
    """A tool that asks one network about one of many images.

    Args:
        model: the network.
        images: (N, C, H, W) in [0, 1].
        labels: their true classes, (N,).
        classes: names of the classes.
        values: starting values of the controls.
    """

    def __init__(self, model: nn.Module, images: Any, labels: Any, classes: Sequence[str], **values: Any) -> None:
        self.model, self.classes = model, [str(name) for name in classes]
        self.images, self.labels = torch.as_tensor(images), torch.as_tensor(labels)
        super().__init__(**values)

    def image_slider(self) -> widgets.IntSlider:
        """Which image."""
        return slider("image", 0, len(self.images) - 1)

    def class_menu(self) -> widgets.Dropdown:
        """Which class: the true one (−1) or any."""
        return menu("class", [("true class", -1), *((name, i) for i, name in enumerate(self.classes))])
