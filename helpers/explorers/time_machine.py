"""The training time machine: one slider moves a network's filters, maps, feature vectors, mistakes and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import inches, menu, panel
from helpers.inside.growth import Recording, load
from helpers.plots.clouds import TEN
from helpers.plots.pictures import tile
from helpers.plots.style import FAINT, colormap, figure, frame, limit


class TimeMachine(Explorer):
    """A recorded training run; the slider goes through its snapshots, and every scale and axis stays where it is.

    Args:
        recording: the run; the stored one of the reference network's recipe if not given.
        own: your own image (28, 28) in [0, 1], white on black: its first-layer maps can be followed too.
        values: starting values of the controls, such as ``step=506``.
    """

    alt = (
        "Training time machine: a slider over the steps of a training run moves the 32 filters of the first layer, "
        "their maps of a digit, a cloud of feature vectors colored by digit, the table of true digits and answers, "
        "and a map of where the digit is needed."
    )

    def __init__(self, recording: Recording | None = None, *, own: Any = None, **values: Any) -> None:
        self.recording = load() if recording is None else recording
        self.images = list(self.recording.digits)
        if own is not None:
            drawn = np.asarray(own, dtype=np.float32)
            if drawn.shape != self.images[0].shape or not 0 <= drawn.min() <= drawn.max() <= 1:
                size = "×".join(map(str, self.images[0].shape))
                raise ValueError(f"own is one image of {size} pixels with numbers from 0 to 1.")
            self.images.append(drawn)
        last = len(self.recording) - 1
        self._tops = [limit([self.recording.maps(last, image)], 99.5) for image in self.images]
        start = {"step": int(self.recording.steps[last])}
        super().__init__(**start | values)

    @property
    def inert(self) -> dict[str, str]:
        """The menu of digits, where there is one digit."""
        single = len(self.images) == 1
        return {"digit": "a run recorded with a single digit leaves nothing to choose"} if single else {}

    def controls(self) -> Mapping[str, widgets.Widget]:
        """The step of the training, and the digit to look at."""
        names = [(f"a {truth}", i) for i, truth in enumerate(self.recording.truths)]
        own = [("your own", len(names))] * (len(self.images) > len(names))
        step = widgets.SelectionSlider(
            options=[int(s) for s in self.recording.steps],
            description="step",
            style={"description_width": "92px"},
            layout=widgets.Layout(width="520px", max_width="100%"),
        )
        return {"step": step, "digit": menu("digit", [*names, *own])}

    def build(self) -> Figure:
        """Filters, maps and cloud above; the digit, its map of evidence and the mistakes below."""
        drawn = figure(10.0, 5.3, layout=None)
        self._filters, title = panel(inches(drawn, 0.1, 2.95, 2.9, 1.75), "weights")
        title.set_text("32 filters")
        self._maps, self._maps_title = panel(inches(drawn, 0.1, 0.1, 2.9, 2.45), "activation")
        self._image, self._said = panel(inches(drawn, 3.25, 0.1, 1.55, 1.55), size=11)
        self._drop, title = panel(inches(drawn, 4.95, 0.1, 1.55, 1.55), "response", size=11)
        title.set_text("where it is needed")
        self._confusion, title = panel(inches(drawn, 3.65, 2.35, 2.5, 2.35), "activation")
        title.set_text("answer → (rows: the truth)")
        size = self.recording.confusion.shape[1]
        for axis, shown in ((self._confusion.axes.xaxis, range(size)), (self._confusion.axes.yaxis, range(size))):
            axis.set_visible(True)
            axis.set_ticks(list(shown), [str(i) for i in shown], fontsize=9)
            axis.set_zorder(-1)  # beside the image, and not drawn anew with it
        self._confusion.axes.tick_params(length=0, pad=1)
        self._filters.set_clim(*(s * limit([self.recording.filters]) for s in (-1, 1)))
        for artist in (self._filters, self._maps):
            artist.axes.set_axis_off()
        self._cloud = inches(drawn, 6.65, 0.75, 3.3, 3.95)
        colors = [TEN[int(label) % len(TEN)] for label in self.recording.labels]
        self._dots = self._cloud.scatter(*self.recording.points[-1].T, c=colors, s=11, linewidths=0)
        low, high = self.recording.points.min((0, 1)), self.recording.points.max((0, 1))
        margin = 0.04 * (high - low)
        self._cloud.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        self._cloud.set_title(f"{len(colors)} digits as points", fontsize=12)
        frame(self._cloud)
        for i in range(len(TEN)):
            drawn.text(0.672 + 0.033 * i, 0.075, str(i), color=TEN[i], fontsize=13, weight="bold")
        drawn.text(0.672, 0.03, "their classes; the axes never move", fontsize=11, color=FAINT)
        self._head = drawn.text(0.01, 0.955, "", fontsize=14)
        self._drop.set_cmap(colormap("response"))
        return drawn

    def draw(self, step: int, digit: int) -> None:
        """Show one snapshot."""
        run = self.recording
        moment = int(np.flatnonzero(run.steps == step)[0])
        self._head.set_text(f"step {step:,} of {run.steps[-1]:,}: {run.accuracy[moment]:.1%} of the digits right")
        self._filters.set_data(tile(run.filters[moment].repeat(6, axis=1).repeat(6, axis=2), 8))
        self._maps.set_data(tile(run.maps(moment, self.images[digit]), 8))
        self._maps.set_clim(0, self._tops[digit])
        self._maps_title.set_text("their maps of the digit")
        self._image.set_data(self.images[digit])
        counts = run.confusion[moment]
        self._confusion.set_data(counts / np.maximum(counts.sum(1, keepdims=True), 1))
        self._dots.set_offsets(run.points[moment])
        known = digit < len(run.truths)
        if known:
            said = run.said[moment, digit]
            self._said.set_text(f"read as {said.argmax()} ({said.max():.0%})")
            self._drop.set_data(run.drops[moment, digit])
            top = limit([run.drops[:, digit]], 99.5)
            self._drop.set_clim(-top, top)
        else:
            self._said.set_text("your own")
            self._drop.set_data(np.zeros_like(self.images[digit]))
