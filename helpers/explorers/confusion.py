"""The confusion matrix with its images behind it: choose a cell, or click on it, and see who was confused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.explorers.base import WIDEST, Explorer, flow
from helpers.explorers.parts import inches, menu
from helpers.plots.pixels import pixels
from helpers.plots.style import DPI, FAINT, INK, SHARPNESS, as_array, figure

ORDERS = ("most sure first", "least sure first")
COLUMNS, ROWS = 6, 4
MARK = "#0072B2"


class ConfusionBrowser(Explorer):
    """The confusion matrix beside the images of one of its cells, each with the probability of the answer it got.

    Two menus choose the cell: the true class (row) and what the network says (column). In a running notebook a click
    on a cell of the matrix does the same. Colors count mistakes only, so that the diagonal cannot drown them.

    Args:
        logits: (N, classes), what the network says about the images.
        split: the images (N, C, H, W) in [0, 1] and their labels (N,).
        classes: names of the classes; "0", "1"... if not given.
        values: starting values of the controls, such as ``truth="4", said="9"``; the most common mistake if not given.

    Raises:
        ValueError: if logits, images and names do not belong together.
    """

    alt = (
        "Confusion matrix, true classes in rows and the network's answers in columns, with one cell marked, and beside "
        "it the images of this cell, each with the probability the network gave to its answer."
    )

    def __init__(self, logits: Any, split: Any, classes: Sequence[str] | None = None, **values: Any) -> None:
        table, labels = as_array(logits).astype(np.float64), as_array(split.labels)
        if table.ndim != 2 or len(table) != len(labels):
            raise ValueError(f"Give one row of logits per image: there are {len(labels)} images, logits {table.shape}.")
        self.classes = [str(c) for c in (range(table.shape[1]) if classes is None else classes)]
        if len(self.classes) != table.shape[1] or (len(labels) and labels.max() >= table.shape[1]):
            raise ValueError(f"There are {table.shape[1]} logits per image, but {len(self.classes)} classes are named.")
        scores = np.exp(table - table.max(1, keepdims=True))
        self._images, self._labels, self._answers = as_array(split.images), labels, table.argmax(1)
        self._sureness = (scores / scores.sum(1, keepdims=True)).max(1)
        self.matrix = np.zeros((len(self.classes), len(self.classes)), dtype=int)
        np.add.at(self.matrix, (self._labels, self._answers), 1)
        wrong = self.matrix - np.diag(self.matrix.diagonal())
        y, x = np.unravel_index(wrong.argmax(), wrong.shape)
        super().__init__(**{"truth": self.classes[y], "said": self.classes[x]} | values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The true class, the answer, and the order of the images."""
        return {
            "truth": menu("true class", self.classes),
            "said": menu("network says", self.classes),
            "order": menu("order", ORDERS),
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The menus above the picture, and over the picture a transparent sheet that feels clicks."""
        row = flow(*controls.values())
        try:
            from ipycanvas import Canvas
        except ImportError:  # the menus do the same
            return self.page(row)
        width, height = (round(inches * DPI / SHARPNESS) for inches in self.figure.get_size_inches())
        sheet = Canvas(
            width=width, height=height, layout=widgets.Layout(grid_area="here", max_width=WIDEST, margin="2px")
        )
        sheet.on_mouse_down(self.click)
        self.image.layout.grid_area = "here"
        stack = widgets.Layout(grid_template_areas='"here"', justify_items="flex-start", align_items="flex-start")
        return widgets.VBox([row, self.error, widgets.GridBox([self.image, sheet], layout=stack)])

    def click(self, x: float, y: float) -> None:
        """Choose the cell at this place of the picture, in pixels of the page from its upper left corner."""
        place = (x * SHARPNESS, self.figure.get_size_inches()[1] * DPI - y * SHARPNESS)
        column, row = np.floor(self._axes.transData.inverted().transform(place) + 0.5).astype(int)
        if 0 <= row < len(self.classes) and 0 <= column < len(self.classes):
            self.set(truth=self.classes[row], said=self.classes[column])

    def found(self, truth: str, said: str, order: str) -> np.ndarray:
        """Numbers of the images in a cell, in the chosen order."""
        cell = (self._labels == self.classes.index(truth)) & (self._answers == self.classes.index(said))
        chosen = np.flatnonzero(cell)
        return chosen[np.argsort(self._sureness[chosen] * (-1 if order == ORDERS[0] else 1), kind="stable")]

    def build(self) -> Figure:
        """The matrix, drawn once; a frame that moves over it; a sheet of images with a caption each."""
        count, names = len(self.classes), self.classes
        longest = max(map(len, names))
        wide, high = 10.2, 4.7
        drawn = figure(wide, high, layout=None)
        left, below = 0.55 + 0.085 * longest, 0.52 + (0.062 * longest if longest > 3 else 0)
        side = high - below - 0.3
        self._axes = axes = inches(drawn, left, below, side, side)
        wrong = self.matrix - np.diag(self.matrix.diagonal())
        top = max(int(wrong.max()), 1)
        axes.imshow(wrong, cmap="Reds", vmin=0, vmax=top)
        size = min(10.0, 72 * side / count / 2.6)
        for (y, x), number in np.ndenumerate(self.matrix):
            if number:
                color = FAINT if y == x else "white" if wrong[y, x] > 0.6 * top else INK
                axes.text(x, y, f"{number}", ha="center", va="center", fontsize=size, color=color)
        slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 3 else {}
        axes.set_xticks(range(count), names, **slant)
        axes.set_yticks(range(count), names)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0, labelsize=min(11, 14 - 0.3 * longest))
        axes.set(xlabel="the network says", ylabel="true class")
        self._frame = axes.add_patch(
            Rectangle((0, 0), 1, 1, fill=False, edgecolor=MARK, linewidth=3.0, clip_on=False, zorder=4)
        )

        right = left + side + 0.35
        room = wide - right - 0.1
        self._title = drawn.text(right / wide, 1 - 0.12 / high, "", fontsize=12.5, va="top")
        self._note = drawn.text((right + room / 2) / wide, 0.5, "", fontsize=12, ha="center", color=FAINT)
        step = min(room / COLUMNS, (high - 0.55) / ROWS - 0.2)
        self._pictures, self._captions = [], []
        for i in range(COLUMNS * ROWS):
            y, x = divmod(i, COLUMNS)
            place = (right + x * step, high - 0.5 - (y + 1) * (step + 0.2) + 0.2)
            panel = inches(drawn, *place, 0.94 * step, 0.94 * step)
            panel.set_axis_off()
            self._pictures.append(pixels(panel))
            middle = ((place[0] + 0.47 * step) / wide, (place[1] - 0.03) / high)
            self._captions.append(drawn.text(*middle, "", fontsize=9, ha="center", va="top"))
        return drawn

    def draw(self, truth: str, said: str, order: str) -> None:
        """Frame the cell and lay out its images."""
        self._frame.set_xy((self.classes.index(said) - 0.5, self.classes.index(truth) - 0.5))
        found = self.found(truth, said, order)
        for i, (picture, caption) in enumerate(zip(self._pictures, self._captions, strict=True)):
            shown = i < len(found)
            picture.set_visible(shown)
            caption.set_text(f"{self._sureness[found[i]]:.0%} sure" if shown else "")
            if shown:
                image = self._images[found[i]]
                picture.set_data(image[0] if len(image) == 1 else np.moveaxis(image, 0, 2))
        what = f"{truth}, recognized" if truth == said else f"{truth}, taken for {said}"
        shown = f", {COLUMNS * ROWS} shown" if len(found) > COLUMNS * ROWS else ""
        self._title.set_text(f"{what}: {len(found):,} {'image' if len(found) == 1 else 'images'}{shown}")
        self._note.set_text("" if len(found) else "nobody made this mistake")
