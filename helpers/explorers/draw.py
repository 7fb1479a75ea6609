"""Draw a digit: a pen, and a network that says while you draw what it sees, and where."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from ipycanvas import Canvas, hold_canvas
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from helpers import data
from helpers.data import strokes
from helpers.explorers.base import Explorer
from helpers.explorers.parts import Bars, inches, menu, panel, shade, slider
from helpers.inside.attribution import saliency
from helpers.inside.occlusion import occlusion
from helpers.network import checkpoints
from helpers.network.hooks import record
from helpers.plots.pictures import tile
from helpers.plots.pixels import pixels
from helpers.plots.style import COLORS, Kind, as_array, figure, limit

OWN = "my own drawing"
NETWORKS = {"digits": "mnist", "clothes": "fashion"}
LAYERS = ("features.relu1", "features.relu2")
#: Side of the sheet in pixels of the page, and seconds that pass at least between two pictures while the pen is down.
SHEET, PAUSE = 280, 0.1
#: Mask positions are this far apart while the pen is down, and when it is lifted.
HASTY, CAREFUL = 3, 1
#: Maps in a row, for the first and the second layer.
COLUMNS = (8, 13)
PAPER, PEN = "#0b0d10", "#f4f4f4"


class DrawDigit(Explorer):
    """A sheet to draw on with mouse, pen or finger; beside it what the network makes of the drawing, while you draw.

    The drawing is brought into the form the network was trained on (:mod:`helpers.data.strokes`): a digit into a box of
    20×20 pixels and with its center of mass in the middle of 28×28, both drawn into the first panel; a garment to the
    full 28×28. It may be turned first; the sheet stays as it is. Below it the probabilities; then the occlusion and the
    saliency map of the class it says, and what both layers answer after their ReLU.

    Until somebody draws, and where nobody can, a stored drawing stands in. The first stroke takes a new sheet.

    Args:
        models: the networks to ask, by the names ``"digits"`` and ``"clothes"``; the shipped ones if not given.
        values: starting values of the controls, such as ``example="4"``.

    Raises:
        ValueError: if a network has another name.
    """

    alt = (
        "Draw a digit: a sheet to draw on, a stored drawing, a network, thickness, turn and filling to choose; beside "
        "it the drawing as 28×28 pixels, the probabilities of ten classes, its occlusion and saliency maps, and the "
        "feature maps of both layers."
    )

    def __init__(self, models: Mapping[str, nn.Module] | None = None, **values: Any) -> None:
        self.models = {name: checkpoints.load(of) for name, of in NETWORKS.items()} if models is None else dict(models)
        if not self.models or set(self.models) - set(NETWORKS):
            raise ValueError(f"The networks are named {' and '.join(NETWORKS)}; these are {', '.join(self.models)}.")
        self.classes = {name: data.CLASSES[of] for name, of in NETWORKS.items()}
        self.strokes: list[list[strokes.Point]] = []
        self._past: list[list[list[strokes.Point]]] = []
        self._down, self._due, self._step = False, 0.0, CAREFUL
        self._drawn_pen: float | None = None
        self._named = "digits"
        self.canvas = Canvas(width=SHEET, height=SHEET, layout=widgets.Layout(width=f"{SHEET}px", height=f"{SHEET}px"))
        super().__init__(**{"example": "8"} | values)

    # -- the controls --------------------------------------------------------------------------------------------------

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Stored drawing, network, thickness, turn, filling; buttons that clear the sheet and take a step back."""
        half = widgets.Layout(width="136px")
        example = menu("drawing", [OWN, *strokes.DIGITS, *strokes.GARMENTS])
        clear = widgets.Button(description="clear", icon="trash", layout=half)
        undo = widgets.Button(description="undo", icon="undo", layout=half)
        example.observe(self._take_example, names="value")
        clear.on_click(lambda _: self.clear())
        undo.on_click(lambda _: self.undo())
        self.canvas.on_client_ready(self._repaint)
        for kind, begin, go_on, ends in (
            ("mouse", self.canvas.on_mouse_down, self.canvas.on_mouse_move,
             (self.canvas.on_mouse_up, self.canvas.on_mouse_out)),
            ("touch", self.canvas.on_touch_start, self.canvas.on_touch_move,
             (self.canvas.on_touch_end, self.canvas.on_touch_cancel)),
        ):  # fmt: skip
            # A mouse says (x, y), fingers say [(x, y), ...], of which the first draws.
            first = (lambda x, y: (x, y)) if kind == "mouse" else (lambda touches: touches[0] if touches else None)
            begin(lambda *place, first=first: self.pen_down(first(*place)))
            go_on(lambda *place, first=first: self.pen_move(first(*place)))
            for end in ends:
                end(lambda *_: self.pen_up())
        return {
            "example": example,
            "network": widgets.ToggleButtons(
                options=list(self.models), style={"button_width": "132px"}, layout=widgets.Layout(width="290px")
            ),
            "thickness": slider("thickness", 0.03, 0.2, 0.08, step=0.005, readout_format=".3f"),
            "turn": slider("turn", -180, 180, 0, step=5),
            "fill": widgets.Checkbox(description="fill what is enclosed", indent=False),
            "clear": clear,
            "undo": undo,
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """The sheet with its controls below it; the picture at its right, or below where the page is narrow."""
        buttons = widgets.HBox([controls["undo"], controls["clear"]])
        others = [controls[name] for name in ("network", "thickness", "turn", "fill", "example")]
        left = widgets.VBox([self.canvas.add_class("draw-sheet"), buttons, *others])
        right = widgets.VBox([self.error, self.image], layout=widgets.Layout(flex="0 1 auto", min_width="0"))
        row = widgets.Layout(flex_flow="row wrap", grid_gap="6px 16px", align_items="flex-start")
        return widgets.HBox([left, right], layout=row)

    # -- the pen -------------------------------------------------------------------------------------------------------

    def pen_down(self, place: tuple[float, float] | None) -> None:
        """A stroke begins at this place, in pixels of the sheet; on a stored drawing it begins a new sheet."""
        if place is None:
            return
        self._remember()
        if self._controls["example"].value != OWN:
            self.strokes = []
            with self.quiet():
                self._controls["example"].value = OWN
                self._controls["fill"].value &= self._controls["network"].value == "clothes"
            self._repaint()
        self.strokes.append([self._point(place)])
        self._down, self._due = True, time.perf_counter() + PAUSE
        self._ink(self.strokes[-1])

    def pen_move(self, place: tuple[float, float] | None) -> None:
        """The stroke goes on; the picture follows as often as it can without keeping the pen waiting."""
        if not self._down or place is None:
            return
        stroke = self.strokes[-1]
        point = self._point(place)
        if abs(point[0] - stroke[-1][0]) + abs(point[1] - stroke[-1][1]) < 0.004:
            return
        stroke.append(point)
        self._ink(stroke[-2:])
        if time.perf_counter() >= self._due:
            self._look(HASTY)

    def pen_up(self) -> None:
        """The stroke ends; now the picture is drawn with care."""
        if self._down:
            self._down = False
            self._look(CAREFUL)

    def clear(self) -> None:
        """An empty sheet; :meth:`undo` brings the drawing back."""
        if self.strokes:
            self._remember()
            self._show([])

    def undo(self) -> None:
        """Take back the last stroke, or the last clearing."""
        if self._past:
            self._show(self._past.pop())

    def _remember(self) -> None:
        self._past = [*self._past[-49:], [list(stroke) for stroke in self.strokes]]

    def _show(self, drawing: list[list[strokes.Point]]) -> None:
        self.strokes, self._down = drawing, False
        with self.quiet():
            self._controls["example"].value = OWN
        self._look(CAREFUL)
        self._repaint()

    def _look(self, step: int) -> None:
        """Draw the picture with masks this far apart, and give the pen as much time as that took."""
        self._step, started = step, time.perf_counter()
        try:
            self._changed(None)
        finally:
            self._step = CAREFUL
        now = time.perf_counter()
        self._due = now + max(PAUSE, now - started)

    def _take_example(self, change: Any) -> None:
        name = change["new"]
        stored = strokes.DIGITS | strokes.GARMENTS
        if name not in stored:
            return
        self._remember()
        self.strokes, self._down = [list(stroke) for stroke in stored[name]], False
        kind = "clothes" if name in strokes.GARMENTS else "digits"
        with self.quiet():  # the base class draws once, for the drawing itself
            self._controls["fill"].value = kind == "clothes"
            if kind in self.models:
                self._controls["network"].value = kind
        self._repaint()

    @staticmethod
    def _point(place: tuple[float, float]) -> strokes.Point:
        x, y = (min(max(float(value) / SHEET, 0.0), 1.0) for value in place)
        return x, y

    # -- the sheet -----------------------------------------------------------------------------------------------------

    def _repaint(self) -> None:
        with hold_canvas():
            self.canvas.fill_style = PAPER
            self.canvas.fill_rect(0, 0, SHEET, SHEET)
            for stroke in self.strokes:
                self._ink(stroke)

    def _ink(self, stroke: Sequence[strokes.Point]) -> None:
        """Draw a stroke, or its newest piece, with a round pen."""
        width = self._controls["thickness"].value * SHEET
        points = [(x * SHEET, y * SHEET) for x, y in stroke]
        self.canvas.stroke_style = self.canvas.fill_style = PEN
        self.canvas.line_width, self.canvas.line_cap, self.canvas.line_join = width, "round", "round"
        if len(points) == 1:
            self.canvas.fill_circle(*points[0], width / 2)
        else:
            self.canvas.stroke_lines(points)

    # -- the picture ---------------------------------------------------------------------------------------------------

    def build(self) -> Figure:
        """Input over probabilities, occlusion over saliency, first layer over second."""
        drawn = figure(7.45, 4.2, layout=None)
        places = [(0.05, 2.2, 1.72, 1.72), (1.94, 2.2, 1.72, 1.72), (1.94, 0.08, 1.72, 1.72),
                  (3.83, 2.1, 3.57, 1.82), (3.83, 0.08, 3.57, 1.72)]  # fmt: skip
        kinds: tuple[Kind, ...] = ("image", "response", "activation", "activation", "activation")
        self._axes = [inches(drawn, *place) for place in places]
        made = [panel(axes, kind, size=11) for axes, kind in zip(self._axes, kinds, strict=True)]
        self._images, self._titles = zip(*made, strict=True)
        self._shadow = pixels(self._axes[1])
        for axes in self._axes[1:]:
            axes.set_aspect("auto")
        self._titles[0].set_text("what the network gets")
        self._frame = self._axes[0].add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=COLORS[4], linewidth=1.2))
        (self._middle,) = self._axes[0].plot([], [], "+", color=COLORS[5], markersize=11, markeredgewidth=2)
        self._bars = Bars(inches(drawn, 0.84, 0.1, 0.93, 1.7), self.classes["digits"], 9, ticks=())
        self._bars.axes.tick_params(axis="y", length=0)
        self._answer = drawn.text(0.91 / 7.45, 1.84 / 4.2, "", fontsize=11, ha="center")
        return drawn

    def draw(self, network: str, thickness: float, turn: int, fill: bool, **_: Any) -> None:
        """Bring the strokes into form, ask the network, and put answers and maps into the kept panels."""
        model = self.models[network]
        drawing = strokes.turned(self.strokes, turn) if turn else self.strokes
        placed = (strokes.digit if network == "digits" else strokes.garment)(drawing, thickness, fill)
        if self._named != network:
            self._named = network
            self._bars.axes.set_yticklabels(self.classes[network])
        if self._drawn_pen != thickness:  # the sheet shows the new pen
            self._drawn_pen = thickness
            self._repaint()
        x = torch.from_numpy(placed.image)[None, None]
        with record(model, LAYERS) as store, torch.no_grad():
            chances = as_array(model(x).softmax(1))[0]
        said = int(chances.argmax())
        name = self.classes[network][said]
        self._images[0].set_data(placed.image)
        self._mark(placed)
        masked = occlusion(model, x[0], 7, self._step).maps[said]
        self._map(1, masked, "occlusion, ±{:.1f} logits")
        self._shadow.set_data(shade(placed.image, 0.35))
        self._map(2, saliency(model, x, said)[0], "saliency, up to {:.1f}")
        for i, (layer, columns) in enumerate(zip(LAYERS, COLUMNS, strict=True)):
            sheet = tile(as_array(store[layer])[0], columns)
            self._map(3 + i, sheet, f"layer {i + 1}, {len(store[layer][0])} maps, up to {{:.1f}}")
        self._bars.show(chances, said)
        self._answer.set_text(f"{name}, {chances[said]:.0%}" if placed.box else "nothing drawn yet")

    def _mark(self, placed: strokes.Placed) -> None:
        """The box of the ink and its center of mass, in the first panel."""
        for artist in (self._frame, self._middle):
            artist.set_visible(placed.box is not None)
        if placed.box is not None:
            top, left, bottom, right = placed.box
            self._frame.set_bounds(left - 0.5, top - 0.5, right - left, bottom - top)
            self._middle.set_data([placed.center[1] - 0.5], [placed.center[0] - 0.5])

    def _map(self, index: int, values: Any, title: str) -> None:
        """A map and its title; the scale ends at the 99.5th percentile."""
        array, artist = as_array(values), self._images[index]
        top = limit([array], 99.5)
        artist.set_data(array)
        artist.set_clim(-top if index == 1 else 0.0, top)
        self._titles[index].set_text(title.format(top if np.nanmax(np.abs(array)) > 0 else 0.0).replace("-", "−"))
